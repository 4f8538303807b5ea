"""What a metric implements: a value per pair, or a mergeable state over a set of pairs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench import registry
from i2ibench.errors import MissingError, UsageError
from i2ibench.metrics.pair_images import PairImages, TargetCache, UInt8Image
from i2ibench.metrics.signature import Signature
from i2ibench.settings import Settings, explain

__all__ = [
    "Agreement",
    "Context",
    "Metric",
    "MetricSettings",
    "PairImages",
    "PairMetric",
    "Score",
    "SetMetric",
    "Signature",
    "TargetCache",
    "TrainingTarget",
    "Unavailable",
    "build_metric",
    "installed_metric",
    "registered_metric",
]

Float64 = npt.NDArray[np.float64]
State = TypeVar("State")

# Of metrics that say no position: behind those that do.
LAST_POSITION = 1000
_MOST_DIGITS = 12


class Unavailable(MissingError):
    """A metric that cannot be computed on this set of pairs; the message says why."""


class MetricSettings(Settings):
    """Base of all metric settings: frozen, unknown keys refused."""


@dataclass(frozen=True, slots=True)
class TrainingTarget:
    """A real target of the training split: its pair's id and group, and how to read it."""

    id: str
    group: str | None
    read: Callable[[], UInt8Image]


@dataclass(frozen=True, slots=True)
class Context:
    """What metrics may need before the first pair.

    Attributes:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; where networks run.
        precision: of network features; bf16 is faster, deviates and stands in the signature.
        allow_unverified_weights: whether weights with an unknown hash are accepted.
        training_targets: prepared as the protocol says; None where there is no training split.
        group_order: the groups from lowest to highest, where they have an order.
        workers: threads that may be used.
        shared: what one metric has prepared for the others, by a name of its own.
    """

    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    allow_unverified_weights: bool = False
    training_targets: Sequence[TrainingTarget] | None = None
    group_order: tuple[str, ...] = ()
    workers: int = 1
    shared: dict[str, Any] = field(default_factory=dict, compare=False)


class _NamesWeights:
    """Default of ``Metric.runs_network``: whether the class, or its instance, names weights."""

    def __get__(self, instance: Metric | None, owner: type[Metric]) -> bool:
        return bool((owner if instance is None else instance).weights)


