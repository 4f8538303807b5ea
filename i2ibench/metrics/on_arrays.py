"""Each metric as a function of two arrays or tensors, with the values that boards show.

``metric_function("psnr")`` and, of every installed metric, ``i2ibench.metrics.psnr``.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.metrics.array_images import Images, ValueRange, check_range_is_used, pixels
from i2ibench.metrics.interface import (
    Context,
    Float64,
    Metric,
    PairImages,
    PairMetric,
    Score,
    SetMetric,
    Unavailable,
    build_metric,
    registered_metric,
)
from i2ibench.runtime import (
    exact_torch,
    one_opencv_thread,
    one_torch_thread,
    resolve_device,
    usable_cores,
)

_ARGUMENTS = """
Args:
    prediction: uint8 (H, W, 3) or (N, H, W, 3), or floats (3, H, W) or (N, 3, H, W); a numpy array
        or a torch tensor.
    target: the real images, of the same size and number.
    value_range: of floats, e.g. ``(0, 1)``; they are rounded to grey levels as on boards.
    groups: of each pair, e.g. its HER2 level, for metrics that compare groups.
    ids: of each pair; what a metric draws at random for a pair follows from its id.
    device: where networks run: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.
    context: what else a metric may need, such as real training targets.
    **settings: of the metric, see ``i2ibench metrics NAME``.

Returns:
    {returns}

Raises:
    UsageError: other types, shapes, sizes or values, or an unknown setting.
    MissingError: its weights are not on this machine, or {missing}.
