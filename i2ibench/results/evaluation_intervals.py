"""Bootstrap intervals for an evaluation: overall, per group and for the macro mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from i2ibench.evaluation.scores import Evaluation, MetricValue
from i2ibench.statistics import bootstrap as statistics
from i2ibench.statistics.bootstrap import Codes, Floats, Resampled

Interval = tuple[float, float]
Intervals = dict[str, Interval | None]

# Columns of a table of pair scores that are not metrics.
KEYS = ("id", "group", "cluster")


@dataclass(frozen=True, slots=True)
class EvaluationIntervals:
    """Intervals by metric, and the words that say how they were made."""

    overall: Intervals
    groups: Mapping[str, Intervals]
    macro: Intervals
    statement: dict[str, object]


def metric_columns(pair_scores: pd.DataFrame) -> list[str]:
    """The names of the pair metrics in a table of pair scores."""
    return [str(name) for name in pair_scores.columns if name not in KEYS]


def evaluation_intervals(
    evaluation: Evaluation,
    *,
    method: str = statistics.METHOD,
    resamples: int = statistics.RESAMPLES,
    seed: int = 0,
) -> EvaluationIntervals:
    """Return 95 % intervals of every metric that is the mean of its values per pair.

    A metric that is something else than that mean (a correlation, a distance of sets) gets none
    here: an interval of another quantity would be a false one.

    Args:
        evaluation: with its values per pair.
        method: one of ``statistics.bootstrap.METHODS``.
        resamples: number of bootstrap resamples.
        seed: of the resampling.
    """
    scores = evaluation.pair_scores
    names = metric_columns(scores)
    values = scores[names].to_numpy(dtype=np.float64)
    clusters = cluster_codes(scores)
    everything = statistics.resample_means(values, clusters, seed=seed, resamples=resamples)
    parts: dict[str, Resampled] = {}
    for group in evaluation.groups:
        rows = (scores["group"] == group).to_numpy()
        some = None if clusters is None else clusters[rows]
        parts[group] = statistics.resample_means(values[rows], some, seed=seed, resamples=resamples)
    macro = _macro(scores, values, clusters, parts, resamples, seed)
    bounds = statistics.METHODS[method]
    return EvaluationIntervals(
        overall=_intervals(names, everything, evaluation.metrics, bounds),
        groups={
            group: _intervals(names, part, evaluation.groups[group].metrics, bounds)
            for group, part in parts.items()
        },
        macro=_intervals(names, macro, evaluation.macro, bounds),
        statement={
            "level": statistics.LEVEL,
            "method": method,
            "resamples": resamples,
            "unit": "pair" if clusters is None else "cluster",
            "units": everything.units,
            "seed": seed,
        },
    )


def cluster_codes(scores: pd.DataFrame) -> Codes | None:
    """Return a code a pair by cluster, or None where no pair has a cluster.

    A pair without a cluster among pairs that have one is a cluster of its own.
    """
    clusters = scores["cluster"]
    if clusters.isna().all():
        return None
    alone = "\x00" + scores["id"].astype(str)
    codes, _ = pd.factorize(clusters.where(clusters.notna(), alone))
    return np.asarray(codes, dtype=np.int64)


def _macro(
    scores: pd.DataFrame,
    values: Floats,
    clusters: Codes | None,
    parts: Mapping[str, Resampled],
    resamples: int,
    seed: int,
) -> Resampled | None:
    if not parts:
        return None
    if clusters is None or scores.groupby(clusters)["group"].nunique().max() <= 1:
        return statistics.combine(list(parts.values()))
    # A cluster with pairs of several groups must move all of them at once: resample clusters, and
    # let every group's mean follow from the same draw.
    by_group = [
        np.where((scores["group"] == group).to_numpy()[:, None], values, np.nan) for group in parts
    ]
    joint = statistics.resample_means(
        np.concatenate(by_group, axis=1), clusters, seed=seed, resamples=resamples
    )

    def mean_of_groups(columns: Floats) -> Floats:
        split = np.stack(np.split(columns, len(parts), axis=-1))
        return np.asarray(split.mean(0), dtype=np.float64)

    deviations = mean_of_groups(joint.deviations)
    return Resampled(
        estimate=mean_of_groups(joint.estimate),
        means=mean_of_groups(joint.means),
        deviations=deviations,
        variance=(joint.units - 1) / joint.units * (deviations**2).sum(0),
        freedom=mean_of_groups(joint.freedom),
        units=min(part.units for part in parts.values()),
    )


def _intervals(
    names: list[str],
    resampled: Resampled | None,
    metrics: Mapping[str, MetricValue],
    bounds: statistics.Bounds,
) -> Intervals:
    if resampled is None:
        return {}
    found: Intervals = {}
    for name, estimate, interval in zip(names, resampled.estimate, bounds(resampled), strict=True):
        metric = metrics.get(name)
        is_mean = (
            metric is not None
            and metric.value is not None
            and np.isclose(metric.value, estimate, rtol=1e-9, atol=1e-12)
        )
        found[name] = interval if is_mean else None
    return found