class Metric:
    """Base of all metrics.

    Class attributes: ``name`` as registered; ``unit`` (empty for a pure number); ``better``, the
    direction of improvement or None for a description; ``version``, raised whenever the same
    input would give another value; ``weights``, names in the weights catalogue; ``runs_network``,
    whether ``prepare`` loads a network: it is then called on the device that was asked for, once
    torch is loaded, and before it torch must not be needed. By default so where weights are named.

    ``range``: the least and the largest value that it can have; a number outside is no value of it.
    ``beside``: what a reader should hold beside a value, by the name of the groups it is about.

    ``trap``: when not to trust its values, in one sentence.

    How tables show it: ``title``, by default the name; ``digits`` after the point, by default four
    significant ones; ``position``, by which further metrics are ordered, then by name.

    How groups become one value: ``macro``, the mean over groups; geometric for ratios, of which 2
    and 1/2 are equally far from 1. A pair metric's is arithmetic, as its interval is.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    trap: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower"] | None]
    digits: ClassVar[int | None] = None
    position: ClassVar[int] = LAST_POSITION
    macro: ClassVar[Literal["arithmetic", "geometric"]] = "arithmetic"
    _MACROS: ClassVar[tuple[str, ...]] = ("arithmetic", "geometric")
    version: ClassVar[int] = 1
    weights: ClassVar[tuple[str, ...]] = ()
    runs_network: ClassVar[bool] = _NamesWeights()  # type: ignore[assignment]
    beside: ClassVar[Mapping[str, str]] = {}
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    # Smallest height and width the definition holds for.
    minimum_size: ClassVar[int] = 1
    Settings: ClassVar[type[MetricSettings]] = MetricSettings

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        own = vars(cls)
        if "name" in own:  # another metric: it is not called as the one that it derives from
            cls.title = own.get("title", "")
        if not isinstance(cls.title, str) or (cls.title and not cls.title.isprintable()):
            raise ValueError(f"title {cls.title!r} of {cls.__name__} is no line of text")
        if cls.digits is not None and cls.digits not in range(_MOST_DIGITS + 1):
            raise ValueError(f"digits {cls.digits!r} of {cls.__name__} are not 0 to {_MOST_DIGITS}")
        if not isinstance(cls.position, int):
            raise ValueError(f"position {cls.position!r} of {cls.__name__} is no whole number")
        if cls.macro not in cls._MACROS:
            known = " or ".join(cls._MACROS)
            raise ValueError(f"macro {cls.macro!r} of {cls.__name__} is not {known}")

    def __init__(self, settings: MetricSettings | None = None) -> None:
        self.settings: Any = settings if settings is not None else self.Settings()

    def prepare(self, context: Context) -> None:
        """Load weights or fit what is fitted; called once before the first pair.

        Raises:
            MissingError: something it needs is absent; the message says how to get it.
        """

    def signature(self) -> Signature:
        """Return the definition with all settings; after ``prepare`` also with the weights."""
        raise NotImplementedError

    def _signature(self, *settings: str | tuple[str, object]) -> Signature:
        parts = tuple((s, "") if isinstance(s, str) else (s[0], str(s[1])) for s in settings)
        return Signature(self.name, parts, self.version)


class PairMetric(Metric):
    """A metric with one value a pair; its score over a set is the mean over the pairs.

    A metric may be undefined on a pair, such as the overlap with an empty mask. It then says so in
    ``undefined_means`` and returns NaN: the pair is left out of the mean, and counted in a note.
    """

    _MACROS = ("arithmetic",)
    # +inf is a value of this metric (PSNR of equal images) and not a failure.
    infinite_when_equal: ClassVar[bool] = False
    # What an infinite value says of its pair, after a number of pairs: "3 of 24 ...".
    infinite_means: ClassVar[str] = "pairs have no error"
    # What an undefined value (NaN) says of its pair, after a number of pairs: "7 of 24 targets have
    # no positive area". Empty: the metric is defined on every pair, and NaN is a failure.
    undefined_means: ClassVar[str] = ""
    # Of a metric that may be undefined: the fewest defined pairs with which a group counts in the
    # macro mean.
    least_pairs_of_group: ClassVar[int] = 1

    def score_pair(self, pair: PairImages) -> float:
        """Return the value of one pair, NaN where it is undefined. Called from several threads."""
        raise NotImplementedError

    def score(self, predictions: UInt8Image, targets: UInt8Image) -> Float64:
        """Return the values of a batch: uint8 (N, H, W, 3) twice -> float64 (N,)."""
        if predictions.shape != targets.shape or predictions.ndim != 4:
            raise UsageError(
                f"{self.name}: predictions {predictions.shape} and targets {targets.shape} "
                "must have one shape (N, H, W, 3)"
            )
        pairs = zip(predictions, targets, strict=True)
        return np.array(
            [self.score_pair(PairImages(str(i), p, t)) for i, (p, t) in enumerate(pairs)],
            dtype=np.float64,
        )


@dataclass(frozen=True, slots=True)
class Score:
    """What a set metric found.

    Attributes:
        value: the score, or None with the reason in ``unavailable``.
        settings: settings known only now (a subset size chosen from N), for the signature.
        notes: short marks for footnotes.
        unavailable: why there is no value.
        ci95: 95 % interval over independent pairs, where a valid one is known.
        details: further facts, JSON values.
    """

    value: float | None
    settings: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    unavailable: str | None = None
    ci95: tuple[float, float] | None = None
    details: Mapping[str, object] = field(default_factory=dict)


class Agreement(NamedTuple):
    """Of a set metric: that it is an agreement of a reader of each pair with the true groups.

    Its interval is made by resampling what was read.

    Attributes:
        read: the pair metric whose value is the number of the group that was read, from 0.
        error: the pair metric whose value is how many groups that is from the true one.
        statistic: of ``statistics.agreement``.
    """

    read: str
    error: str
    statistic: Literal["accuracy", "quadratic-kappa"]


class SetMetric(Metric, Generic[State]):
    """A metric of a set of pairs, accumulated in states that merge.

    States are keyed by pair id, so neither the order of pairs nor the way they were split into
    shards can change a value.
    """

    # From which scores per pair the value follows, where it is an agreement with the groups.
    agreement: ClassVar[Agreement | None] = None

    def state_key(self) -> str:
        """Return what states are shared by: metrics with equal keys see one state."""
        return self.name

    def describe(self, pair: PairImages) -> Any:
        """Return what the state keeps of one pair. Called from several threads at once."""
        raise NotImplementedError

    def new_state(self) -> State:
        """Return the state of no pair."""
        raise NotImplementedError

    def update(self, state: State, pair_id: str, description: Any) -> None:
        """Add one pair to ``state``."""
        raise NotImplementedError

    def merge(self, state: State, other: State) -> State:
        """Return the state of both sets of pairs; the arguments stay as they are."""
        raise NotImplementedError

    def compute(self, state: State) -> Score:
        """Return the score of the pairs in ``state``."""
        raise NotImplementedError


def registered_metric(name: str) -> type[Metric]:
    """Return the class of the registered metric ``name``; anything else there is refused."""
    found: type[Metric] = registry.metrics.get_class(
        name, (PairMetric, SetMetric), "PairMetric or SetMetric"
    )
    return found


def installed_metric(name: str) -> type[Metric] | None:
    """Return the class of the metric ``name``; None where nothing usable is installed under it.

    Records outlive plugins. One that is broken is told in a warning, and spoils no table that holds
    its numbers.
    """
    if name not in registry.metrics:
        return None
    try:
        return registered_metric(name)
    except UsageError as error:
        warnings.warn(str(error), stacklevel=1)  # of one place: told once
        return None


def build_metric(name: str, settings: Mapping[str, object] | None = None) -> Metric:
    """Build the registered metric ``name``; a setting that it refuses is named.

    >>> str(i2ibench.build_metric("psnr").signature())
    'psnr|rgb|range:255|mean:image|v:1'

    Raises:
        UsageError: unknown name or setting, with the nearest known ones.
    """
    metric_class = registered_metric(name)
    try:
        return metric_class(metric_class.Settings(**(settings or {})))
    except pydantic.ValidationError as error:
        problem = explain(error, metric_class.Settings, kind=f"setting of {name}")
        raise UsageError(f"metric {name}: {problem}") from None
