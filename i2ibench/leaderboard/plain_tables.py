"""A board as plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.text import Text

from i2ibench.leaderboard import remarks
from i2ibench.leaderboard.board import Board
from i2ibench.leaderboard.placement import rank_track
from i2ibench.leaderboard.reported import Reported
from i2ibench.leaderboard.reported_table import reported_rows
from i2ibench.leaderboard.rows import MACRO, Track
from i2ibench.metrics.presentation import column_title, direction, table_order
from i2ibench.notebook import Strong
from i2ibench.results.cells import NumberCell

# What the tables' small print says.
LEGEND = (
    "#1-3: the ranks that the tests, two methods at a time, leave open. Bold: the best group, than "
    "which no method is surely better. +3 -1 of 5: one set of weights, surely better than 3 and "
    "surely worse than 1 of the 5 others; it says nothing of the method's other seeds."
)

Table = tuple[str, list[str], list[list[str]]]


def board_tables(board: Board, *, simultaneous: bool = False) -> Iterator[Table]:
    """Yield title, header and rows of every track, then of every reported group.

    Cells are in rich's markup: the best group of a column is bold. ``simultaneous``: ranks after
    Holm's correction over all pairs of methods in a column.
    """
    for track in board.tracks:
        yield _measured(board.dataset, track, simultaneous)
    for group in board.reported:
        yield _reported(board.dataset, group)


def notebook_tables(board: Board) -> Iterator[Table]:
    """Yield the same tables without markup, and what their small print says."""
    for title, header, rows in board_tables(board):
        yield title, header, [[_plain(cell) for cell in row] for row in rows]
    if board.tracks:
        yield "", ["what the marks say"], [[LEGEND]]


def _plain(cell: str) -> str:
    words = Text.from_markup(cell)
    return Strong(words.plain) if any(span.style == "bold" for span in words.spans) else words.plain


def _measured(dataset: str, track: Track, simultaneous: bool) -> Table:
    ranking = rank_track(track)
    columns = track.main_columns
    header = ["method"]
    for column, name in columns:
        title = column_title(column.metric, column.better)
        header.append(f"{title}\nmean of levels" if name == MACRO else title)
    rows = []
    for placed in ranking.rows:
        signs = (word for word, _ in remarks.signs(placed.row))
        said = ", ".join(filter(None, [remarks.kind(placed.row), *signs]))
        label = f"{placed.row.label} ({said})" if said else placed.row.label
        cells = [_cell(placed.cell(*shown, simultaneous=simultaneous)) for shown in columns]
        rows.append([escape(label), *cells])
    title = f"{dataset}, protocol {track.protocol}, {track.dataset.pairs} pairs"
    return title, header, rows


def _cell(cell: NumberCell) -> str:
    value = f"[bold]{cell.text}[/bold]" if cell.is_best else cell.text
    spread = f"± {cell.deviation}" if cell.deviation else ""
    return "\n".join(filter(None, [value, escape(cell.interval), spread, cell.place]))


def _reported(dataset: str, group: Reported) -> Table:
    rows = reported_rows(group)
    found = {metric for row in rows for metric in row.cells}
    metrics = sorted((m for m in found if direction(m) is not None), key=table_order)
    header = ["method", *(column_title(metric, direction(metric)) for metric in metrics)]
    lines = []
    for row in rows:
        trained = f" (on {row.entry.trained_on})" if row.entry and row.entry.trained_on else ""
        cells = [_reported_cell(row.cell(metric)) for metric in metrics]
        lines.append([escape(row.method + trained), *cells])
    return f"{dataset}, reported: {group.group.title}", header, lines


def _reported_cell(cell: NumberCell) -> str:
    return "\n".join(filter(None, [cell.text, cell.place]))
