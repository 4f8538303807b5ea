"""A board as plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from i2ibench import wording
from i2ibench.leaderboard.board import Board
from i2ibench.leaderboard.placement import rank_track
from i2ibench.leaderboard.reported import Reported
from i2ibench.leaderboard.reported_table import BETTER, reported_rows
from i2ibench.leaderboard.rows import OVERALL, Cell, Track

Table = tuple[str, list[str], list[list[str]]]


def board_tables(board: Board) -> Iterator[Table]:
    """Yield title, header and rows of every track, then of every reported group."""
    for track in board.tracks:
        yield _measured(board.dataset, track)
    for group in board.reported:
        yield _reported(board.dataset, group)


def _measured(dataset: str, track: Track) -> Table:
    ranking = rank_track(track)
    columns = [column for column in track.columns[OVERALL] if column.is_main]
    header = ["rank", "method"]
    header += [wording.column_title(c.metric, c.better) for c in columns]
    rows = []
    for placed in ranking.rows:
        place = wording.NO_VALUE if placed.place is None else str(placed.place)
        label = placed.row.label + (" (oracle)" if placed.row.is_oracle else "")
        cells = [_cell(placed.row.tables[OVERALL][c], c.metric) for c in columns]
        rows.append([place, label, *cells])
    title = f"{dataset}, protocol {track.protocol}, {track.dataset.pairs} pairs"
    return title, header, rows


def _cell(cell: Cell, metric: str) -> str:
    if cell.value is None:
        return wording.NO_VALUE
    lines = [wording.number(cell.value, metric)]
    if cell.ci95 is not None:
        lines.append(wording.interval(cell.ci95, metric, cell.value))
    if cell.spread is not None:
        lines.append(f"± {wording.number(cell.spread, metric, cell.value)}")
    return "\n".join(lines)


def _reported(dataset: str, group: Reported) -> Table:
    rows = reported_rows(group)
    metrics = [m for m in BETTER if any(m in row.cells for row in rows)]
    header = [
        "method",
        *(wording.column_title(m, BETTER[m]) for m in metrics),
    ]
    lines = []
    for row in rows:
        trained = f" (on {row.entry.trained_on})" if row.entry and row.entry.trained_on else ""
        cells = [
            wording.as_printed(row.cells[m].value, m) if m in row.cells else wording.NO_VALUE
            for m in metrics
        ]
        lines.append([row.method + trained, *cells])
    return f"{dataset}, reported: {group.group.title}", header, lines
