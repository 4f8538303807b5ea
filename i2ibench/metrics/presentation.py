"""How tables show a metric: title, direction, digits, place among others, all by its name.

A registered metric says so itself; what papers report and nothing here computes is declared in
``only_reported.toml``; of any other name, such as that of a plugin that is gone, nothing is known
but its parts.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from functools import cache
from typing import Literal

import pydantic

from i2ibench import registry, wording
from i2ibench.metrics.interface import LAST_POSITION, Metric, installed_metric

__all__ = [
    "beside",
    "column_title",
    "direction",
    "metric_title",
    "number",
    "summary",
    "table_order",
    "trap",
]

Better = Literal["higher", "lower"]


class ReportedMetric(pydantic.BaseModel):
    """A metric that is read in papers and not computed here; attributes as those of ``Metric``."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    better: Better | None = None
    digits: int | None = None
    position: int = LAST_POSITION


@cache
def only_reported() -> dict[str, ReportedMetric]:
    """Return the metrics of ``only_reported.toml`` by name."""
    file = importlib.resources.files(__package__).joinpath("only_reported.toml")
    declared = registry.tomllib.loads(file.read_text(encoding="utf-8"))
    return {name: ReportedMetric(**facts) for name, facts in declared.items()}


def metric_title(metric: str) -> str:
    """Return the name a reader knows: ``lpips`` -> ``LPIPS``, ``lpips-new`` -> ``LPIPS-new``."""
    found = _known(metric)
    if found is not None and found.title:
        return found.title
    head, dash, tail = metric.partition("-")
    family = _known(head) if tail else None
    return f"{family.title or head}{dash}{tail}" if family is not None else metric


def column_title(metric: str, better: str | None) -> str:
    """Return the title with an arrow towards better values, if any are better."""
    return f"{metric_title(metric)} {wording.ARROWS[better]}".strip()


def beside(metric: str, groups: str | None) -> str:
    """Return what a reader should hold beside a metric's values, of groups called ``groups``."""
    found = _known(metric)
    if groups is None or found is None or isinstance(found, ReportedMetric):
        return ""
    return found.beside.get(groups, "")


def summary(metric: str) -> str:
    """Return what a registered metric is, in a sentence; nothing of any other name."""
    return registry.metrics.summary(metric) if metric in registry.metrics else ""


def trap(metric: str) -> str:
    """Return when not to trust a metric, in a sentence; nothing where it says nothing."""
    found = _known(metric)
    return "" if found is None or isinstance(found, ReportedMetric) else found.trap


def direction(metric: str) -> Better | None:
    """Return which values are better; None of a description, or where that is not known."""
    found = _known(metric)
    return found.better if found is not None else None


def number(value: float, metric: str, like: float | None = None) -> str:
    """Return ``value`` with the digits of its metric, or with those of the number ``like``."""
    found = _known(metric) or _known(metric.partition("-")[0])
    return wording.decimal(value, found.digits if found is not None else None, like)


def table_order(metric: str, first: Sequence[str] = ()) -> tuple[int, int, str]:
    """Sort key of metrics in tables: those of ``first``, then by position, then by name."""
    found = _known(metric)
    position = found.position if found is not None else LAST_POSITION
    return (first.index(metric) if metric in first else len(first), position, metric)


def _known(metric: str) -> type[Metric] | ReportedMetric | None:
    return installed_metric(metric) or only_reported().get(metric)
