"""A protocol: the frozen, versioned description of how predictions are made and scored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pydantic

from i2ibench import registry
from i2ibench.data.preparation import Preparation
from i2ibench.errors import UsageError
from i2ibench.files import sha256_json
from i2ibench.models.policy import InferencePolicy
from i2ibench.registry import tomllib
from i2ibench.settings import Settings, explain


class MetricChoice(Settings):
    """A metric of a protocol with the settings that differ from the metric's defaults."""

    name: str
    settings: dict[str, Any] = pydantic.Field(default_factory=dict)


class Protocol(Settings):
    """How predictions are made comparable, and which metrics with which settings.

    Attributes:
        id: its name with its version, e.g. ``i2i-1``; any change of content needs a new one.
        title: one line for listings.
        description: why it exists and what a reader must know.
        preparation: what source and target go through before anything else.
        inference: how a model is run.
        metrics: in the order of tables.
    """

    id: str = pydantic.Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    description: str = ""
    preparation: Preparation = Preparation()
    inference: InferencePolicy = InferencePolicy()
    metrics: tuple[MetricChoice, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _no_metric_twice(self) -> Protocol:
        names = [choice.name for choice in self.metrics]
        if len(set(names)) < len(names):
            raise ValueError("a metric is listed twice")
        return self

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that decides a number; title and description may be reworded."""
        return sha256_json(self.model_dump(mode="json", exclude={"title", "description"}))

    @property
    def metric_names(self) -> list[str]:
        """Names of the metrics, in the order of tables."""
        return [choice.name for choice in self.metrics]

    def only(self, metrics: Sequence[str]) -> Protocol:
        """Return these rules with some of their metrics, to compute what a record lacks."""
        some = [choice for choice in self.metrics if choice.name in metrics]
        return Protocol(**{**self.model_dump(), "metrics": some})

    def settings_of(self, metric: str) -> dict[str, Any]:
        """Return the settings of ``metric``; a metric the protocol does not list has none."""
        return next((c.settings for c in self.metrics if c.name == metric), {})


def load_protocol(id_or_path: str | Path) -> Protocol:
    """Load a registered protocol by its id, or one of your own from a TOML file.

    Raises:
        UsageError: unknown id (with the nearest ones), or a file that is no protocol.
    """
    text = str(id_or_path)
    if not text.endswith(".toml"):
        return _parse(registry.protocols.get(text), text)
    path = Path(id_or_path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML ({error})") from None
    protocol = _parse(content, text)
    if protocol.id in registry.protocols.names() and load_protocol(protocol.id) != protocol:
        raise UsageError(
            f"{path}: '{protocol.id}' is the id of a registered protocol with other content; "
            "choose another id"
        )
    return protocol


def _parse(content: dict[str, Any], where: str) -> Protocol:
    try:
        return Protocol(**content)
    except pydantic.ValidationError as error:
        raise UsageError(f"protocol {where}: {explain(error, Protocol)}") from None
