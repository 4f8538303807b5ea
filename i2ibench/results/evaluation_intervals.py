"""Bootstrap intervals for an evaluation: overall, per group and for the macro mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from i2ibench.evaluation.scores import Evaluation, MetricValue
from i2ibench.seeds import derive_seed
from i2ibench.statistics import bootstrap as statistics
from i2ibench.statistics.bootstrap import Codes, Floats, Resampled

Interval = tuple[float, float]
Intervals = dict[str, Interval | None]
# A mean with its interval, where it has one.
Estimate = tuple[float, Interval | None]

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
    made = score_intervals(evaluation.pair_scores, method=method, resamples=resamples, seed=seed)
    return EvaluationIntervals(
        overall=_of_means(made.overall, evaluation.metrics),
        groups={
            group: _of_means(found, evaluation.groups[group].metrics)
            for group, found in made.groups.items()
            if group in evaluation.groups
        },
        macro=_of_means(made.macro, evaluation.macro),
        statement=made.statement,
    )


@dataclass(frozen=True, slots=True)
class ScoreIntervals:
    """Estimates and intervals of mean scores by metric; ``statement`` as in a record."""

    overall: Mapping[str, Estimate]
    groups: Mapping[str, Mapping[str, Estimate]]
    macro: Mapping[str, Estimate]
    statement: dict[str, object]


def score_intervals(
    scores: pd.DataFrame,
    *,
    method: str = statistics.METHOD,
    resamples: int = statistics.RESAMPLES,
    seed: int = 0,
) -> ScoreIntervals:
    """Return 95 % intervals of mean scores from a table of scores per pair.

    Groups are levels of a design: their shares of the pairs would be the same in another sample.
    The mean over all pairs is therefore resampled within them, where no cluster has pairs of two.
    """
    chosen = statistics.METHODS[method]
    names = metric_columns(scores)
    values = scores[names].to_numpy(dtype=np.float64)
    clusters = cluster_codes(scores)
    parts: dict[str, Resampled] = {}
    counts: list[Floats] = []
    for group in sorted(set(scores["group"].dropna())):
        rows = (scores["group"] == group).to_numpy()
        some = None if clusters is None else clusters[rows]
        parts[str(group)] = statistics.resample_means(
            values[rows],
            some,
            # Groups of one size must not be drawn alike: they are independent of each other.
            seed=derive_seed(seed, "group", str(group)) if chosen.within_groups else seed,
            resamples=resamples,
        )
        counts.append(np.isfinite(values[rows]).sum(0).astype(np.float64))
    if chosen.within_groups and _is_designed(scores, clusters):
        total = np.sum(counts, axis=0)
        with np.errstate(invalid="ignore"):
            everything = statistics.combine(
                list(parts.values()), [count / total for count in counts]
            )
    else:
        everything = statistics.resample_means(values, clusters, seed=seed, resamples=resamples)
    macro = _macro(scores, values, clusters, parts, resamples, seed)
    return ScoreIntervals(
        overall=_estimates(names, everything, chosen.bounds),
        groups={group: _estimates(names, part, chosen.bounds) for group, part in parts.items()},
        macro=_estimates(names, macro, chosen.bounds),
        statement={
            "level": statistics.LEVEL,
            "method": method,
            "resamples": resamples,
            "unit": "pair" if clusters is None else "cluster",
            "units": len(values) if clusters is None else len(np.unique(clusters)),
            "seed": seed,
        },
    )


def _is_designed(scores: pd.DataFrame, clusters: Codes | None) -> bool:
    """Whether every pair has a group, of which there are two or more, and no cluster has two."""
    groups = scores["group"]
    if groups.isna().any() or groups.nunique() < 2:
        return False
    return clusters is None or bool(groups.groupby(clusters).nunique().max() == 1)


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


def _estimates(
    names: list[str], resampled: Resampled | None, bounds: statistics.Bounds
) -> dict[str, Estimate]:
    if resampled is None:
        return {}
    estimates = resampled.estimate.tolist()
    return dict(zip(names, zip(estimates, bounds(resampled), strict=True), strict=True))


def _of_means(found: Mapping[str, Estimate], metrics: Mapping[str, MetricValue]) -> Intervals:
    """Return the intervals of metrics that are the mean of their scores per pair."""
    values = {name: metric.value for name, metric in metrics.items()}
    return {name: interval_of(values.get(name), each) for name, each in found.items()}


def interval_of(value: float | None, estimate: Estimate) -> Interval | None:
    """Return the interval if it is of ``value``: an interval of another quantity is a false one."""
    mean, interval = estimate
    is_mean = value is not None and np.isclose(value, mean, rtol=1e-9, atol=1e-12)
    return interval if is_mean else None
