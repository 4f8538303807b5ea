"""Choosing an evaluation's metrics: which can be computed, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from i2ibench.errors import MissingError
from i2ibench.evaluation.protocol import Protocol
from i2ibench.metrics.interface import (
    Context,
    Metric,
    PairMetric,
    SetMetric,
    Unavailable,
    build_metric,
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The metrics of an evaluation.

    Attributes:
        metrics: all, in the order of tables.
        unavailable: by name, why a metric cannot be computed.
        by_name: the metrics that were asked for by name, whose failure is an error.
    """

    metrics: Mapping[str, Metric]
    unavailable: Mapping[str, str]
    by_name: frozenset[str]

    @property
    def pair_metrics(self) -> list[PairMetric]:
        """Those with a value per pair that can be computed."""
        return [m for m in self._ready() if isinstance(m, PairMetric)]

    @property
    def set_metrics(self) -> list[SetMetric]:  # type: ignore[type-arg]
        """Those of a set of pairs that can be computed."""
        return [m for m in self._ready() if isinstance(m, SetMetric)]

    @property
    def state_owners(self) -> dict[str, SetMetric]:  # type: ignore[type-arg]
        """By state key, the first of the metrics that share a state: it keeps the state."""
        owners: dict[str, SetMetric] = {}  # type: ignore[type-arg]
        for metric in self.set_metrics:
            owners.setdefault(metric.state_key(), metric)
        return owners

    def _ready(self) -> list[Metric]:
        return [m for name, m in self.metrics.items() if name not in self.unavailable]


def choose_metrics(
    protocol: Protocol,
    names: Sequence[str] | None,
    context: Context,
    sizes: Mapping[str, tuple[int, int]],
) -> Chosen:
    """Build and prepare the protocol's metrics, or those of ``names`` with its settings.

    Raises:
        MissingError: a metric of ``names`` cannot be computed here.
        UsageError: an unknown name.
    """
    wanted = list(dict.fromkeys(names)) if names is not None else protocol.metric_names
    metrics = {name: build_metric(name, protocol.settings_of(name)) for name in wanted}
    unavailable: dict[str, str] = {}
    for name, metric in metrics.items():
        try:
            _check_size(metric, sizes)
            metric.prepare(context)
        except MissingError as error:
            if names is not None:
                raise type(error)(f"{name}: {error}") from None
            unavailable[name] = str(error)
    return Chosen(metrics, unavailable, frozenset(wanted if names is not None else ()))


def _check_size(metric: Metric, sizes: Mapping[str, tuple[int, int]]) -> None:
    for pair_id, (width, height) in sizes.items():
        if min(width, height) < metric.minimum_size:
            raise Unavailable(
                f"needs images of at least {metric.minimum_size} pixels a side; "
                f"pair {pair_id} has {width} x {height}"
            )
