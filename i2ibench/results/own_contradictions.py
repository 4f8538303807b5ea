"""What in a record contradicts the rest of the record alone, its scores per pair not looked at.

Unit, direction, range and who may rank follow from the metrics and the model; the columns from the
protocol; a status from what was recomputed; the experiment is named by the run's id.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from i2ibench import registry
from i2ibench.evaluation.protocol import Protocol, load_protocol
from i2ibench.metrics.interface import Metric, installed_metric
from i2ibench.results.differences import Discrepancy, tolerance
from i2ibench.results.origin import experiment_discrepancies, model_discrepancies
from i2ibench.results.record import MetricRecord, ProtocolRecord, Result

# An end of an interval, or of a range, may be missed by rounding alone.
_RELATIVE = 1e-9
# Runs of this day and later keep their experiment.
_EXPERIMENTS_SINCE = "2026-11-29"
# Grey levels by which a prediction that is made again may differ in the coarsest format.
MOST_DIFFERENT = 4


def own_contradictions(result: Result) -> Iterator[Discrepancy]:
    """Yield what in a record does not follow from the rest of the record alone."""
    yield from _status_contradictions(result)
    yield from _cost_contradictions(result)
    yield from _protocol_contradictions(result)
    yield from model_discrepancies(result)
    if result.experiment is not None:
        yield from experiment_discrepancies(result, result.experiment)
    elif result.run_id is not None and result.created >= _EXPERIMENTS_SINCE:
        yield Discrepancy("experiment", "none, so nothing says what the run's id names")
    for where, table in tables_of(result):
        for name, record in table.items():
            yield from _record_contradictions(f"{name}{where}", name, record)


def _protocol_contradictions(result: Result) -> Iterator[Discrepancy]:
    """Yield columns and endpoints that are not those of the registered protocol of that hash."""
    recorded = result.protocol
    if recorded.id not in registry.protocols:
        return
    known = load_protocol(recorded.id)
    if known.sha256 == recorded.sha256:
        yield from column_discrepancies(known, recorded)


def column_discrepancies(known: Protocol, recorded: ProtocolRecord) -> Iterator[Discrepancy]:
    """Yield columns and endpoints that a record says otherwise than its protocol."""
    for key in ("main", "ranked", "endpoints"):
        if getattr(known, key) != getattr(recorded, key):
            yield Discrepancy("protocol", f"{key}: not what {recorded.id} says")


def tables_of(result: Result) -> Iterator[tuple[str, Mapping[str, MetricRecord]]]:
    """Yield the tables of a record: overall, each group, the macro mean, and their names."""
    yield "", result.metrics
    for group, record in result.groups.items():
        yield f" of {group}", record.metrics
    yield " of macro mean", result.macro


def _status_contradictions(result: Result) -> Iterator[Discrepancy]:
    """Yield a status without the part that says what was recomputed, or the reverse."""
    parts = {"verified": result.verified, "reproduced": result.reproduced}
    needed = {"measured": (), "verified": ("verified",), "reproduced": ("verified", "reproduced")}
    for name, part in parts.items():
        if part is None and name in needed[result.status]:
            yield Discrepancy("status", f"{result.status}, but nothing says what was {name}")
        if part is not None and name not in needed[result.status]:
            yield Discrepancy("status", f"{result.status}, but the record says what was {name}")
    if result.verified is not None:
        confirmed = result.verified.relative_tolerances or {}
        values = [name for name, record in result.metrics.items() if record.value is not None]
        without = [name for name in values if name not in confirmed]
        if without:
            yield Discrepancy("status", f"{without[0]} has a value that was not recomputed")
        loose = [
            name
            for name, limit in confirmed.items()
            if name in registry.metrics and not 0 <= limit <= tolerance(name)
        ]
        if loose:
            yield Discrepancy("status", f"{loose[0]} verified within {confirmed[loose[0]]:g}")
    made = result.reproduced
    if made is None:
        return
    if result.model.is_external:
        yield Discrepancy("status", "predictions that were given cannot be reproduced")
    if made.pairs != result.dataset.pairs:
        yield Discrepancy("status", f"{made.pairs} of {result.dataset.pairs} pairs reproduced")
    if not 0 <= (made.equal or 0) <= (made.pairs or 0):
        yield Discrepancy("status", f"{made.equal} of {made.pairs} predictions equal")
    if not 0 <= (made.largest_difference or 0) <= MOST_DIFFERENT:
        yield Discrepancy("status", f"reproduced up to {made.largest_difference} grey levels")


def _cost_contradictions(result: Result) -> Iterator[Discrepancy]:
    for key, value in result.cost.model_dump().items():
        if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
            yield Discrepancy(f"cost.{key}", f"{value} is no cost")
    training, seconds = result.training, result.cost.train_seconds
    if training and (seconds is None or seconds <= 0):
        yield Discrepancy("cost.train_seconds", "a training that took no time")
    if training and result.model.checkpoint_sha256 is None:
        yield Discrepancy("checkpoint", "a training whose weights have no hash")
    steps = training.steps
    if steps is None:
        return
    epochs = (training.epochs or 0) + (training.decay_epochs or 0)
    batches = (training.pairs or 0) / (training.batch_size or 1)
    # Of several processes each sees a share of the pairs.
    processes = (result.experiment or {}).get("processes", 1)
    possible = {epochs * math.floor(batches / processes), epochs * math.ceil(batches / processes)}
    if epochs and batches and steps not in possible:
        yield Discrepancy(
            "training.steps",
            f"{steps}, where {epochs} epochs of {batches:g} batches make {max(possible)}",
        )
    if training.chosen_step is not None and not 0 < training.chosen_step <= steps:
        yield Discrepancy("training.chosen_step", f"{training.chosen_step} of {steps} steps")


def _record_contradictions(subject: str, name: str, record: MetricRecord) -> Iterator[Discrepancy]:
    if record.value is not None and record.ci95 is not None:
        low, high = record.ci95
        slack = _RELATIVE * max(abs(low), abs(high))
        if not low - slack <= record.value <= high + slack:
            yield Discrepancy(
                subject, f"value {record.value:.10g} outside its interval [{low:.6g}, {high:.6g}]"
            )
    if record.value is None and record.ci95 is not None:
        yield Discrepancy(subject, "an interval of no value")
    if record.value is not None and record.signature.partition("|")[0] != name:
        yield Discrepancy(subject, f"signature {record.signature!r} is another metric's")
    metric = known_metric(name)
    if metric is None or not record.signature:
        return
    if record.value is not None and not _within(record.value, metric):
        yield Discrepancy(subject, f"{record.value:.10g}, which {name} never is")
    for what, stated, known in (
        ("unit", record.unit, metric.unit),
        ("direction", record.better, metric.better),
    ):
        if stated != known:
            yield Discrepancy(subject, f"{what} {stated!r}, but that of {name} is {known!r}")


def outside(values: npt.NDArray[np.float64], metric: Metric | None) -> npt.NDArray[np.bool_]:
    """Return which values ``(N,)`` a metric never has; of an unknown one nothing is known."""
    if metric is None:
        return np.zeros(len(values), dtype=bool)
    low, high = metric.range
    slack = _RELATIVE * max((abs(each) for each in (low, high) if math.isfinite(each)), default=1)
    outside = np.isfinite(values) & ((values < low - slack) | (values > high + slack))
    return np.asarray(outside, dtype=np.bool_)


def _within(value: float, metric: Metric) -> bool:
    return not outside(np.array([value]), metric).any()


def known_metric(name: str) -> Metric | None:
    """Return the registered metric; None of a plugin that is not installed, or is broken."""
    metric = installed_metric(name)
    return None if metric is None else metric()
