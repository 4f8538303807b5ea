"""A comparison as plain tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from i2ibench import wording
from i2ibench.comparison.compare import Comparison
from i2ibench.comparison.differences import PairedDifference
from i2ibench.results.cells import NumberCell
from i2ibench.wording import count, some

if TYPE_CHECKING:
    import pandas as pd

Table = tuple[str, list[str], list[list[str]]]

_HEADER = ["metric", "a - b", "mean", "95 %", "p", "effect", "P(a)", "verdict"]
# What the columns of these tables are, beside what ``Comparison.notes`` says of its numbers.
COLUMNS_NOTE = (
    "Effect: rank-biserial correlation. P(a): probability that a is better on a pair; a and b are "
    "methods by their number."
)


def comparison_tables(comparison: Comparison) -> Iterator[Table]:
    """Yield title, header and rows: the methods, all pairs, each group, the greatest differences.

    Methods go by their number in the first table; the mean is that of a less b.
    """
    yield _methods(comparison)
    for name, found in comparison.sets.items():
        pairs = max((each.n for each in found), default=0)  # of the metric defined on most
        title = f"group {name}, {pairs} pairs" if name else f"all {pairs} pairs"
        yield title, _HEADER, [_row(difference, comparison, pairs) for difference in found]
    if comparison.extremes:
        header = ["metric", "a - b", "pair", "a", "b"]
        rows = [
            [
                extreme.metric,
                _numbers(comparison, extreme.first, extreme.second),
                extreme.pair,
                *(NumberCell(score, extreme.metric).text for score in extreme.scores),
            ]
            for extreme in comparison.extremes
        ]
        yield "pairs that differ most", header, rows


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return the methods, what was compared, and the verdicts over all pairs."""
    overall = comparison.sets[""]
    methods = [f"{number} {label}" for number, label in enumerate(comparison.labels, start=1)]
    pairs = max((each.n for each in overall), default=0)
    groups = [name for name in comparison.sets if name]
    within = f", and within {', '.join(groups)}" if groups else ""
    proven = [words for each in overall if (words := _winner(each, comparison))]
    return [
        ", ".join(methods),
        f"{', '.join(comparison.signatures)} over {count(pairs, 'pair')}{within}",
        f"proven over all pairs: {some(proven, 6) or 'nothing'}",
    ]


def _winner(found: PairedDifference, comparison: Comparison) -> str:
    better = comparison.better.get(found.metric)
    if better is None or not found.proven:
        return ""
    order = [found.first, found.second]
    if (found.difference > 0) != (better == "higher"):
        order.reverse()
    first, second = (comparison.labels.index(label) + 1 for label in order)
    return f"{first} better than {second} in {found.metric}"


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """Return one row a difference: its set of pairs, then what ``PairedDifference`` says."""
    import pandas as pd

    rows = [
        {"set": name or "all", **{field: getattr(each, field) for field in each.__slots__}}
        for name, found in comparison.sets.items()
        for each in found
    ]
    frame: pd.DataFrame = pd.DataFrame(rows)
    return frame


def _methods(comparison: Comparison) -> Table:
    metrics = list(comparison.signatures)
    header = [
        "",
        "method",
        "seeds",
        *(f"{m} {wording.ARROWS[comparison.better.get(m)]}" for m in metrics),
    ]
    rows = [
        [str(number), label, str(seeds), *(_mean(comparison, label, m) for m in metrics)]
        for number, (label, seeds) in enumerate(comparison.seeds.items(), start=1)
    ]
    return "methods", header, rows


def _mean(comparison: Comparison, label: str, metric: str) -> str:
    """Return a method's own mean, with the number of pairs where not every method has as many."""
    mean, pairs = comparison.means[label][metric]
    text = NumberCell(None if math.isnan(mean) else mean, metric).text
    return f"{text} ({count(pairs, 'pair')})" if differs(comparison, metric) else text


def differs(comparison: Comparison, metric: str) -> bool:
    """Whether the methods have values of a metric on other numbers of pairs."""
    return len({known[metric][1] for known in comparison.means.values()}) > 1


def _row(found: PairedDifference, comparison: Comparison, pairs: int) -> list[str]:
    metric = found.metric
    fewer = f" ({count(found.n, 'pair')})" if found.n < pairs else ""
    largest = max(abs(found.means[0]), abs(found.means[1]))
    known = None if math.isnan(found.difference) else found.difference
    cell = NumberCell(known, metric, found.ci95, like=largest, style="signed")
    return [
        metric + fewer,
        _numbers(comparison, found.first, found.second),
        cell.text,
        cell.interval or wording.NO_VALUE,
        probability(found.p_holm),
        f"{found.effect:+.2f}",
        _improvement(found),
        _verdict(found, comparison),
    ]


def _numbers(comparison: Comparison, first: str, second: str) -> str:
    return f"{comparison.labels.index(first) + 1} - {comparison.labels.index(second) + 1}"


def probability(p_value: float) -> str:
    """Return a p-value as papers print it."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _improvement(found: PairedDifference) -> str:
    if found.improvement is None:
        return wording.NO_VALUE
    interval = found.improvement_ci95
    bounds = f"\n[{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""
    return f"{found.improvement:.2f}{bounds}"


def _verdict(found: PairedDifference, comparison: Comparison) -> str:
    """Return the number of the better method where that is proven, and equality in a margin."""
    words = []
    better = comparison.better.get(found.metric)
    if better is not None and found.proven:
        first_wins = (found.difference > 0) == (better == "higher")
        words.append(str(comparison.labels.index(found.first if first_wins else found.second) + 1))
    if found.equal:
        words.append(f"equal within {found.margin:g}")
    if words and not found.about_methods:
        words.append("(these weights)")
    return " ".join(words) or wording.NO_VALUE
