"""Whether a record agrees with itself and with its scores per pair: nothing else is needed.

Means, groups, the macro mean and intervals follow from the scores; unit, direction and who may rank
follow from the metrics and the model; the experiment is named by the run's id. A number that was
edited contradicts one of them, however it is sealed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from i2ibench import registry
from i2ibench.errors import I2IBenchError
from i2ibench.evaluation.scores import Evaluation, GroupScores, MetricValue
from i2ibench.evaluation.summary import macro_value, pair_value
from i2ibench.files import sha256_bytes
from i2ibench.metrics.interface import Metric, PairMetric, build_metric
from i2ibench.results.agreement_intervals import agreement_of, agreements
from i2ibench.results.build_record import build_result
from i2ibench.results.differences import Discrepancy, number_discrepancies
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.origin import experiment_discrepancies, model_discrepancies
from i2ibench.results.pair_scores import pair_columns, pair_scores_csv
from i2ibench.results.record import MetricRecord, Result

# Means are recomputed from the very same numbers.
_RELATIVE = 1e-9


def contradictions(result: Result, scores: pd.DataFrame | None) -> Iterator[Discrepancy]:
    """Yield what in a record does not follow from the rest of it.

    Args:
        result: whose own seal is intact.
        scores: its scores per pair; None where they are not at hand.
    """
    yield from _status_contradictions(result)
    yield from _cost_contradictions(result)
    yield from model_discrepancies(result)
    if result.experiment is not None:
        yield from experiment_discrepancies(result, result.experiment)
    for where, table in _tables(result):
        for name, record in table.items():
            yield from _record_contradictions(f"{name}{where}", name, record)
    if scores is None:
        if result.pair_scores_sha256 is not None:
            yield Discrepancy("scores per pair", "named by the record, but not there; restore them")
        return
    yield from _score_contradictions(result, scores)


def _tables(result: Result) -> Iterator[tuple[str, Mapping[str, MetricRecord]]]:
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
    made = result.reproduced
    if made is not None and made.pairs != result.dataset.pairs:
        yield Discrepancy("status", f"{made.pairs} of {result.dataset.pairs} pairs reproduced")


def _cost_contradictions(result: Result) -> Iterator[Discrepancy]:
    for key, value in result.cost.model_dump().items():
        if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
            yield Discrepancy(f"cost.{key}", f"{value} is no cost")
    training, seconds = result.training, result.cost.train_seconds
    if training and seconds is not None and seconds <= 0:
        yield Discrepancy("cost.train_seconds", "a training that took no time")
    epochs = [each for each in (training.epochs, training.decay_epochs) if each is not None]
    if training.steps is not None and epochs and sum(epochs) and training.steps % sum(epochs):
        yield Discrepancy(
            "training.steps", f"{training.steps} is no multiple of {sum(epochs)} epochs"
        )


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
    metric = _metric(name)
    if metric is None or not record.signature:
        return
    for what, stated, known in (
        ("unit", record.unit, metric.unit),
        ("direction", record.better, metric.better),
    ):
        if stated != known:
            yield Discrepancy(subject, f"{what} {stated!r}, but that of {name} is {known!r}")


def _score_contradictions(result: Result, scores: pd.DataFrame) -> Iterator[Discrepancy]:
    stated = result.pair_scores_sha256
    if stated is None:
        yield Discrepancy("scores per pair", "the record names no hash of them; that was removed")
    elif sha256_bytes(pair_scores_csv(scores).encode("utf-8")) != stated:
        yield Discrepancy("scores per pair", "not those that the record names by hash")
    if result.dataset.pairs is not None and len(scores) != result.dataset.pairs:
        yield Discrepancy("scores per pair", f"{len(scores)}, of {result.dataset.pairs} pairs")
        return
    columns = metric_columns(scores)
    for name, record in result.metrics.items():
        if name not in columns and record.value is not None and _is_of_pairs(name):
            yield Discrepancy(name, "a value without scores per pair")
    for name in columns:
        if name not in result.metrics:
            yield Discrepancy(name, "scores per pair of a metric that the record does not name")
        else:
            yield from _impossible_scores(name, scores)
    for name, value in agreements(result.metrics, scores).items():
        known = result.metrics[name].value
        if known is not None and not math.isclose(known, value, rel_tol=1e-6, abs_tol=1e-9):
            yield Discrepancy(name, f"value {known:.10g}, {value:.10g} by what was read of pairs")
    again = _recomputed(result, scores)
    yield from number_discrepancies(result, again, dict.fromkeys(result.metrics, _RELATIVE))


def _impossible_scores(name: str, scores: pd.DataFrame) -> Iterator[Discrepancy]:
    """Yield a score that its metric never gives: an infinity, or none at all."""
    metric, values = _metric(name), scores[name].to_numpy(dtype=np.float64)
    may_be_infinite = isinstance(metric, PairMetric) and metric.infinite_when_equal
    may_be_undefined = isinstance(metric, PairMetric) and bool(metric.undefined_means)
    for wrong, allowed, what in (
        (values == -np.inf, False, "-inf"),
        (values == np.inf, may_be_infinite or metric is None, "inf"),
        (np.isnan(values), may_be_undefined or metric is None, "no number"),
    ):
        if wrong.any() and not allowed:
            pair = scores["id"].iloc[int(np.flatnonzero(wrong)[0])]
            yield Discrepancy(f"{name} of pair {pair}", f"{what}, which {name} never is")


def _recomputed(result: Result, scores: pd.DataFrame) -> Result:
    """Return the record with everything that follows from the scores computed again."""
    columns = metric_columns(scores)
    known = {name: _metric(name) for name in columns if name in result.metrics}
    rows = {str(group): part for group, part in scores.groupby("group", sort=False)}

    def values(table: Mapping[str, MetricRecord], part: pd.DataFrame) -> dict[str, MetricValue]:
        found = {name: _as_value(name, record) for name, record in table.items()}
        for name, metric in known.items():
            if name in table and table[name].signature:
                found[name] = _of_pairs(metric, part[name].tolist(), found[name])
        return found

    metrics = values(result.metrics, scores)
    groups = {
        group: GroupScores(len(rows.get(group, ())), values(record.metrics, rows[group]))
        for group, record in result.groups.items()
        if group in rows
    }
    macro = {name: _as_value(name, record) for name, record in result.macro.items()}
    for name, metric in known.items():
        if name in macro and macro[name].signature and metric is not None:
            every = {group: each.metrics[name] for group, each in groups.items()}
            macro[name] = macro_value(metric, every, macro[name].signature)
    evaluation = Evaluation(
        pair_columns=pair_columns(scores),
        metrics=metrics,
        groups=groups,
        macro=macro,
        protocol=result.protocol.id,
        protocol_sha256=result.protocol.sha256,
    )
    return build_result(
        model=result.model,
        dataset=result.dataset,
        evaluation=evaluation,
        intervals=result.intervals,
        cost={},
        seed=result.seed,
        environment={},
        created=result.created,
    )


def _of_pairs(metric: Metric | None, values: list[float], known: MetricValue) -> MetricValue:
    """Return the mean over pairs; of a metric that is not installed by the usual rule."""
    if isinstance(metric, PairMetric):
        return pair_value(metric, values, known.signature)
    defined = [value for value in values if not math.isnan(value)]
    mean = math.fsum(defined) / len(defined) if defined else None
    if mean is not None and math.isinf(mean):
        mean = None
    return replace(known, value=mean, n=len(defined), ci95=None)


def _as_value(name: str, record: MetricRecord) -> MetricValue:
    """Return a recorded value; the interval of an agreement follows from the scores."""
    return MetricValue(
        record.value,
        record.n,
        record.unit,
        record.better,
        record.signature,
        unavailable=record.unavailable,
        ci95=None if agreement_of(name) is not None else record.ci95,
        notes=record.notes,
    )


def _metric(name: str) -> Metric | None:
    """Return the registered metric; None of a plugin that is not installed, or is broken."""
    if name not in registry.metrics:
        return None
    try:
        return build_metric(name)
    except I2IBenchError:
        return None


def _is_of_pairs(name: str) -> bool:
    return isinstance(_metric(name), PairMetric)
