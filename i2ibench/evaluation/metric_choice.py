"""Choosing an evaluation's metrics: which can be computed, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from i2ibench.errors import DataError, MissingError
from i2ibench.evaluation.protocol import Protocol
from i2ibench.metrics.interface import (
    Context,
    Metric,
    PairMetric,
    SetMetric,
    Unavailable,
    build_metric,
)
from i2ibench.metrics.networks.network_loading import find_weights


@dataclass(frozen=True, slots=True)
class ChosenMetrics:
    """The metrics of an evaluation.

    Attributes:
        metrics: all, in the order of tables.
        unavailable: by name, why a metric cannot be computed; ``load_networks`` may add some.
        by_name: the metrics that were asked for by name, whose failure is an error.
        networks: names of those that run a network and can; ``load_networks`` prepares them.
    """

    metrics: Mapping[str, Metric]
    unavailable: dict[str, str]
    by_name: frozenset[str]
    networks: frozenset[str]

    @property
    def pair_metrics(self) -> list[PairMetric]:
        """Those with a value per pair that can be computed."""
        return [m for m in self._ready() if isinstance(m, PairMetric)]

    @property
    def set_metrics(self) -> list[SetMetric]:  # type: ignore[type-arg]
        """Those of a set of pairs that can be computed."""
        return [m for m in self._ready() if isinstance(m, SetMetric)]

    def state_owners(self, *, networks: bool | None = None) -> dict[str, SetMetric]:  # type: ignore[type-arg]
        """By state key, the first of the metrics that share a state: it keeps the state.

        With ``networks``, only those that run a network, or only those that run none.
        """
        owners: dict[str, SetMetric] = {}  # type: ignore[type-arg]
        for metric in self.set_metrics:
            if networks is None or networks == (metric.name in self.networks):
                owners.setdefault(metric.state_key(), metric)
        return owners

    def load_networks(self, context: Context) -> None:
        """Prepare the metrics that run a network; this is what loads torch.

        Raises:
            MissingError: one that was asked for by name lacks something; others then are marked
                unavailable.
            DataError: weights that are no such weights.
        """
        for name in self.metrics:
            if name not in self.networks:
                continue
            try:
                self.metrics[name].prepare(context)
            except DataError as error:
                raise DataError(f"{name}: {error}") from error
            except MissingError as error:
                _leave_out(name, error, self.by_name, self.unavailable)

    def _ready(self) -> list[Metric]:
        return [m for name, m in self.metrics.items() if name not in self.unavailable]


def choose_metrics(
    protocol: Protocol,
    names: Sequence[str] | None,
    context: Context,
    sizes: Mapping[str, tuple[int, int]],
) -> ChosenMetrics:
    """Build the protocol's metrics, or those of ``names`` with its settings.

    Those that run no network are prepared; the others are left to ``load_networks``. Of all it is
    made sure that their weights are here.

    Raises:
        MissingError: a metric of ``names`` cannot be computed here.
        UsageError: an unknown name.
    """
    wanted = list(dict.fromkeys(names)) if names is not None else protocol.metric_names
    metrics = {name: build_metric(name, protocol.settings_of(name)) for name in wanted}
    by_name = frozenset(wanted if names is not None else ())
    unavailable: dict[str, str] = {}
    for name, metric in metrics.items():
        try:
            _check_size(metric, sizes)
            for weights in metric.weights:
                find_weights(weights, context)
            if not metric.runs_network:
                metric.prepare(context)
        except MissingError as error:
            _leave_out(name, error, by_name, unavailable)
    networks = {n for n, metric in metrics.items() if metric.runs_network and n not in unavailable}
    return ChosenMetrics(metrics, unavailable, by_name, frozenset(networks))


def _leave_out(
    name: str, error: MissingError, by_name: frozenset[str], unavailable: dict[str, str]
) -> None:
    if name in by_name:
        raise type(error)(f"{name}: {error}") from None
    unavailable[name] = error.reason  # stands in records


def _check_size(metric: Metric, sizes: Mapping[str, tuple[int, int]]) -> None:
    for pair_id, (width, height) in sizes.items():
        if min(width, height) < metric.minimum_size:
            raise Unavailable(
                f"needs images of at least {metric.minimum_size} pixels a side; "
                f"pair {pair_id} has {width} x {height}"
            )
