"""A board as JSON values: the numbers of its standings, table by table, as its site shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from i2ibench.leaderboard import remarks
from i2ibench.leaderboard.board import Board, card_of
from i2ibench.leaderboard.placement import PlacedRow, Ranking, rank_track
from i2ibench.leaderboard.remarks import Footnotes
from i2ibench.leaderboard.reported import Reported
from i2ibench.leaderboard.reported_table import (
    BESIDE,
    ReportedRow,
    beside_measured,
    level_rows,
    reported_rows,
)
from i2ibench.leaderboard.rows import MACRO, OVERALL, Column, Track
from i2ibench.metrics.presentation import (
    column_title,
    direction,
    metric_title,
    summary,
    table_order,
    trap,
)
from i2ibench.results.cells import NumberCell
from i2ibench.web.site_methods import method_facts_of, slug

SCHEMA = 1
ALL = "all"

Json = dict[str, Any]


def board_json(board: Board) -> Json:
    """Return a board as JSON values; absent keys do not apply."""
    card = card_of(board.dataset)
    return {
        "schema": SCHEMA,
        "dataset": board.dataset,
        "title": str(card.get("title") or ""),
        "data_licence": str(card.get("licence") or ""),
        "newest": max((entry.result.created for entry in board.entries), default=None),
        "entries": len(board.entries),
        "reported_entries": sum(len(group.entries) for group in board.reported),
        "tracks": [_track(track, index) for index, track in enumerate(board.tracks)],
        "reported": [_reported(group) for group in board.reported],
        "beside": [
            {
                "measured": each.row.label,
                "protocol": each.track.protocol,
                "reported": each.entry.method,
                "source": each.entry.source,
                "numbers": {
                    metric: {
                        "measured": NumberCell(each.numbers[metric][0], metric).text,
                        "reported": NumberCell(
                            each.numbers[metric][1], metric, style="printed"
                        ).text,
                        "difference": NumberCell(
                            each.numbers[metric][0] - each.numbers[metric][1],
                            metric,
                            like=each.numbers[metric][0],
                            style="signed",
                        ).text,
                    }
                    for metric in BESIDE
                    if metric in each.numbers
                },
            }
            for each in beside_measured(board.reported, board.tracks)
        ],
    }


def cell_json(cell: NumberCell, **more: Any) -> Json:
    """Return a cell with its numbers at full precision and its words as every table says them."""
    content = {
        **cell.fields(),
        **more,
        "text": cell.text,
        "interval": cell.interval,
        "deviation": cell.deviation,
        "place": cell.place,
        "best": cell.is_best or None,
        "notes": list(cell.notes),
    }
    return {key: value for key, value in content.items() if value not in (None, "", [])}


def _track(track: Track, index: int) -> Json:
    overall = rank_track(track)
    return {
        "id": f"{slug(track.protocol)}-{index + 1}",  # also in names of files
        "protocol": track.protocol,
        "protocol_sha256": track.protocol_sha256,
        "split": track.dataset.split,
        "direction": track.dataset.direction,
        "pairs": track.dataset.pairs,
        "data_sha256": track.dataset.manifest_sha256,
        "groups": track.dataset.group_name or "group",
        "intervals": remarks.interval_words(track),
        "warnings": remarks.hidden_clusters(track),
        "methods": [method_facts_of(placed.row) for placed in overall.rows],
        "tables": [_table(track, name, overall) for name in _names(track)],
    }


def _names(track: Track) -> list[str]:
    return [OVERALL, *([MACRO] if MACRO in track.columns else []), *track.groups]


def _table(track: Track, name: str, overall: Ranking) -> Json:
    ranking = overall if name == OVERALL else rank_track(track, name)
    shown = [(column, of) for column, of in _shown(track, name) if _has_values(ranking, column, of)]
    absent = [(column, of) for column, of in _shown(track, name) if (column, of) not in shown]
    notes = Footnotes("a")
    rows = [
        {
            "method": placed.row.label,
            "cells": [_cell(placed, ranking, column, of, notes) for column, of in shown],
        }
        for placed in ranking.rows
    ]
    groups = track.dataset.group_name or "group"
    titles = {OVERALL: "all pairs", MACRO: f"mean over the {groups} levels"}
    return {
        "set": name or ALL,
        "title": titles.get(name, f"{groups} {name}"),
        "pairs": _pairs(track, name),
        "units": ranking.units,
        "ordered_by": ranking.ordered_by.metric if ranking.ordered_by else None,
        "columns": [_column(column, of, ranking, track) for column, of in shown],
        "rows": rows,
        "not_computed": {
            metric_title(column.metric): _reasons(ranking, column, of) for column, of in absent
        },
        "untested": [metric_title(column.metric) for column in ranking.untested],
        "notes": dict(notes.lines()),
    }


def _shown(track: Track, name: str) -> list[tuple[Column, str]]:
    if name != OVERALL:
        return [(column, name) for column in track.columns[name]]
    return [
        *track.main_columns,
        *((column, name) for column in track.columns[name] if not column.is_main),
    ]


def _column(column: Column, of: str, ranking: Ranking, track: Track) -> Json:
    signatures = [c.signature for c in track.columns[of] if c.metric == column.metric]
    key = column.metric + ("" if len(signatures) < 2 else f".{signatures.index(column.signature)}")
    return {
        "key": key,
        "metric": column.metric,
        "heading": column_title(column.metric, column.better),
        "title": metric_title(column.metric),
        "set": of or ALL,
        "unit": column.unit,
        "better": column.better,
        "signature": column.signature,
        "main": column.is_main,
        "ranked": column in ranking.columns,
        "what": summary(column.metric),
        "trap": trap(column.metric),
    }


def _cell(placed: PlacedRow, ranking: Ranking, column: Column, of: str, notes: Footnotes) -> Json:
    cell, found = placed.cell(column, of), placed.row.tables[of][column]
    together = placed.cell(column, of, simultaneous=True).rank or (None, None)
    standing = placed.standings.get(column)
    return cell_json(
        cell,
        n=found.n,
        seeds=len(found.seeds) or None,
        simultaneous_best=together[0],
        simultaneous_worst=together[1],
        marks=[notes.mark(note) for note in cell.notes],
        # Places among contestants are those of rows: oracles, which do not compete, stand last.
        surely_better_than=[ranking.rows[place].row.label for place in standing.ahead_of]
        if standing
        else [],
        tested=bool(standing and (standing.rank or standing.claim)) or None,
    )


def _has_values(ranking: Ranking, column: Column, of: str) -> bool:
    return any(placed.row.tables[of][column].value is not None for placed in ranking.rows)


def _reasons(ranking: Ranking, column: Column, of: str) -> list[str]:
    cells = [placed.row.tables[of][column] for placed in ranking.rows]
    return [*dict.fromkeys(cell.reason for cell in cells if cell.reason)]


def _pairs(track: Track, name: str) -> int | None:
    if name in (OVERALL, MACRO):
        return track.dataset.pairs
    sizes = {
        entry.result.groups[name].n
        for row in track.rows
        for entry in row.entries
        if name in entry.result.groups
    }
    return max(sizes, default=None)


def _reported(group: Reported) -> Json:
    levels = level_rows(group)
    return {
        "group": group.id,
        "title": group.group.title,
        "protocol": group.group.protocol,
        "remarks": list(group.group.remarks),
        "has_scores": bool(group.pair_scores),
        **_reported_table(reported_rows(group)),
        "levels": [
            {"level": level, "pairs": pairs, **_reported_table(rows)}
            for level, (pairs, rows) in levels.items()
        ],
    }


def _reported_table(rows: Sequence[ReportedRow]) -> Json:
    metrics = sorted({metric for row in rows for metric in row.cells}, key=table_order)
    return {
        "columns": [
            {
                "metric": metric,
                "heading": column_title(metric, direction(metric)),
                "better": direction(metric),
            }
            for metric in metrics
        ],
        "rows": [
            {
                "method": row.method,
                **({} if row.entry is None else _entry(row)),
                "cells": [_reported_cell(row, metric) for metric in metrics],
            }
            for row in rows
        ],
    }


def _reported_cell(row: ReportedRow, metric: str) -> Json:
    found = row.cells.get(metric)
    apart = None if found is None else found.own_mean
    own = "" if apart is None else f"own scores: {NumberCell(apart, metric).text}"
    return cell_json(row.cell(metric), own_mean=apart, own=own)


def _entry(row: ReportedRow) -> Json:
    if row.entry is None:
        return {}
    found = row.entry.model_dump(exclude={"method", "metrics", "comparable_group"})
    return {key: value for key, value in found.items() if value not in (None, False)}
