"""From rows to standings: every ranked column tested, rows in the order of the first endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from i2ibench.evaluation.summary import counts_in_macro
from i2ibench.leaderboard.ranking import Contestant, Standing, rank_column
from i2ibench.leaderboard.rows import MACRO, OVERALL, Column, Row, Track, column_record
from i2ibench.metrics.interface import installed_metric
from i2ibench.results.cells import NumberCell
from i2ibench.results.evaluation_intervals import cluster_codes, level_codes
from i2ibench.statistics.bootstrap import FEWEST_UNITS, Codes, Floats

_NOT_RANKED = (
    "not ranked: too few units on which it is defined, or its scores per pair are not at hand"
)


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row with what each ranked column says of it; nothing of oracles."""

    row: Row
    standings: Mapping[Column, Standing] = field(default_factory=dict)

    def cell(
        self, column: Column, table: str = OVERALL, *, simultaneous: bool = False
    ) -> NumberCell:
        """Return what a table says of this row in ``column``; notes are the reason of no value.

        ``simultaneous`` asks for ranks that are corrected over all pairs of methods.
        """
        found = self.row.tables[table][column]
        notes = found.notes if found.value is not None else (found.reason or "no value",)
        standing = self.standings.get(column)
        if standing is None:
            return NumberCell(found.value, column.metric, found.ci95, found.spread, notes=notes)
        if standing == Standing() and found.value is not None:
            notes = (*notes, _NOT_RANKED)
        return NumberCell(
            found.value,
            column.metric,
            found.ci95,
            found.spread,
            rank=standing.simultaneous if simultaneous else standing.rank,
            claim=standing.claim,
            notes=notes,
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """The rows of one table in their order, and the columns that were tested.

    Attributes:
        rows: by the value of the first ranked column overall, oracles last.
        ordered_by: that column; None where no column ranks.
        columns: those that were tested; none below ``FEWEST_UNITS`` units.
        untested: of those that the protocol lets rank, the ones without scores per pair.
        units: pairs, or clusters where they are known, that differences were tested over.
    """

    rows: tuple[PlacedRow, ...]
    ordered_by: Column | None
    columns: tuple[Column, ...]
    untested: tuple[Column, ...]
    units: int


def rank_track(track: Track, table: str = OVERALL) -> Ranking:
    """Rank the rows of one table of ``track``: overall, a group, or the mean over groups.

    A column is tested where the protocol lets it rank, it has a direction, and two rows have its
    scores per pair. A row without them gets no rank there, and changes none: the others stand as if
    it were not listed. Overall holds the endpoints whose mean over groups decides, too.
    """
    rows, ordered_by = _in_order(track)
    competing = [row for row in rows if not row.is_oracle]
    pairs = _common_pairs(competing)
    chosen = _of_table(pairs, table)
    clusters, levels = (
        (None, None) if chosen is None else (cluster_codes(chosen), level_codes(chosen))
    )
    units = _units(competing, table, chosen, clusters)
    in_table = {of: _of_table(pairs, of) for of in {table, OVERALL, MACRO}}
    standings: dict[Column, list[Standing]] = {}
    untested = []
    shown = [(column, table) for column in track.columns.get(table, ())]
    if table == OVERALL:
        shown = [*track.main_columns, *((c, table) for c, _ in shown if not c.is_main)]
    for column, of in shown:
        if not column.is_ranked or column.better is None or units < FEWEST_UNITS:
            continue
        scores = [_seed_scores(row, column, of, pairs, in_table[of]) for row in competing]
        if sum(found is not None for found in scores) > 1:
            contestants = [
                Contestant(found, row.is_method)
                for row, found in zip(competing, scores, strict=True)
            ]
            standings[column] = rank_column(
                contestants,
                column.better,
                clusters,
                levels,
                equal_levels=of == MACRO,
            )
        elif any(row.tables[of][column].value is not None for row in competing):
            untested.append(column)
    placed = {
        id(row): PlacedRow(row, {column: found[i] for column, found in standings.items()})
        for i, row in enumerate(competing)
    }
    ordered = tuple(placed.get(id(row), PlacedRow(row)) for row in rows)
    return Ranking(ordered, ordered_by, tuple(standings), tuple(untested), units)


def _in_order(track: Track) -> tuple[list[Row], Column | None]:
    """Return all rows by the first ranked column that has values, oracles last; and that column.

    Every table has this order. Rows without a value there follow, by the next ranked column.
    """
    ranked = sorted(
        ((c, of) for c, of in track.main_columns if c.is_ranked),
        key=lambda shown: track.endpoints.index(shown[0].metric),
    )
    known = [
        (c, of)
        for c, of in ranked
        if any(row.tables[of][c].value is not None for row in track.rows)
    ]

    def order(row: Row) -> tuple[object, ...]:
        keys = []
        for column, of in known:
            value, sign = row.tables[of][column].value, -1.0 if column.better == "higher" else 1.0
            keys.append((value is None, 0.0 if value is None else sign * value))
        return (row.is_oracle, *keys, row.label)

    return sorted(track.rows, key=order), known[0][0] if known else None


def _common_pairs(rows: Sequence[Row]) -> pd.DataFrame | None:
    """Return id, group and cluster of the pairs that most entries have, ordered by id."""
    found = [entry.ordered_scores for row in rows for entry in row.entries]
    known = [scores for scores in found if scores is not None]
    if not known:
        return None
    most = Counter(scores.keys for scores in known).most_common(1)[0][0]
    return next(scores.table for scores in known if scores.keys == most)


def _of_table(pairs: pd.DataFrame | None, table: str) -> pd.DataFrame | None:
    if pairs is None or table in (OVERALL, MACRO):
        return pairs
    chosen: pd.DataFrame = pairs[pairs["group"] == table]
    return chosen


def _units(
    rows: Sequence[Row], table: str, pairs: pd.DataFrame | None, clusters: Codes | None
) -> int:
    if clusters is not None:
        return len(np.unique(clusters))
    if pairs is not None:
        return len(pairs)
    return max((cell.n for row in rows for cell in row.tables[table].values()), default=0)


def _seed_scores(
    row: Row,
    column: Column,
    table: str,
    pairs: pd.DataFrame | None,
    chosen: pd.DataFrame | None,
) -> Floats | None:
    """Return a row's scores ``(S, N)`` of the ``chosen`` of ``pairs``; None where one has none."""
    if pairs is None or chosen is None or row.tables[table][column].value is None:
        return None
    seeds, ids = [], pairs["id"].tolist()
    places = chosen.index.to_numpy()  # of the rows of ``pairs``
    for entry in row.first_of_each_seed:
        scores, record = entry.ordered_scores, column_record(entry, column, table)
        if scores is None or record is None or column.metric not in scores.columns:
            return None
        if scores.ids != ids:
            return None
        seeds.append(scores.columns[column.metric][places])
    found = np.stack(seeds)
    return _of_groups_that_count(found, column, chosen) if table == MACRO else found


def _of_groups_that_count(scores: Floats, column: Column, pairs: pd.DataFrame) -> Floats:
    """Return the scores ``(S, N)`` that a mean over groups takes; those of other groups are NaN."""
    metric = installed_metric(column.metric)
    found: Floats = scores.copy()
    group = pairs["group"].to_numpy()
    for each in set(group):
        rows = group == each
        defined = int((~np.isnan(scores[:, rows])).all(0).sum())
        if each is None or not counts_in_macro(metric, defined):
            found[:, rows] = np.nan
    return found
