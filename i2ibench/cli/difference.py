"""How the command line shows one model's scores under two protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from i2ibench.cli.terminal import answer, table

if TYPE_CHECKING:
    from i2ibench.evaluation.protocol_comparison import Difference


def difference_json(ids: list[str], rows: list[Difference]) -> dict[str, Any]:
    """Return the differences as JSON values."""
    shown = [
        {
            "metric": row.metric,
            "first": row.first,
            "second": row.second,
            "change": row.change,
            "signatures": list(row.signatures),
            "redefined": row.redefined,
        }
        for row in rows
    ]
    return {"protocols": ids, "scores": shown}


def show_difference(
    title: str, ids: list[str], rows: list[Difference], *, beside_json: bool = False
) -> None:
    """Print a table of both scores and of second minus first; other definitions are marked."""
    cells = [[_named(r), _number(r.first), _number(r.second), _number(r.change, "+")] for r in rows]
    answer(table(title, ["metric", *ids, "difference"], cells), beside_json=beside_json)
    for row in rows:
        if row.redefined:
            one, two = row.signatures
            line = f"* {row.metric} is defined otherwise under each: {one} and {two}"
            answer(line, beside_json=beside_json)


def _named(row: Difference) -> str:
    named = f"{row.metric} ({row.unit})" if row.unit else row.metric
    return f"{named} *" if row.redefined else named


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.4f}"
