"""How the command line shows one model's scores under two protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from i2ibench.cli.common import err, table

if TYPE_CHECKING:
    from i2ibench.evaluation.side_by_side import Difference


def difference_json(ids: list[str], rows: list[Difference]) -> dict[str, Any]:
    """Return the differences as JSON values."""
    shown = [
        {"metric": r.metric, "first": r.first, "second": r.second, "change": r.change} for r in rows
    ]
    return {"protocols": ids, "scores": shown}


def show_difference(title: str, ids: list[str], rows: list[Difference]) -> None:
    """Print a table of both scores and of second minus first."""
    cells = [
        [_named(r.metric, r.unit), _number(r.first), _number(r.second), _number(r.change, "+")]
        for r in rows
    ]
    err().print(table(title, ["metric", *ids, "difference"], cells))


def _named(metric: str, unit: str) -> str:
    return f"{metric} ({unit})" if unit else metric


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.4f}"
