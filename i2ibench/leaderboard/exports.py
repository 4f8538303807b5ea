"""A board as CSV for analysis and as LaTeX for papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from i2ibench.errors import UsageError
from i2ibench.escaping import csv_cell, latex, visible
from i2ibench.leaderboard import remarks
from i2ibench.leaderboard.board import Board, render_page
from i2ibench.leaderboard.placement import PlacedRow, rank_track
from i2ibench.leaderboard.reported import Reported
from i2ibench.leaderboard.reported_table import reported_rows
from i2ibench.leaderboard.rows import Column, Track
from i2ibench.metrics.presentation import metric_title
from i2ibench.registry import unknown_name
from i2ibench.results.cells import NumberCell
from i2ibench.results.record import STATUSES

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = (
    "dataset",
    "status",
    "protocol",
    "comparable_group",
    "set",
    "kind",
    "method",
    "metric",
    "value",
    "ci95_low",
    "ci95_high",
    "seeds",
    "seed_sd",
    "rank_best",
    "rank_worst",
    "simultaneous_best",
    "simultaneous_worst",
    "weights_better_than",
    "weights_worse_than",
    "weights_compared_with",
    "n",
    "unit",
    "better",
    "signature",
    "unavailable",
    "source",
)

_LATEX_ARROWS = {"higher": r" $\uparrow$", "lower": r" $\downarrow$", None: ""}


def export(board: Board, form: str) -> str:
    """Return a board as ``"markdown"``, ``"csv"`` or ``"latex"``."""
    forms = {"markdown": render_page, "csv": csv_board, "latex": latex_board}
    if form not in forms:
        raise UsageError(unknown_name("format", form, sorted(forms)))
    return forms[form](board)


def csv_board(board: Board) -> str:
    """Return every number of a board, one a line, at full precision."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    for line in board_lines(board):
        writer.writerow({k: csv_cell(v) if isinstance(v, str) else v for k, v in line.items()})
    return buffer.getvalue()


def board_lines(board: Board) -> list[dict[str, object]]:
    """Return every number of a board as a dictionary; absent keys do not apply."""
    lines: list[dict[str, object]] = []
    for track in board.tracks:
        for name in track.columns:
            lines += _measured_lines(board.dataset, track, name)
    for group in board.reported:
        lines += _reported_lines(board.dataset, group)
    return [{k: v for k, v in line.items() if v not in (None, "")} for line in lines]


def board_frame(board: Board) -> pd.DataFrame:
    """Return every number of a board, one a row, in the columns of ``csv_board``."""
    import pandas as pd

    frame: pd.DataFrame = pd.DataFrame(board_lines(board), columns=pd.Index(_FIELDS))
    return frame


def latex_board(board: Board) -> str:
    """Return one booktabs table a track; the best group of each column is bold."""
    return "\n".join(latex_track(board.dataset, track) for track in board.tracks)


def _measured_lines(dataset: str, track: Track, name: str) -> Iterable[dict[str, object]]:
    ranked = rank_track(track, name)
    for placed in ranked.rows:
        row = placed.row
        for column, cell in row.tables[name].items():
            together = placed.cell(column, name, simultaneous=True).rank or (None, None)
            statuses = [entry.result.status for entry in row.entries]
            yield {
                "dataset": dataset,
                "status": min(statuses, key=STATUSES.index),
                "protocol": track.protocol,
                "set": name or "all",
                "method": row.label,
                "kind": remarks.kind(row) or "method",
                "metric": column.metric,
                **placed.cell(column, name).fields(),
                "simultaneous_best": together[0],
                "simultaneous_worst": together[1],
                "seeds": len(cell.seeds),
                "n": cell.n,
                "unit": column.unit,
                "better": column.better,
                "signature": column.signature,
                "unavailable": cell.reason,
            }


def _reported_lines(dataset: str, reported: Reported) -> Iterable[dict[str, object]]:
    for row in reported_rows(reported):
        entry = row.entry
        for metric in row.cells:
            yield {
                "dataset": dataset,
                "status": "reported",
                "comparable_group": reported.id,
                "set": "all",
                "method": row.method
                + (f" (on {entry.trained_on})" if entry and entry.trained_on else ""),
                "kind": "one set of weights",
                "metric": metric,
                **row.cell(metric).fields(),
                "n": entry.pairs if entry else None,
                "source": entry.source if entry else None,
            }


def latex_track(dataset: str, track: Track) -> str:
    """Return the booktabs table of one track."""
    ranking = rank_track(track)
    columns = [
        (column, name)
        for column, name in track.main_columns
        if any(placed.row.tables[name][column].value is not None for placed in ranking.rows)
    ]
    titles = [
        f"{latex(metric_title(column.metric))}{_LATEX_ARROWS[column.better]}"
        for column, _ in columns
    ]
    lines = [
        f"% {visible(f'{dataset}, protocol {track.protocol}')}, {track.dataset.pairs} pairs; "
        "needs the package booktabs",
        "% bold: the best group, than which no method is surely better",
        *(
            f"% {visible(f'{metric_title(column.metric)}: {column.signature}')}"
            for column, _ in columns
        ),
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["Method", *titles]) + r" \\",
        r"\midrule",
        *(_latex_row(placed, columns) for placed in ranking.rows),
        r"\bottomrule",
        r"\end{tabular}",
        "",
    ]
    return "\n".join(lines)


def _latex_row(placed: PlacedRow, columns: Sequence[tuple[Column, str]]) -> str:
    kind = remarks.kind(placed.row)
    label = latex(placed.row.label) + (f" ({kind})" if kind else "")
    return " & ".join([label, *(_latex_cell(placed.cell(*shown)) for shown in columns)]) + r" \\"


def _latex_cell(cell: NumberCell) -> str:
    if cell.value is None:
        return "--"
    value = rf"\textbf{{{cell.text}}}" if cell.is_best else cell.text
    return rf"{value} {{\scriptsize$\pm$ {cell.deviation}}}" if cell.deviation else value
