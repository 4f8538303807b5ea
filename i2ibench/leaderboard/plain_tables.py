"""A board as plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from i2ibench import wording
from i2ibench.leaderboard.board import Board
from i2ibench.leaderboard.placement import rank_track
from i2ibench.leaderboard.reported import Reported
from i2ibench.leaderboard.reported_table import reported_rows
from i2ibench.leaderboard.rows import OVERALL, Track
from i2ibench.metrics.presentation import column_title, direction, table_order
from i2ibench.results.cells import NumberCell

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
    header += [column_title(c.metric, c.better) for c in columns]
    rows = []
    for placed in ranking.rows:
        place = wording.NO_VALUE if placed.place is None else str(placed.place)
        label = placed.row.label + (" (oracle)" if placed.row.is_oracle else "")
        cells = [_cell(placed.cell(column)) for column in columns]
        rows.append([place, label, *cells])
    title = f"{dataset}, protocol {track.protocol}, {track.dataset.pairs} pairs"
    return title, header, rows


def _cell(cell: NumberCell) -> str:
    spread = f"± {cell.deviation}" if cell.deviation else ""
    return "\n".join(filter(None, [cell.text, cell.interval, spread]))


def _reported(dataset: str, group: Reported) -> Table:
    rows = reported_rows(group)
    found = {metric for row in rows for metric in row.cells}
    metrics = sorted((m for m in found if direction(m) is not None), key=table_order)
    header = ["method", *(column_title(metric, direction(metric)) for metric in metrics)]
    lines = []
    for row in rows:
        trained = f" (on {row.entry.trained_on})" if row.entry and row.entry.trained_on else ""
        lines.append([row.method + trained, *(row.cell(metric).text for metric in metrics)])
    return f"{dataset}, reported: {group.group.title}", header, lines
