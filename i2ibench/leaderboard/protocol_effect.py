"""What a protocol alone changes: the same trained weights under two protocols."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from i2ibench import wording
from i2ibench.escaping import code, markdown
from i2ibench.files import sha256_json
from i2ibench.leaderboard import remarks
from i2ibench.leaderboard.markdown import table
from i2ibench.leaderboard.rows import OVERALL, Row, Track
from i2ibench.results.cells import NumberCell
from i2ibench.results.one_model import weights_origin


def protocol_effects(tracks: Sequence[Track]) -> list[str]:
    """Return a section for every two tracks that share data and trained weights.

    Each cell: the score under the first protocol, under the second, and second minus first. They
    are never ranked against each other: the difference is the protocol's, not a method's.
    """
    return [
        section
        for first, second in combinations(tracks, 2)
        if first.dataset == second.dataset and first.protocol != second.protocol
        for section in [_section(first, second)]
        if section is not None
    ]


def _section(first: Track, second: Track) -> str | None:
    both = [(a, b) for a in first.rows for b in second.rows if _origins(a) == _origins(b)]
    shared = [
        (a, b)
        for a in first.columns[OVERALL]
        for b in second.columns[OVERALL]
        if (a.is_main or b.is_main) and a.metric == b.metric
    ]
    rows = []
    for a, b in both:
        cells = [(a.tables[OVERALL][x], b.tables[OVERALL][y], x) for x, y in shared]
        known = [
            _cell(one.value, two.value, column.metric)
            if one.value is not None and two.value is not None
            else wording.NO_VALUE
            for one, two, column in cells
        ]
        if any(cell != wording.NO_VALUE for cell in known):
            rows.append([markdown(a.label), *known])
    if not rows:
        return None
    keep = [i for i in range(len(shared)) if any(row[i + 1] != wording.NO_VALUE for row in rows)]
    header = ["method", *(remarks.title(shared[i][0].metric) for i in keep)]
    shown = [[row[0], *(row[i + 1] for i in keep)] for row in rows]
    one, two = code(first.protocol), code(second.protocol)
    return (
        f"### What the protocol alone changes: {one} against {two}\n\n"
        f"{table(header, shown)}\n\n"
        f"<sub>The same weights, translated and scored under both. Bold: {two} minus "
        f"{one}; below it the two scores. Never ranked against each other.</sub>"
    )


def _origins(row: Row) -> list[str]:
    """Return what tells which weights a row's predictions are from, of each of its seeds."""
    return sorted(sha256_json(weights_origin(entry.result)) for entry in row.entries)


def _cell(first: float, second: float, metric: str) -> str:
    one, two = (NumberCell(value, metric, like=first).text for value in (first, second))
    change = NumberCell(second - first, metric, like=first, style="signed").text
    return f"**{change}**" + remarks.small_print(f"{one} → {two}")