"""
_OF_PAIRS = (
    "The value of one pair as a float, or those of a batch as float64 (N,); NaN where undefined.",
    "the images are too small for it",
)
_OF_SETS = ("One float for the whole batch.", "it is not defined on these images")


class PairFunction(Protocol):
    """A pair metric on arrays: a float of one pair, float64 (N,) of a batch."""

    def __call__(
        self,
        prediction: Images,
        target: Images,
        *,
        value_range: ValueRange | None = None,
        groups: str | Sequence[str | None] | None = None,
        ids: str | Sequence[str] | None = None,
        device: str | None = None,
        context: Context | None = None,
        **settings: object,
    ) -> float | Float64:
        """Score pairs of images."""


class SetFunction(Protocol):
    """A set metric on arrays: one float of a batch."""

    def __call__(
        self,
        prediction: Images,
        target: Images,
        *,
        value_range: ValueRange | None = None,
        groups: str | Sequence[str | None] | None = None,
        ids: str | Sequence[str] | None = None,
        device: str | None = None,
        context: Context | None = None,
        **settings: object,
    ) -> float:
        """Score a set of pairs of images."""


MetricFunction = PairFunction | SetFunction


def function_names() -> dict[str, str]:
    """Return the metric of each function: ``lpips_vgg`` computes ``lpips-vgg``."""
    return {name.replace("-", "_"): name for name in registry.metrics.names()}


@cache
def metric_function(name: str) -> MetricFunction:
    """Return the registered metric ``name`` as a function of two arrays.

    Raises:
        UsageError: an unknown name, with the nearest known ones.
    """
    is_of_pairs = issubclass(registered_metric(name), PairMetric)

    def function(
        prediction: Images,
        target: Images,
        *,
        value_range: ValueRange | None = None,
        groups: str | Sequence[str | None] | None = None,
        ids: str | Sequence[str] | None = None,
        device: str | None = None,
        context: Context | None = None,
        **settings: object,
    ) -> float | Float64:
        found = _read(name, prediction, target, value_range, groups, ids)
        metric, context = _prepared(name, settings, device, context, found.pairs[0])
        if isinstance(metric, PairMetric):
            values = np.array(_each(metric.score_pair, found.pairs, context), dtype=np.float64)
            return values if found.is_batch else float(values[0])
        score = _score_set(metric, found.pairs, context)
        return _value(name, score)

    function.__name__ = function.__qualname__ = name.replace("-", "_")
    function.__module__ = __package__ or __name__  # where users find it, and pickle
    of = _OF_PAIRS if is_of_pairs else _OF_SETS
    function.__doc__ = _documentation(registered_metric(name), *of)
    return function


def score_arrays(
    name: str,
    prediction: Images,
    target: Images,
    *,
    value_range: ValueRange | None = None,
    groups: str | Sequence[str | None] | None = None,
    ids: str | Sequence[str] | None = None,
    device: str | None = None,
    context: Context | None = None,
    **settings: object,
) -> Score:
    """Return all that the set metric ``name`` finds: value, notes, interval and details.

    Takes what its function takes; where it has no value, ``unavailable`` says why.
    """
    found = _read(name, prediction, target, value_range, groups, ids)
    metric, context = _prepared(name, settings, device, context, found.pairs[0])
    return _score_set(metric, found.pairs, context)


class _Found(NamedTuple):
    pairs: list[PairImages]
    is_batch: bool


def _read(
    name: str,
    prediction: Images,
    target: Images,
    value_range: ValueRange | None,
    groups: str | Sequence[str | None] | None,
    ids: str | Sequence[str] | None,
) -> _Found:
    predicted, is_batch = pixels(prediction, value_range, f"{name}: prediction")
    real, _ = pixels(target, value_range, f"{name}: target")
    check_range_is_used(value_range, prediction, target)
    if predicted.shape != real.shape:
        first, second = (f"{len(x)} of {x.shape[2]} x {x.shape[1]}" for x in (predicted, real))
        raise UsageError(
            f"{name}: predictions ({first} pixels) and targets ({second} pixels) do not match; "
            "give as many, of equal sizes"
        )
    labels = _one_a_pair(name, "groups", groups, len(real)) or [None] * len(real)
    # Of one length, so that they sort as the images stand.
    known_as = _one_a_pair(name, "ids", ids, len(real)) or [f"{i:08}" for i in range(len(real))]
    if len(set(known_as)) < len(known_as):
        raise UsageError(f"{name}: two pairs have one id; ids are unique")
    pairs = [
        PairImages(str(pair_id), a, b, group=group)
        for pair_id, group, a, b in zip(known_as, labels, predicted, real, strict=True)
    ]
    return _Found(pairs, is_batch)


def _one_a_pair(name: str, what: str, given: Any, count: int) -> list[Any] | None:
    if given is None:
        return None
    values = [given] if isinstance(given, str) else list(given)
    if len(values) != count:
        raise UsageError(f"{name}: {len(values)} {what} for {count} pairs; give one for each")
    return values


def _prepared(
    name: str,
    settings: Mapping[str, object],
    device: str | None,
    context: Context | None,
    first: PairImages,
) -> tuple[Metric, Context]:
    """Return the metric, new because one may keep what it finds by pair, and its context."""
    metric = build_metric(name, settings)
    height, width = first.target.shape[:2]
    if min(height, width) < metric.minimum_size:
        raise Unavailable(
            f"{name} needs images of at least {metric.minimum_size} pixels a side, not "
            f"{width} x {height}"
        )
    context = context if context is not None else Context(workers=usable_cores())
    if device is not None:
        context = replace(context, device=device)
    if metric.runs_network:
        context = replace(context, device=resolve_device(context.device))
    if not context.shared and context.training_targets is None:
        context = replace(context, shared=_kept_networks(context))
    metric.prepare(context)
    return metric, context


# Networks of the last call, so that a loop over images loads them once.
_networks: dict[tuple[object, ...], dict[str, Any]] = {}


def _kept_networks(context: Context) -> dict[str, Any]:
    places = tuple(os.environ.get(each) for each in ("I2IBENCH_WEIGHTS", "I2IBENCH_CACHE"))
    key = (context.device, context.precision, context.allow_unverified_weights, *places)
    if key not in _networks:
        _networks.clear()
        _networks[key] = {}
    return _networks[key]


def _each(
    call: Callable[[PairImages], Any], pairs: Sequence[PairImages], context: Context
) -> list[Any]:
    """Return ``call`` of each pair, on one torch thread as on boards: sums then are equal."""

    def on_one_thread(pair: PairImages) -> Any:
        one_torch_thread()
        return call(pair)

    workers = min(context.workers, len(pairs)) if context.device == "cpu" else 1
    with exact_torch(), one_opencv_thread():
        if workers <= 1:
            return [on_one_thread(pair) for pair in pairs]
        with ThreadPoolExecutor(workers) as pool:
            return [*pool.map(on_one_thread, pairs)]


def _score_set(metric: Metric, pairs: Sequence[PairImages], context: Context) -> Score:
    if not isinstance(metric, SetMetric):
        raise UsageError(f"{metric.name} has a value a pair and none of a set; call its function")
    state = metric.new_state()
    for pair, description in zip(pairs, _each(metric.describe, pairs, context), strict=True):
        metric.update(state, pair.id, description)
    return metric.compute(state)


def _value(name: str, score: Score) -> float:
    if score.value is None:
        raise Unavailable(f"{name} has no value: {score.unavailable}")
    for note in score.notes:
        if note.startswith("biased"):
            warnings.warn(f"{name}: {note}", stacklevel=3)
    return float(score.value)


def _documentation(metric_class: type[Metric], returns: str, missing: str) -> str:
    own = inspect.getdoc(metric_class) or ""
    return f"{own}\n{_ARGUMENTS.format(returns=returns, missing=missing)}"
