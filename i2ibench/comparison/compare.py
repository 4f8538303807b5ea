"""Whether methods differ, on the same pairs under the same definitions: paired statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from i2ibench.comparison.common_pairs import aligned, common_metrics, common_signature
from i2ibench.comparison.differences import PairedDifference, method_differences
from i2ibench.comparison.methods import read_methods
from i2ibench.errors import UsageError
from i2ibench.evaluation.scores import Better
from i2ibench.notebook import Printed, Table
from i2ibench.registry import unknown_name
from i2ibench.results.evaluation_intervals import cluster_codes
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.statistics.bootstrap import finite_mean
from i2ibench.statistics.paired_tests import paired_differences

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Extreme:
    """A pair on which two methods differ most: its id and both scores, means over seeds."""

    first: str
    second: str
    metric: str
    pair: str
    scores: tuple[float, float]


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Printed):
    """All paired differences, overall (``""``) and by group, and the pairs that differ most.

    ``means`` are, by label and metric, the mean over seeds and the pairs on which the metric is
    defined for this method, and how many these are. ``notes`` say what a reader must know: metrics
    left out, what was resampled.
    """

    labels: tuple[str, ...]
    seeds: Mapping[str, int]
    signatures: Mapping[str, str]
    better: Mapping[str, Better | None]
    means: Mapping[str, Mapping[str, tuple[float, int]]]
    sets: Mapping[str, tuple[PairedDifference, ...]]
    extremes: tuple[Extreme, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values; an infinite score is the text ``"inf"``."""
        return {
            "methods": list(self.labels),
            "seeds": dict(self.seeds),
            "signatures": dict(self.signatures),
            "means": {
                label: {metric: _json_value(mean) for metric, mean in known.items()}
                for label, known in self.means.items()
            },
            "sets": {
                name or "all": [_json(difference) for difference in found]
                for name, found in self.sets.items()
            },
            "extremes": [_json(extreme) for extreme in self.extremes],
            "notes": list(self.notes),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a difference: its set of pairs, then what ``PairedDifference`` says."""
        from i2ibench.comparison.tables import comparison_frame

        return comparison_frame(self)

    def _lines(self) -> Sequence[str]:
        from i2ibench.comparison.tables import comparison_lines

        return comparison_lines(self)

    def _tables(self) -> Iterable[Table]:
        from i2ibench.comparison.tables import COLUMNS_NOTE, comparison_tables

        yield from comparison_tables(self)
        yield "", ["what to know"], [[note] for note in (COLUMNS_NOTE, *self.notes)]


def compare(
    methods: Sequence[ScoredMethod | str | Path],
    metrics: str | Sequence[str] | None = None,
    *,
    extremes: int = 3,
    margins: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare two or more methods over their seeds and pairs.

    >>> copy = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> mean = i2ibench.run(model="mean-colour", dataset="my-data", device="cpu")
    >>> found = i2ibench.compare([copy.folder, mean.folder], ["psnr"])
    >>> found.labels
    ('copy', 'mean-colour')

    Args:
        methods: with their scores per pair, or paths as ``read_methods`` takes them: run folders,
            results, entries of boards, tables of scores.
        metrics: names; by default all that every method has.
        extremes: how many pairs to name for each two methods, metric and direction.
        margins: by metric, the difference below which two methods count as equal; > 0. They add
            to those of the protocol that all methods were scored under, and go before them.

    Raises:
        UsageError: fewer than two methods, two of one label, a metric that not all have, a margin
            of a metric that is not compared.
        DataError: other pairs, other data, or other definitions of a metric; says what differs.
    """
    if isinstance(methods, str | Path):
        methods = [methods]
    if isinstance(metrics, str):
        metrics = metrics.split(",")
    given = [each for each in methods if isinstance(each, ScoredMethod)]
    paths = [each for each in methods if not isinstance(each, ScoredMethod)]
    return _compared([*read_methods(paths), *given], metrics, extremes, margins)


def _compared(
    methods: Sequence[ScoredMethod],
    metrics: Sequence[str] | None,
    extremes: int,
    margins: Mapping[str, float] | None,
) -> Comparison:
    if len(methods) < 2:
        joined = len(methods) == 1 and len(methods[0].seed_tables) > 1
        seeds = " (runs that differ in their seed alone are one method)" if joined else ""
        raise UsageError(
            f"a comparison needs at least two methods{seeds}; give runs of two or more"
        )
    labels = [method.label for method in methods]
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise UsageError(
            f"two of the methods are called {repeated[0]!r}; they are one and the same"
        )
    methods = aligned(methods)
    chosen, notes = common_metrics(methods, metrics)
    margins = {**_of_protocol(methods, chosen), **_checked(margins or {}, chosen)}
    signatures = {name: common_signature(methods, name) for name in chosen}
    scores = methods[0].scores
    clusters = cluster_codes(scores)
    groups = sorted(set(scores["group"].dropna()))
    sets = {"": np.ones(len(scores), dtype=bool)}
    sets.update({str(group): (scores["group"] == group).to_numpy() for group in groups})
    unit = "pairs" if clusters is None else "clusters (slides or patients), whose pairs depend"
    notes += _reading(methods, unit)
    return Comparison(
        labels=tuple(labels),
        seeds={method.label: len(method.seed_tables) for method in methods},
        signatures=signatures,
        better={name: methods[0].better.get(name) for name in chosen},
        means={each.label: {name: _own_mean(each, name) for name in chosen} for each in methods},
        sets={
            name: tuple(method_differences(methods, chosen, rows, clusters, margins))
            for name, rows in sets.items()
        },
        extremes=tuple(_extremes(methods, chosen, extremes)),
        notes=tuple(notes),
    )


def _own_mean(method: ScoredMethod, metric: str) -> tuple[float, int]:
    """Return the mean over seeds and pairs with a value in each seed, and the number of these."""
    scores = method.seed_scores(metric)
    known = ~np.isnan(scores).any(0)
    return finite_mean(scores[:, known].ravel()), int(known.sum())


def _of_protocol(methods: Sequence[ScoredMethod], metrics: Sequence[str]) -> dict[str, float]:
    """Return the margins that the methods' one protocol says beforehand; none of two protocols."""
    first = methods[0].margins
    if any(method.margins != first for method in methods):
        return {}
    return {name: margin for name, margin in first.items() if name in metrics}


def _reading(methods: Sequence[ScoredMethod], unit: str) -> list[str]:
    """Return what a reader of the tables must know."""
    notes = [
        f"Intervals and tests are over seeds and {unit}. p: the test over seeds and units, Holm "
        "over each table. Verdict: which is better where p < 0.05, and whether they are equal "
        "within a margin (TOST at 5 %, each by itself)."
    ]
    weights = [method.label for method in methods if not method.is_method]
    if weights:
        notes.append(
            f"One set of weights: {', '.join(weights)}. A claim that names them is about these "
            "weights, not about their methods; give runs of other seeds for that."
        )
    return notes


def _checked(margins: Mapping[str, float], metrics: Sequence[str]) -> Mapping[str, float]:
    for name, margin in margins.items():
        if name not in metrics:
            raise UsageError(unknown_name("metric to give a margin", name, list(metrics)))
        if not 0 < margin < np.inf:
            raise UsageError(f"the margin of {name} is {margin:g}; give a number above 0")
    return margins


def _extremes(methods: Sequence[ScoredMethod], metrics: Sequence[str], count: int) -> list[Extreme]:
    found: list[Extreme] = []
    for a, b in combinations(methods, 2):
        for metric in metrics:
            first, second = a.seed_scores(metric).mean(0), b.seed_scores(metric).mean(0)
            difference = paired_differences(first, second)
            order = [i for i in np.argsort(difference, kind="stable") if difference[i] != 0]
            order = [i for i in order if not np.isnan(difference[i])]
            chosen = [i for i in order[::-1][:count] if difference[i] > 0]
            chosen += [i for i in order[:count] if difference[i] < 0]
            ids = a.scores["id"]
            found += [
                Extreme(a.label, b.label, metric, str(ids[i]), (float(first[i]), float(second[i])))
                for i in chosen
            ]
    return found


def _json(found: PairedDifference | Extreme) -> dict[str, Any]:
    return {name: _json_value(getattr(found, name)) for name in found.__dataclass_fields__}


def _json_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, float) and np.isnan(value):
        return None  # of pairs on which the metric is undefined
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
