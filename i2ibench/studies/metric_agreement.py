"""Which metrics agree with readers: pair by pair, and method by method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from i2ibench.statistics.bootstrap import Floats, resample_means
from i2ibench.statistics.paired_tests import paired_differences
from i2ibench.statistics.percentiles import percentile_interval
from i2ibench.statistics.preferences import strengths_of_tables
from i2ibench.statistics.rank_correlation import spearman, spearman_interval, spearman_of_rows
from i2ibench.studies.estimates import Estimate, share
from i2ibench.studies.key import Key, MetricFacts
from i2ibench.studies.readings import Strengths
from i2ibench.studies.tables_of_answers import REAL, first_sight, units

# Fewer methods have no order worth a correlation.
FEWEST_METHODS = 3
_NONE = Estimate(None, None, 0)


@dataclass(frozen=True, slots=True)
class MetricAgreement:
    """How a metric agrees with readers; scores count as higher the better they are.

    Attributes:
        metric: its name.
        same_choice: share of the comparisons of two methods in which readers prefer the image with
            the better score; 0.5 is chance. A tie on either side is half.
        preference: rank correlation of the difference of two scores with the choice.
        looks_real: rank correlation of a generated image's score with whether it is taken for real.
        level_right: that with how near the level read comes to the slide's.
        method_preference, method_looks_real, method_level_right: rank correlation over the methods:
            of the metric's values with their strengths, with the share that is taken for real, with
            the share whose level is read rightly. The interval is over units, of these methods.
    """

    metric: str
    same_choice: Estimate
    preference: Estimate
    looks_real: Estimate
    level_right: Estimate
    method_preference: Estimate
    method_looks_real: Estimate
    method_level_right: Estimate


def metric_agreements(
    rated: pd.DataFrame, preferred: pd.DataFrame, strengths: Strengths, key: Key
) -> tuple[list[MetricAgreement], list[str]]:
    """Return the agreement of every metric that has a direction, and what is left out."""
    rows, compared = first_sight(rated), first_sight(preferred)
    rows = rows[rows["maker"] != REAL]
    compared = compared[(compared["left"] != REAL) & (compared["right"] != REAL)]
    read = rows[(rows["read"] >= 0) & (rows["truth"] >= 0)]
    by_method = _by_method(rows, read, strengths, list(key.methods))
    found, without = [], []
    for name, facts in sorted(key.metrics.items()):
        if facts.better is None:
            without.append(name)
            continue
        choice, preference = _of_comparisons(compared, facts)
        found.append(
            MetricAgreement(
                name,
                choice,
                preference,
                _of_images(rows, rows["said_real"].to_numpy(dtype=np.float64), facts),
                _of_images(read, -_errors(read), facts),
                *(_of_methods(facts, *each) for each in by_method),
            )
        )
    notes = [f"left out, no direction is better: {', '.join(without)}"] if without else []
    return found, notes


def _errors(read: pd.DataFrame) -> Floats:
    found, truth = (read[column].to_numpy(dtype=np.float64) for column in ("read", "truth"))
    return np.asarray(np.abs(found - truth), dtype=np.float64)


def _scores(facts: MetricFacts, makers: Iterable[str], pairs: Iterable[str]) -> Floats:
    """Return scores that are higher the better, NaN where there is none."""
    sign = 1.0 if facts.better == "higher" else -1.0
    found = [facts.pairs.get(m, {}).get(p) for m, p in zip(makers, pairs, strict=True)]
    return sign * np.array([np.nan if each is None else each for each in found], dtype=np.float64)


def _of_comparisons(rows: pd.DataFrame, facts: MetricFacts) -> tuple[Estimate, Estimate]:
    left, right = (_scores(facts, rows[side], rows["pair"]) for side in ("left", "right"))
    difference = paired_differences(left, right)
    known = ~np.isnan(difference)
    rows, difference = rows[known], difference[known]
    won = rows["left_wins"].to_numpy(dtype=np.float64)
    same = (1 + np.sign(difference) * np.sign(won - 0.5)) / 2
    return share(rows, same), _correlation(rows, difference, won)


def _of_images(rows: pd.DataFrame, said: Floats, facts: MetricFacts) -> Estimate:
    scores = _scores(facts, rows["maker"], rows["pair"])
    known = ~np.isnan(scores)
    return _correlation(rows[known], scores[known], said[known])


def _correlation(rows: pd.DataFrame, first: Floats, second: Floats) -> Estimate:
    value = spearman(first, second)
    if value is None:
        return Estimate(None, None, len(rows))
    return Estimate(value, spearman_interval(first, second, units(rows)), len(rows))


# What readers say of each method, ``(K,)``, in resamples ``(B, K)``, and units; None where nothing.
_OfMethods = tuple["Floats | None", "Floats | None", int, Sequence[str]]


def _by_method(
    rows: pd.DataFrame, read: pd.DataFrame, strengths: Strengths, methods: Sequence[str]
) -> list[_OfMethods]:
    """Return strengths, shares taken for real, and shares of levels read rightly."""
    real = rows["said_real"].to_numpy(dtype=np.float64)
    right = (_errors(read) == 0).astype(np.float64)
    return [
        _strengths_of(strengths, methods),
        _shares_of(rows, real, methods),
        _shares_of(read, right, methods),
    ]


def _strengths_of(strengths: Strengths, methods: Sequence[str]) -> _OfMethods:
    places = [strengths.makers.index(each) for each in methods if each in strengths.makers]
    if strengths.resampled is None or len(places) < len(methods):
        return None, None, 0, methods
    values = np.array([strengths.strength[i].value for i in places], dtype=np.float64)
    return values, strengths_of_tables(strengths.resampled)[:, places], strengths.units, methods


def _shares_of(rows: pd.DataFrame, values: Floats, methods: Sequence[str]) -> _OfMethods:
    if not len(rows):
        return None, None, 0, methods
    makers = rows["maker"].to_numpy()
    columns = np.stack([np.where(makers == each, values, np.nan) for each in methods], axis=1)
    made = resample_means(columns, units(rows), seed=0)
    return made.estimate, made.means, made.units, methods


def _of_methods(
    facts: MetricFacts,
    values: Floats | None,
    resampled: Floats | None,
    size: int,
    methods: Sequence[str],
) -> Estimate:
    """Return the rank correlation over the methods that have a value of the metric."""
    if values is None or resampled is None:
        return _NONE
    sign = 1.0 if facts.better == "higher" else -1.0
    given: Mapping[str, float | None] = facts.methods
    of_metric = np.array(
        [np.nan if given[each] is None else given[each] for each in methods], dtype=np.float64
    )
    known = ~np.isnan(of_metric) & ~np.isnan(values)
    number = int(known.sum())
    if number < FEWEST_METHODS:
        return Estimate(None, None, number)
    scores = sign * of_metric[known]
    value = spearman(scores, values[known])
    if value is None:
        return Estimate(None, None, number)
    found = percentile_interval(value, spearman_of_rows(scores, resampled[:, known]), size)
    interval = None if found is None else (max(-1.0, found[0]), min(1.0, found[1]))
    return Estimate(value, interval, number)
