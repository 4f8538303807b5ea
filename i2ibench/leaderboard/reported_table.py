"""Reported numbers of one comparable group as a table: values, intervals, claims where testable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from i2ibench.leaderboard.ranking import Contestant, WeightsClaim, rank_column
from i2ibench.leaderboard.reported import Reported, ReportedEntry
from i2ibench.leaderboard.rows import OVERALL, Row, Track
from i2ibench.metrics.presentation import direction, table_order
from i2ibench.results.cells import NumberCell
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.statistics.bootstrap import Floats, mean_intervals

# What may stand beside each other, measured and reported.
BESIDE = ("psnr", "ssim")
# Sources print four digits: a mean further off than this does not follow from the scores.
_ROUNDING = 1.5e-4


@dataclass(frozen=True, slots=True)
class ReportedCell:
    """A reported number.

    Attributes:
        value: as the source states it; computed from its scores per pair in tables a level.
        mean: of the published scores per pair, with its interval; None without them.
        ci95: 95 % interval of ``mean``.
        claim: than how many others its weights are surely better and worse; None where no scores
            per pair allow a test.
    """

    value: float
    mean: float | None = None
    ci95: tuple[float, float] | None = None
    claim: WeightsClaim | None = None

    @property
    def own_mean(self) -> float | None:
        """The mean of the source's own scores where the number does not follow from them."""
        apart = self.mean is not None and abs(self.mean - self.value) > _ROUNDING
        return self.mean if apart else None


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """A method and its numbers by metric; ``entry`` is None in tables a level."""

    method: str
    cells: Mapping[str, ReportedCell]
    entry: ReportedEntry | None = None

    def cell(self, metric: str) -> NumberCell:
        """Return what a table says of this method under ``metric``.

        What is published is one set of weights a method: it has no rank.
        """
        found = self.cells.get(metric)
        if found is None:
            return NumberCell(None, metric)
        return NumberCell(
            found.value, metric, found.ci95, claim=found.claim, like=found.mean, style="printed"
        )


@dataclass(frozen=True, slots=True)
class Beside:
    """A measured row whose model implements what a source reports.

    ``numbers``: measured and reported value by metric, of those that both have.
    """

    row: Row
    track: Track
    entry: ReportedEntry
    numbers: Mapping[str, tuple[float, float]]


def beside_measured(groups: Sequence[Reported], tracks: Sequence[Track]) -> list[Beside]:
    """Return measured rows beside what is reported of the same method, where both have a number.

    Of metrics that mean the same under any protocol: FID does not.
    """
    found = []
    for track in tracks:
        for row in track.rows:
            measured = {column.metric: cell.value for column, cell in row.tables[OVERALL].items()}
            for entry in (entry for group in groups for entry in group.entries):
                if entry.model is None or entry.model != row.result.model.name:
                    continue
                numbers = {
                    metric: (value, entry.metrics[metric])
                    for metric in BESIDE
                    for value in [measured.get(metric)]
                    if value is not None and metric in entry.metrics
                }
                if numbers:
                    found.append(Beside(row, track, entry, numbers))
    return found


def reported_rows(reported: Reported) -> list[ReportedRow]:
    """Return the rows of a comparable group, the best first where rows can be compared."""
    entries = reported.entries
    tables = {
        index: reported.pair_scores[entry.method]
        for index, entry in enumerate(entries)
        if entry.method in reported.pair_scores
    }
    stated = [entry.metrics for entry in entries]
    cells = _cells(stated, tables, comparable=reported.id is not None)
    rows = [ReportedRow(e.method, c, e) for e, c in zip(entries, cells, strict=True)]
    return _sorted(rows) if reported.id is not None else rows


def level_rows(reported: Reported) -> dict[str, tuple[int, list[ReportedRow]]]:
    """Return pairs and rows by level, computed from the published scores per pair."""
    if not reported.pair_scores:
        return {}
    first = next(iter(reported.pair_scores.values()))
    levels = {}
    for level in sorted(set(first["group"].dropna())):
        tables = {
            method: scores[scores["group"] == level]
            for method, scores in reported.pair_scores.items()
        }
        means = [_means(scores) for scores in tables.values()]
        cells = _cells(means, dict(enumerate(tables.values())), comparable=True)
        rows = [ReportedRow(method, c) for method, c in zip(tables, cells, strict=True)]
        levels[str(level)] = (len(next(iter(tables.values()))), _sorted(rows))
    return levels


def _cells(
    stated: Sequence[Mapping[str, float]],
    tables: Mapping[int, pd.DataFrame],
    *,
    comparable: bool,
) -> list[dict[str, ReportedCell]]:
    """Return cells by metric for every row of stated values and, by index, scores per pair."""
    cells: list[dict[str, ReportedCell]] = [{} for _ in stated]
    for metric in dict.fromkeys(metric for values in stated for metric in values):
        indices = [index for index, values in enumerate(stated) if metric in values]
        scores = {i: _scores(tables[i], metric) for i in indices if i in tables}
        intervals = _intervals(scores)
        claims: dict[int, WeightsClaim | None] = {}
        better = direction(metric)
        if comparable and better is not None:
            # Where a source's number does not follow from its own scores, these are tested.
            published = [Contestant(found[None], is_method=False) for found in scores.values()]
            standings = rank_column(published, better)
            claims = {i: each.claim for i, each in zip(scores, standings, strict=True)}
        for i in indices:
            mean = float(scores[i].mean()) if i in scores else None
            cells[i][metric] = ReportedCell(
                stated[i][metric], mean, intervals.get(i), claims.get(i)
            )
    return cells


def _intervals(scores: Mapping[int, Floats]) -> dict[int, tuple[float, float] | None]:
    if not scores:
        return {}
    found = mean_intervals(np.stack(list(scores.values()), axis=1))
    return dict(zip(scores, found, strict=True))


def _scores(table: pd.DataFrame, metric: str) -> Floats:
    ordered = table.sort_values("id")[metric]
    return np.asarray(ordered.to_numpy(dtype=np.float64))


def _means(table: pd.DataFrame) -> dict[str, float]:
    return {name: float(table[name].mean()) for name in metric_columns(table)}


def _sorted(rows: list[ReportedRow]) -> list[ReportedRow]:
    """Return rows by the first metric that all have, else by the first of any."""
    found = sorted({metric for row in rows for metric in row.cells}, key=table_order)
    directed = [metric for metric in found if direction(metric) is not None]
    shared = [metric for metric in directed if all(metric in row.cells for row in rows)]
    first = next(iter(shared or directed), "")
    sign = -1.0 if direction(first) == "higher" else 1.0

    def order(row: ReportedRow) -> tuple[float, str]:
        value = sign * row.cells[first].value if first in row.cells else float("inf")
        return (value, row.method)

    return sorted(rows, key=order)
