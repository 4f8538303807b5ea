"""A protocol: the frozen, versioned description of how predictions are made and scored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic

from i2ibench import registry
from i2ibench.data.preparation import Preparation
from i2ibench.errors import UsageError
from i2ibench.files import sha256_json
from i2ibench.metrics.interface import registered_metric
from i2ibench.metrics.presentation import direction
from i2ibench.models.policy import InferencePolicy
from i2ibench.reading import read_toml
from i2ibench.settings import Settings, explain

# The main columns of a board whose protocol names none: those of them that it has metrics for.
DEFAULT_MAIN = ("psnr", "ssim", "lpips", "lpips-squeeze", "fid", "swd")


class MetricChoice(Settings):
    """A metric of a protocol with the settings that differ from the metric's defaults."""

    name: str
    settings: dict[str, Any] = pydantic.Field(default_factory=dict)


class Endpoints(Settings):
    """What a protocol says before anything is measured: which metrics decide, and which only guard.

    Attributes:
        primary: decide between methods; a board's rows stand in the order of the first.
        secondary: rank as well, and decide nothing.
        guardrails: shown and never ranked: a method can be best there and still fail its purpose.
        primary_mean: ``"pairs"``, or ``"groups"``: a primary endpoint is the mean over groups
            (HER2 levels), each counting the same.
        margins: by metric, the difference up to which two methods are taken as equal.
    """

    primary: tuple[str, ...] = pydantic.Field(min_length=1)
    secondary: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    primary_mean: Literal["pairs", "groups"] = "pairs"
    margins: dict[str, pydantic.PositiveFloat] = pydantic.Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _one_role_each(self) -> Endpoints:
        names = [*self.primary, *self.secondary, *self.guardrails]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]} has two roles; keep one")
        return self


class Protocol(Settings):
    """How predictions are made comparable, and which metrics with which settings.

    Attributes:
        id: its name with its version, e.g. ``i2i-1``; any change of content needs a new one.
        title: one line for listings.
        description: why it exists and what a reader must know.
        preparation: what source and target go through before anything else.
        inference: how a model is run.
        metrics: in the order of tables.
        main: the metrics of a board's main columns, in their order; None for the usual ones.
        ranked: those main metrics that rank; None for all that have a direction, or for those
            that ``endpoints`` names.
        endpoints: what decides between methods, said beforehand.
    """

    added_later: ClassVar[frozenset[str]] = frozenset({"main", "ranked", "endpoints"})

    id: str = pydantic.Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    description: str = ""
    preparation: Preparation = Preparation()
    inference: InferencePolicy = InferencePolicy()
    metrics: tuple[MetricChoice, ...] = pydantic.Field(min_length=1)
    main: tuple[str, ...] | None = pydantic.Field(default=None, min_length=1)
    ranked: tuple[str, ...] | None = None
    endpoints: Endpoints | None = None

    @pydantic.model_validator(mode="after")
    def _columns_are_metrics(self) -> Protocol:
        names = self.metric_names
        for listed in (names, self.main or (), self.ranked or ()):
            if len(set(listed)) < len(listed):
                raise ValueError("a metric is listed twice")
        _check_among("main", self.main, names)
        _check_among("ranked", self.ranked, self.main_metrics)
        if self.endpoints is not None:
            if self.ranked is not None:
                raise ValueError("ranked: the endpoints say what ranks; leave it out")
            for key in ("primary", "secondary"):
                _check_among(f"endpoints.{key}", getattr(self.endpoints, key), self.main_metrics)
            _check_among("endpoints.guardrails", self.endpoints.guardrails, names)
            _check_among("endpoints.margins", tuple(self.endpoints.margins), names)
        return self

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that decides a number; title and description may be reworded."""
        return sha256_json(self.model_dump(mode="json", exclude={"title", "description"}))

    @property
    def main_metrics(self) -> list[str]:
        """Names of the metrics of a board's main columns, in their order."""
        return [name for name in self.main or DEFAULT_MAIN if name in self.metric_names]

    @property
    def metric_names(self) -> list[str]:
        """Names of the metrics, in the order of tables."""
        return [choice.name for choice in self.metrics]

    @property
    def ranked_metrics(self) -> list[str]:
        """Names of the main metrics that rank, in the order in which they decide."""
        if self.endpoints is not None:
            return [*self.endpoints.primary, *self.endpoints.secondary]
        if self.ranked is not None:
            return [*self.ranked]
        return [name for name in self.main_metrics if direction(name) is not None]

    def only(self, metrics: Sequence[str]) -> Protocol:
        """Return these rules with some of their metrics, to compute what a record lacks."""
        some = [choice for choice in self.metrics if choice.name in metrics]
        content = self.model_dump(exclude={"main", "ranked", "endpoints"})
        return Protocol(**{**content, "metrics": some})

    def settings_of(self, metric: str) -> dict[str, Any]:
        """Return the settings of ``metric``; a metric the protocol does not list has none."""
        return next((c.settings for c in self.metrics if c.name == metric), {})


def load_protocol(id_or_path: str | Path) -> Protocol:
    """Load a registered protocol by its id, or one of your own from a TOML file.

    >>> i2ibench.load_protocol("i2i-1").main_metrics[:2]
    ['psnr', 'ssim']

    Raises:
        UsageError: unknown id (with the nearest ones), or a file that is no protocol.
    """
    text = str(id_or_path)
    if not text.endswith(".toml"):
        return _parse(registry.protocols.get(text), text)
    path = Path(id_or_path)
    protocol = _parse(read_toml(path, error=UsageError), text)
    if protocol.id in registry.protocols.names() and load_protocol(protocol.id) != protocol:
        raise UsageError(
            f"{path}: '{protocol.id}' is the id of a registered protocol with other content; "
            "choose another id"
        )
    return protocol


def _parse(content: dict[str, Any], where: str) -> Protocol:
    try:
        protocol = Protocol(**content)
    except pydantic.ValidationError as error:
        raise UsageError(f"protocol {where}: {explain(error, Protocol)}") from None
    for name in protocol.ranked_metrics if protocol.ranked or protocol.endpoints else ():
        # One that is not installed is told when it is to be computed, one that is broken here.
        if name in registry.metrics and registered_metric(name).better is None:
            raise UsageError(
                f"protocol {where}: ranked: {name} has no direction, so it cannot rank; leave it "
                "out of ranked and endpoints"
            )
    return protocol


def _check_among(key: str, names: tuple[str, ...] | None, metrics: list[str]) -> None:
    for name in names or ():
        if name not in metrics:
            raise ValueError(f"{key}: {registry.unknown_name('metric', name, metrics)}")
