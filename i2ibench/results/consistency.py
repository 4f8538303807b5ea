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

from i2ibench.evaluation.scores import Evaluation, GroupScores, MetricValue
from i2ibench.evaluation.summary import macro_value, pair_value
from i2ibench.metrics.interface import Metric, PairMetric
from i2ibench.results.agreement_intervals import agreement_of, agreements, unreadable
from i2ibench.results.build_record import can_make_intervals, recomputed_result
from i2ibench.results.differences import Discrepancy, number_discrepancies
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.own_contradictions import (
    known_metric,
    outside,
    own_contradictions,
    tables_of,
)
from i2ibench.results.pair_scores import pair_columns, pair_scores_sha256
from i2ibench.results.record import MetricRecord, Result

# Means are recomputed from the very same numbers.
_RELATIVE = 1e-9


def contradictions(result: Result, scores: pd.DataFrame | None) -> Iterator[Discrepancy]:
    """Yield what in a record does not follow from the rest of it.

    Args:
        result: whose own seal is intact.
        scores: its scores per pair; None where they are not at hand.
    """
    yield from own_contradictions(result)
    if result.dataset.limit is not None:
        yield Discrepancy("limit", f"of the first {result.dataset.limit} pairs alone")
    if result.dataset.manifest_sha256 is None:
        yield Discrepancy("data", "the record names no hash of its pairs; that was removed")
    if result.intervals and not can_make_intervals(result.intervals):
        yield Discrepancy("intervals", f"of a method unknown here, {result.intervals.method!r}")
    if scores is None:
        yield Discrepancy("scores per pair", "not beside the record; restore them")
        return
    yield from _score_contradictions(result, scores)


def _score_contradictions(result: Result, scores: pd.DataFrame) -> Iterator[Discrepancy]:
    stated = result.pair_scores_sha256
    if stated is None:
        yield Discrepancy("scores per pair", "the record names no hash of them; that was removed")
    elif pair_scores_sha256(scores) != stated:
        yield Discrepancy("scores per pair", "not those that the record names by hash")
    if result.dataset.pairs is not None and len(scores) != result.dataset.pairs:
        yield Discrepancy("scores per pair", f"{len(scores)}, of {result.dataset.pairs} pairs")
        return
    if not len(scores):
        yield Discrepancy("scores per pair", "none")
        return
    columns = metric_columns(scores)
    groups = {str(group): part for group, part in scores.groupby("group")}
    if {*groups} != {*result.groups}:
        yield Discrepancy(
            "groups",
            f"{', '.join(result.groups) or 'none'}, of scores {', '.join(groups) or 'none'}",
        )
        return
    for where, table in tables_of(result):
        absent = [name for name in columns if name in result.metrics and name not in table]
        if absent and (table or result.groups):  # without groups there is no macro mean
            yield Discrepancy(f"{absent[0]}{where}", "not in the record")
            return
    for name, record in result.metrics.items():
        if name in columns and not record.signature:
            yield Discrepancy(name, "no value, though its scores per pair are there")
        if name not in columns and record.value is not None and _is_of_pairs(name):
            yield Discrepancy(name, "a value without scores per pair")
    for name in columns:
        if name not in result.metrics:
            yield Discrepancy(name, "scores per pair of a metric that the record does not name")
        else:
            yield from _impossible_scores(name, scores)
    yield from (Discrepancy(name, "no reading of a group") for name in unreadable(columns, scores))
    for name, value in agreements(result.metrics, scores).items():
        known = result.metrics[name].value
        if known is not None and not math.isclose(known, value, rel_tol=1e-6, abs_tol=1e-9):
            yield Discrepancy(name, f"value {known:.10g}, {value:.10g} by what was read of pairs")
    again = _recomputed(result, scores, groups)
    yield from number_discrepancies(result, again, dict.fromkeys(result.metrics, _RELATIVE))


def _impossible_scores(name: str, scores: pd.DataFrame) -> Iterator[Discrepancy]:
    """Yield a score that its metric never gives: an infinity, or none at all."""
    metric, values = known_metric(name), scores[name].to_numpy(dtype=np.float64)
    may_be_infinite = isinstance(metric, PairMetric) and metric.infinite_when_equal
    may_be_undefined = isinstance(metric, PairMetric) and bool(metric.undefined_means)
    for wrong, allowed, what in (
        (values == -np.inf, False, "-inf"),
        (values == np.inf, may_be_infinite or metric is None, "inf"),
        (np.isnan(values), may_be_undefined or metric is None, "no number"),
        (outside(values, metric), metric is None, "outside its range"),
    ):
        if wrong.any() and not allowed:
            pair = scores["id"].iloc[int(np.flatnonzero(wrong)[0])]
            yield Discrepancy(f"{name} of pair {pair}", f"{what}, which {name} never is")


def _recomputed(result: Result, scores: pd.DataFrame, rows: Mapping[str, pd.DataFrame]) -> Result:
    """Return the record with everything that follows from the scores computed again.

    ``rows``: the scores of each of its groups.
    """
    columns = metric_columns(scores)
    known = {name: known_metric(name) for name in columns if name in result.metrics}

    def values(table: Mapping[str, MetricRecord], part: pd.DataFrame) -> dict[str, MetricValue]:
        found = {name: _as_value(name, record) for name, record in table.items()}
        for name, metric in known.items():
            if name in table and table[name].signature:
                found[name] = _of_pairs(metric, part[name].tolist(), found[name])
        return found

    metrics = values(result.metrics, scores)
    groups = {
        group: GroupScores(len(rows[group]), values(record.metrics, rows[group]))
        for group, record in result.groups.items()
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
    return recomputed_result(result, evaluation)


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


def _is_of_pairs(name: str) -> bool:
    return isinstance(known_metric(name), PairMetric)
