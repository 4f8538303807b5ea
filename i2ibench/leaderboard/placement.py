"""From rows to places: every main column ranked, rows placed by the mean of their ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from i2ibench.leaderboard.ranking import Contestant, places, rank_column
from i2ibench.leaderboard.rows import OVERALL, Column, Row, Track
from i2ibench.results.cells import NumberCell
from i2ibench.results.evaluation_intervals import cluster_codes
from i2ibench.statistics.bootstrap import FEWEST_UNITS, Codes, Floats


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row with its place; None for oracles and for rows that lack a ranked column.

    Attributes:
        row: the method.
        place: 1 for the best mean rank.
        ranks: rank in each column it was ranked in.
    """

    row: Row
    place: int | None
    ranks: Mapping[Column, int] = field(default_factory=dict)

    def cell(self, column: Column, table: str = OVERALL) -> NumberCell:
        """Return what a table says of this row in ``column``; notes are the reason of no value."""
        found = self.row.tables[table][column]
        notes = found.notes if found.value is not None else (found.reason or "no value",)
        rank = self.ranks.get(column)
        return NumberCell(found.value, column.metric, found.ci95, found.spread, rank, notes)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The rows of one table in the order of their places, and the columns that decided.

    Attributes:
        rows: the best first, oracles last.
        columns: those that were ranked; none where there is nothing to rank or no way to tell.
        untested: of these, the ones that counted by value alone, for want of scores per pair.
        units: pairs, or clusters where they are known, that differences were tested over.
    """

    rows: tuple[PlacedRow, ...]
    columns: tuple[Column, ...]
    untested: tuple[Column, ...]
    units: int


def rank_track(track: Track, table: str = OVERALL) -> Ranking:
    """Rank the rows of one table of ``track``: overall, or a group.

    A column counts where the protocol lets it rank, it has a direction, and every ranked row has a
    value.
    Nothing is ranked below ``FEWEST_UNITS`` pairs or clusters: no difference could be proven, and
    all methods would share the first rank.
    """
    rows = [row for row in track.rows if not row.is_oracle]
    others = [PlacedRow(row, None) for row in track.rows if row.is_oracle]
    shared, clusters = _common_scores(rows, table)
    units = _units(rows, table, clusters)
    if len(rows) < 2 or units < FEWEST_UNITS:
        ordered = _in_overall_order(track, rows, table)
        return Ranking((*ordered, *others), (), (), units)
    counted = tuple(
        column
        for column in track.columns.get(table, ())
        if column.is_ranked and all(row.tables[table][column].value is not None for row in rows)
    )
    ranks: dict[Column, list[int]] = {}
    untested = []
    for column in counted:
        contestants = [_contestant(row, column, table, shared) for row in rows]
        if any(contestant.pair_scores is None for contestant in contestants):
            untested.append(column)
        if column.better is not None:
            ranks[column] = rank_column(contestants, column.better, clusters)
    return Ranking((*_placed(rows, ranks), *others), counted, tuple(untested), units)


def _units(rows: Sequence[Row], table: str, clusters: Codes | None) -> int:
    if clusters is not None:
        return len(np.unique(clusters))
    sizes = [cell.n for row in rows for cell in row.tables[table].values()]
    return max(sizes, default=0)


def _in_overall_order(track: Track, rows: Sequence[Row], table: str) -> list[PlacedRow]:
    if table == OVERALL:
        return [PlacedRow(row, None) for row in sorted(rows, key=lambda row: row.label)]
    order = [placed.row.label for placed in rank_track(track).rows]
    return [PlacedRow(row, None) for row in sorted(rows, key=lambda row: order.index(row.label))]


def _placed(rows: Sequence[Row], ranks: Mapping[Column, list[int]]) -> list[PlacedRow]:
    if not rows:
        return []
    if not ranks:
        return [PlacedRow(row, None) for row in sorted(rows, key=lambda row: row.label)]
    means = [float(np.mean([column[i] for column in ranks.values()])) for i in range(len(rows))]
    order = sorted(range(len(rows)), key=lambda i: (means[i], rows[i].label))
    place = places(means)
    return [
        PlacedRow(rows[i], place[i], {column: found[i] for column, found in ranks.items()})
        for i in order
    ]


def _common_scores(rows: Sequence[Row], table: str) -> tuple[bool, Codes | None]:
    """Whether all rows have scores of the same pairs in one order, and the pairs' clusters."""
    if table != OVERALL and any(table not in _groups(row) for row in rows):
        return False, None
    scores = [row.pair_scores for row in rows]
    if not rows or any(found is None for found in scores):
        return False, None
    first = scores[0]
    if first is None:
        return False, None
    for other in scores:
        if other is None or list(other["id"]) != list(first["id"]):
            return False, None
    chosen = first if table == OVERALL else first[first["group"] == table]
    return True, cluster_codes(chosen)


def _groups(row: Row) -> set[str]:
    scores = row.pair_scores
    return set() if scores is None else set(scores["group"].dropna())


def _contestant(row: Row, column: Column, table: str, shared: bool) -> Contestant:
    cell = row.tables[table][column]
    value = cell.value if cell.value is not None else float("nan")
    return Contestant(value, cell.seeds, _column_scores(row, column, table) if shared else None)


def _column_scores(row: Row, column: Column, table: str) -> Floats | None:
    scores = row.pair_scores
    if scores is None or column.metric not in scores.columns:
        return None
    if table != OVERALL:
        scores = scores[scores["group"] == table]
    return scores[column.metric].to_numpy(dtype=np.float64)
