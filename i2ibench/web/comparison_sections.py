"""The sections of a comparison's page: standings, means, and differences as dot plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from i2ibench.comparison.compare import Comparison
from i2ibench.comparison.differences import PairedDifference
from i2ibench.comparison.tables import differs, probability
from i2ibench.metrics.presentation import column_title
from i2ibench.results.cells import NumberCell
from i2ibench.statistics.bootstrap import FEWEST_UNITS
from i2ibench.web.charts import Interval, interval_bar, shared_scale
from i2ibench.wording import count

# Metrics whose differences are open when the page is; the others fold out.
OPEN = 3


def standing(comparison: Comparison, metric: str) -> dict[str, Any]:
    """Return the methods by their mean, each with those that it is surely better than or equal to.

    Of a metric without a direction nothing is better.
    """
    better: dict[str, list[str]] = {}
    equal: dict[str, list[str]] = {}
    for found in _overall(comparison):
        direction = comparison.better.get(metric)
        if found.metric != metric or direction is None:
            continue
        pair = [found.first, found.second]
        if found.proven:
            first_wins = (found.difference > 0) == (direction == "higher")
            winner, other = pair if first_wins else pair[::-1]
            better.setdefault(winner, []).append(other)
        if found.equal:
            for one, other in (pair, pair[::-1]):
                equal.setdefault(one, []).append(f"{other} (within {found.margin:g})")
    sign = -1.0 if comparison.better.get(metric) == "higher" else 1.0
    rows = [
        (label, comparison.means[label][metric][0], better.get(label, []), equal.get(label, []))
        for label in comparison.labels
    ]
    rows.sort(key=lambda row: (math.isnan(row[1]), sign * row[1]))
    return {
        "title": column_title(metric, comparison.better.get(metric)),
        "rows": [(label, _cell(mean, metric).text, wins, same) for label, mean, wins, same in rows],
    }


def _cell(value: float, metric: str) -> NumberCell:
    return NumberCell(None if math.isnan(value) else value, metric)


def _overall(comparison: Comparison) -> tuple[PairedDifference, ...]:
    return comparison.sets[""]


def means_table(comparison: Comparison, metrics: Sequence[str]) -> dict[str, Any]:
    """Return header and rows: a row a method with its seeds, and a cell a metric.

    With each cell whether it is the best, and its pairs where methods have other numbers of them.
    """
    columns = []
    for name in metrics:
        means = [comparison.means[label][name] for label in comparison.labels]
        defined = {mean for mean, _ in means if not math.isnan(mean)}
        better = comparison.better.get(name)
        # Where all are equal none is the best.
        best = None
        if better is not None and len(defined) > 1:
            best = (max if better == "higher" else min)(defined)
        told = differs(comparison, name)
        columns.append(
            [
                (_cell(mean, name), mean == best, count(pairs, "pair") if told else "")
                for mean, pairs in means
            ]
        )
    return {
        "header": [column_title(name, comparison.better.get(name)) for name in metrics],
        "rows": [
            (label, comparison.seeds[label], [column[index] for column in columns])
            for index, label in enumerate(comparison.labels)
        ],
    }


def differences_of(
    comparison: Comparison, metric: str, index: int, levels: Sequence[str]
) -> dict[str, Any]:
    """Return the differences of one metric: over all pairs, then by level, on one scale.

    ``levels`` are those of the comparison in the order in which a reader expects them.
    """
    sets = {
        name: [each for each in comparison.sets[name] if each.metric == metric]
        for name in ("", *levels)
    }
    every = [each for found in sets.values() for each in found]
    margins = [each.margin for each in every if each.margin is not None]
    numbers = [n for each in every for n in (each.difference, *(each.ci95 or ()))]
    scale = shared_scale([*numbers, *margins], around=0.0)
    by_level = [(name, [_row(each, comparison, scale) for each in sets[name]]) for name in levels]
    # Of two methods every level has one row, so that all fit one table.
    alone = [{**row, "name": name} for name, rows in by_level for row in rows]
    return {
        "title": column_title(metric, comparison.better.get(metric)),
        "metric": metric,
        "open": index < OPEN,
        "margin": None if not margins else f"{margins[0]:g}",
        "scale": tuple(NumberCell(each, metric, style="signed").text for each in scale),
        "all": [_row(each, comparison, scale) for each in sets[""]],
        "levels": by_level,
        "by_level": alone if len(comparison.labels) == 2 else [],
    }


def _row(found: PairedDifference, comparison: Comparison, scale: Interval) -> dict[str, Any]:
    largest = max(abs(mean) for mean in found.means)
    known = None if math.isnan(found.difference) else found.difference
    return {
        "name": f"{found.first} − {found.second}",
        "cell": NumberCell(known, found.metric, found.ci95, like=largest, style="signed"),
        "n": found.n,
        "p": probability(found.p_holm),
        "improvement": "" if found.improvement is None else f"{found.improvement:.2f}",
        "verdict": _verdict(found, comparison),
        "kind": "equal" if found.equal else "sure" if found.proven else "",
        "bar": interval_bar(known, found.ci95, scale, zero=0.0, margin=found.margin),
    }


def _verdict(found: PairedDifference, comparison: Comparison) -> str:
    words = []
    better = comparison.better.get(found.metric)
    if found.proven and better is not None:
        wins = (found.difference > 0) == (better == "higher")
        words.append(f"{found.first if wins else found.second} is better")
    elif found.proven:
        words.append("they differ")
    if found.equal:
        words.append(f"equal within {found.margin:g}")
    if not words:
        return _undecided(found)
    return " and ".join(words) + ("" if found.about_methods else " (these weights)")


def _undecided(found: PairedDifference) -> str:
    """Return why neither is better: a small p says nothing where there are too few units."""
    if not found.units:
        return "undefined on every pair"
    if found.units < FEWEST_UNITS:
        unit = "pairs" if found.units == found.n else "slides or patients"
        return f"too few {unit} to say: {found.units}, and {FEWEST_UNITS} are needed"
    return "cannot be told apart"
