"""Rank intervals as a dot plot: a line a method, bars from best to worst rank, ties in brackets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from i2ibench.escaping import visible

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 460, 150, 70, 22, 30, 34
_LONGEST = 22  # letters of a name that fit on the left
_BRACKET = 7


def rank_plot(table: Mapping[str, Any], index: int, links: Mapping[str, str]) -> Markup:
    """Return the ranks of one column of a table as SVG; nothing where nothing ranks.

    Args:
        table: of ``site_tables``.
        index: of the column.
        links: address of each method's page by its label.
    """
    column = table["columns"][index]
    cells = {row["method"]: row["cells"][index] for row in table["rows"]}
    ranked = by_value({name: c for name, c in cells.items() if "rank_best" in c}, column["better"])
    if len(ranked) < 2:
        return Markup("")
    title = f"{column['title']}: ranks that the tests leave open"
    height = _TOP + _ROW * len(ranked) + _BOTTOM
    body = Markup().join(
        [
            _axis(len(ranked)),
            *(
                _line(name, cells[name], place, len(ranked), links.get(name, ""))
                for place, name in enumerate(ranked)
            ),
            *(
                _bracket(first, last, offset)
                for offset, (first, last) in enumerate(_lanes(tie_groups(ranked, cells)))
            ),
        ]
    )
    return Markup(
        '<svg class="chart ranks" viewBox="0 0 {w} {h}" role="group" aria-label="{title}">'
        '<text class="title" x="4" y="15">{title}</text>{body}</svg>'
    ).format(w=_WIDTH, h=height, title=visible(title), body=body)


def by_value(cells: Mapping[str, Mapping[str, Any]], better: str | None) -> list[str]:
    """Return the names by value, the best first."""
    sign = -1.0 if better == "higher" else 1.0
    return sorted(cells, key=lambda name: (sign * cells[name]["value"], name))


def tie_groups(
    ranked: Sequence[str], cells: Mapping[str, Mapping[str, Any]]
) -> list[tuple[int, int]]:
    """Return runs of ``ranked``, first and last place, in which nobody is surely better.

    Each run is as long as it can be, and none lies within another; runs may overlap, for *not
    surely different* does not carry over.
    """
    ahead = {name: set(cells[name].get("surely_better_than", ())) for name in ranked}
    runs: list[tuple[int, int]] = []
    for first in range(len(ranked)):
        last = first
        while last + 1 < len(ranked) and not any(
            ranked[last + 1] in ahead[each] or each in ahead[ranked[last + 1]]
            for each in ranked[first : last + 1]
        ):
            last += 1
        if not runs or last > runs[-1][1]:
            runs.append((first, last))
    return runs


def _lanes(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return [run for run in runs if run[1] > run[0]]


def _axis(methods: int) -> Markup:
    step = max(1, -(-methods // 10))
    drawn = Markup()
    for rank in range(1, methods + 1):
        if rank != 1 and (rank - 1) % step and rank != methods:
            continue
        x, bottom = _x(rank, methods), _TOP + _ROW * methods
        drawn += Markup(
            '<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
            '<text x="{x:.1f}" y="{y}" text-anchor="middle">{rank}</text>'
        ).format(x=x, top=_TOP, bottom=bottom, y=bottom + 14, rank=rank)
    return drawn + Markup('<text x="{x:.1f}" y="{y}" text-anchor="middle">rank</text>').format(
        x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_TOP + _ROW * methods + 28
    )


def _line(name: str, cell: Mapping[str, Any], place: int, methods: int, link: str) -> Markup:
    y = _TOP + _ROW * (place + 0.5)
    best, worst = _x(cell["rank_best"], methods), _x(cell["rank_worst"], methods)
    shown = visible(name)
    short = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    words = f"{shown}: {cell['text']}, rank {cell['place'].lstrip('#')}"
    mark = Markup(
        '<g class="{kind}"><title>{words}</title>'
        '<rect class="hit" x="0" y="{row_y:.1f}" width="{width}" height="{row}"/>'
        '<text class="name" x="{name_x}" y="{text_y:.1f}" text-anchor="end">{short}</text>'
        '<line class="bar" x1="{best:.1f}" x2="{worst:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/></g>'
    ).format(
        kind="first" if cell.get("best") else "",
        words=words,
        row_y=y - _ROW / 2,
        width=_WIDTH - _RIGHT + 10,
        row=_ROW,
        name_x=_LEFT - 12,
        text_y=y + 4,
        short=short,
        best=best - 5,
        worst=worst + 5,
        y=y,
        x=_x(place + 1, methods),
    )
    return Markup('<a href="{}">{}</a>').format(link, mark) if link else mark


def _bracket(first: int, last: int, lane: int) -> Markup:
    x = _WIDTH - _RIGHT + 18 + _BRACKET * (lane % 7)
    return Markup('<path class="tie" d="M{a} {top:.1f}H{x}V{bottom:.1f}H{a}"/>').format(
        x=x, a=x - 4, top=_TOP + _ROW * first + 4, bottom=_TOP + _ROW * (last + 1) - 4
    )


def _x(rank: float, methods: int) -> float:
    return _LEFT + 8 + (rank - 1) / max(1, methods - 1) * (_WIDTH - _LEFT - _RIGHT - 16)
