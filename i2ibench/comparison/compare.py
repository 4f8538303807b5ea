"""Whether methods differ, on the same pairs under the same definitions: paired statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from i2ibench.comparison.common_pairs import aligned, common_metrics, common_signature
from i2ibench.errors import UsageError
from i2ibench.evaluation.scores import Better
from i2ibench.results.evaluation_intervals import cluster_codes
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.statistics.bootstrap import Codes, Floats, finite_mean, mean_intervals
from i2ibench.statistics.paired_tests import (
    SIGNIFICANCE,
    holm,
    is_separated,
    paired_differences,
    rank_biserial,
    signed_rank_p,
)


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """What the pairs say about two methods and one metric.

    Attributes:
        first, second: labels of the methods.
        metric: its name.
        means: mean score of both.
        difference: mean of first minus second, pair by pair; infinite where it is so on every pair.
        ci95: interval of ``difference``; None of too few units.
        p_value: of the two-sided Wilcoxon signed-rank test over pairs or cluster means.
        p_holm: corrected over all tests of one set of pairs (Holm 1979).
        effect: matched-pairs rank-biserial correlation (Kerby 2014): 1 where the first method has
            the higher score on every pair (or cluster), -1 where the second has, 0 for balance.
        win_rate: share of pairs on which the first method is better, ties counting half; None for
            metrics without a direction.
        n: pairs; ``units``: what was resampled and tested, pairs or clusters.
    """

    first: str
    second: str
    metric: str
    means: tuple[float, float]
    difference: float
    ci95: tuple[float, float] | None
    p_value: float
    p_holm: float
    effect: float
    win_rate: float | None
    n: int
    units: int

    @property
    def proven(self) -> bool:
        """Whether mean and ranks both say, in one direction, that the methods differ."""
        return is_separated(self.difference, self.ci95, self.p_holm, self.effect)

    @property
    def split(self) -> bool:
        """Whether the ranks prove a difference, but the mean does not confirm it."""
        return self.p_holm < SIGNIFICANCE and not self.proven


@dataclass(frozen=True, slots=True)
class Extreme:
    """A pair on which two methods differ most: its id and both scores."""

    first: str
    second: str
    metric: str
    pair: str
    scores: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All paired differences, overall (``""``) and by group, and the pairs that differ most.

    ``notes`` say what a reader must know: metrics left out, what was resampled.
    """

    labels: tuple[str, ...]
    signatures: Mapping[str, str]
    better: Mapping[str, Better | None]
    sets: Mapping[str, tuple[PairedDifference, ...]]
    extremes: tuple[Extreme, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values; an infinite score is the text ``"inf"``."""
        return {
            "methods": list(self.labels),
            "signatures": dict(self.signatures),
            "sets": {
                name or "all": [_json(difference) for difference in found]
                for name, found in self.sets.items()
            },
            "extremes": [_json(extreme) for extreme in self.extremes],
            "notes": list(self.notes),
        }


def compare(
    methods: Sequence[ScoredMethod], metrics: Sequence[str] | None = None, *, extremes: int = 3
) -> Comparison:
    """Compare two or more methods pair by pair.

    Args:
        methods: with their scores per pair.
        metrics: names; by default all that every method has.
        extremes: how many pairs to name for each two methods, metric and direction.

    Raises:
        UsageError: fewer than two methods, two of one label, a metric that not all have.
        DataError: other pairs, other data, or other definitions of a metric; says what differs.
    """
    if len(methods) < 2:
        raise UsageError("a comparison needs at least two methods; give two or more runs")
    labels = [method.label for method in methods]
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise UsageError(
            f"two of the methods are called {repeated[0]!r}; they are one and the same"
        )
    methods = aligned(methods)
    chosen, notes = common_metrics(methods, metrics)
    signatures = {name: common_signature(methods, name) for name in chosen}
    scores = methods[0].scores
    clusters = cluster_codes(scores)
    groups = sorted(set(scores["group"].dropna()))
    sets = {"": np.ones(len(scores), dtype=bool)}
    sets.update({str(group): (scores["group"] == group).to_numpy() for group in groups})
    unit = "pairs" if clusters is None else "clusters (slides or patients), whose pairs depend"
    notes.append(
        f"Intervals and tests are over {unit}. p: Wilcoxon signed-rank, Holm over each table. "
        "Effect: rank-biserial correlation. Wins: pairs on which a is better. Better: "
        "proven by the mean and by the ranks; split: the ranks prove what the mean does not."
    )
    return Comparison(
        labels=tuple(labels),
        signatures=signatures,
        better={name: methods[0].better.get(name) for name in chosen},
        sets={
            name: tuple(_differences(methods, chosen, rows, clusters))
            for name, rows in sets.items()
        },
        extremes=tuple(_extremes(methods, chosen, extremes)),
        notes=tuple(notes),
    )


def _differences(
    methods: Sequence[ScoredMethod],
    metrics: Sequence[str],
    rows: np.ndarray,
    clusters: Codes | None,
) -> list[PairedDifference]:
    codes = None if clusters is None else clusters[rows]
    tests = [(a, b, m) for a, b in combinations(methods, 2) for m in metrics]
    firsts = [_column(a.scores, m)[rows] for a, _, m in tests]
    seconds = [_column(b.scores, m)[rows] for _, b, m in tests]
    differences = paired_differences(np.stack(firsts, axis=1), np.stack(seconds, axis=1))
    intervals = mean_intervals(differences, codes)
    p_values, effects = signed_rank_p(differences, codes), rank_biserial(differences, codes)
    units = int(rows.sum()) if codes is None else len(np.unique(codes))
    found = []
    for index, (corrected, (a, b, metric)) in enumerate(zip(holm(p_values), tests, strict=True)):
        difference = differences[:, index]
        found.append(
            PairedDifference(
                first=a.label,
                second=b.label,
                metric=metric,
                means=(finite_mean(firsts[index]), finite_mean(seconds[index])),
                difference=finite_mean(difference),
                ci95=intervals[index],
                p_value=p_values[index],
                p_holm=corrected,
                effect=effects[index],
                win_rate=_win_rate(difference, a.better.get(metric)),
                n=int(rows.sum()),
                units=units,
            )
        )
    return found


def _win_rate(differences: Floats, better: Better | None) -> float | None:
    if better is None:
        return None
    signed = differences if better == "higher" else -differences
    return float(np.mean(signed > 0) + np.mean(signed == 0) / 2)


def _extremes(methods: Sequence[ScoredMethod], metrics: Sequence[str], count: int) -> list[Extreme]:
    found: list[Extreme] = []
    for a, b in combinations(methods, 2):
        for metric in metrics:
            first, second = _column(a.scores, metric), _column(b.scores, metric)
            difference = paired_differences(first, second)
            order = np.argsort(difference, kind="stable")
            chosen = [i for i in order[::-1][:count] if difference[i] > 0]
            chosen += [i for i in order[:count] if difference[i] < 0]
            ids = a.scores["id"]
            found += [
                Extreme(a.label, b.label, metric, str(ids[i]), (float(first[i]), float(second[i])))
                for i in chosen
            ]
    return found


def _column(scores: pd.DataFrame, metric: str) -> Floats:
    return np.asarray(scores[metric].to_numpy(dtype=np.float64))


def _json(found: PairedDifference | Extreme) -> dict[str, Any]:
    return {name: _json_value(getattr(found, name)) for name in found.__dataclass_fields__}


def _json_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json_value(each) for each in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
