"""Bootstrap intervals for an evaluation: overall, per group and for the macro mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from i2ibench.evaluation.scores import Evaluation, MetricValue
from i2ibench.evaluation.summary import counts_in_macro
from i2ibench.metrics.interface import installed_metric
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
    made = [_of_table(part, chosen, resamples, seed) for part in _by_definedness(scores)]
    clusters = cluster_codes(scores)
    groups = sorted({group for each in made for group in each.groups})
    return ScoreIntervals(
        overall={name: found for each in made for name, found in each.overall.items()},
        groups={
            group: {
                name: found for each in made for name, found in each.groups.get(group, {}).items()
            }
            for group in groups
        },
        macro={name: found for each in made for name, found in each.macro.items()},
        statement={
            "level": statistics.LEVEL,
            "method": method,
            "resamples": resamples,
            "unit": "pair" if clusters is None else "cluster",
            "units": len(scores) if clusters is None else len(np.unique(clusters)),
            "seed": seed,
        },
    )


@dataclass(frozen=True, slots=True)
class _Estimates:
    """Estimates by metric: overall, by group, and of the macro mean."""

    overall: Mapping[str, Estimate]
    groups: Mapping[str, Mapping[str, Estimate]]
    macro: Mapping[str, Estimate]


def _by_definedness(scores: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the metrics that are defined on the same pairs, with these pairs alone.

    A pair on which a metric is undefined is no unit of it: it brings no value and no variance.
    """
    names = metric_columns(scores)
    by_pairs: dict[bytes, list[str]] = {}
    for name in names:
        by_pairs.setdefault(scores[name].notna().to_numpy().tobytes(), []).append(name)
    for some in by_pairs.values():
        rows = scores[some[0]].notna()
        if rows.any():
            yield scores.loc[rows, [*KEYS, *some]]


def _of_table(
    scores: pd.DataFrame, chosen: statistics.Method, resamples: int, seed: int
) -> _Estimates:
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
    macro: dict[str, Estimate] = {}
    for groups, columns in _by_groups_that_count(scores).items():
        of_these = _macro(scores, values, clusters, parts, groups, resamples, seed)
        found = _estimates(names, of_these, chosen.bounds)
        macro.update({name: found[name] for name in columns if name in found})
    return _Estimates(
        overall=_estimates(names, everything, chosen.bounds),
        groups={group: _estimates(names, part, chosen.bounds) for group, part in parts.items()},
        macro=macro,
    )


def _by_groups_that_count(scores: pd.DataFrame) -> dict[tuple[str, ...], list[str]]:
    """Return the metrics by the groups whose mean is their macro mean."""
    sizes = {str(group): len(rows) for group, rows in scores.groupby("group")}
    found: dict[tuple[str, ...], list[str]] = {}
    for name in metric_columns(scores):
        metric = installed_metric(name)
        counted = [group for group, size in sizes.items() if counts_in_macro(metric, size)]
        found.setdefault(tuple(counted), []).append(name)
    return found


def _is_designed(scores: pd.DataFrame, clusters: Codes | None) -> bool:
    """Whether groups can be resampled within themselves, so that they are no part of what varies.

    Every pair has a group, of which there are two or more, each with units enough, and no cluster
    has two groups.
    """
    groups = scores["group"]
    if groups.isna().any() or groups.nunique() < 2:
        return False
    if clusters is not None and groups.groupby(clusters).nunique().max() > 1:
        return False
    units = groups if clusters is None else groups.groupby(clusters).first()
    return bool(units.value_counts().min() >= statistics.FEWEST_IN_GROUP)


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


def level_codes(scores: pd.DataFrame) -> Codes | None:
    """Return a code a pair by group, or None where some pair has none."""
    if scores["group"].isna().any():
        return None
    return np.asarray(pd.factorize(scores["group"])[0], dtype=np.int64)


def _macro(
    scores: pd.DataFrame,
    values: Floats,
    clusters: Codes | None,
    parts: Mapping[str, Resampled],
    groups: Sequence[str],
    resamples: int,
    seed: int,
) -> Resampled | None:
    """Return the mean of ``groups``, each counting the same."""
    if not groups:
        return None
    if clusters is None or scores.groupby(clusters)["group"].nunique().max() <= 1:
        return statistics.combine([parts[group] for group in groups])
    # A cluster with pairs of several groups must move all of them at once: resample clusters, and
    # let every group's mean follow from the same draw.
    by_group = [
        np.where((scores["group"] == group).to_numpy()[:, None], values, np.nan) for group in groups
    ]
    joint = statistics.resample_means(
        np.concatenate(by_group, axis=1), clusters, seed=seed, resamples=resamples
    )

    def mean_of_groups(columns: Floats) -> Floats:
        split = np.stack(np.split(columns, len(groups), axis=-1))
        return np.asarray(split.mean(0), dtype=np.float64)

    deviations = mean_of_groups(joint.deviations)
    return Resampled(
        estimate=mean_of_groups(joint.estimate),
        means=mean_of_groups(joint.means),
        deviations=deviations,
        variance=(joint.units - 1) / joint.units * (deviations**2).sum(0),
        freedom=mean_of_groups(joint.freedom),
        units=min(parts[group].units for group in groups),
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
