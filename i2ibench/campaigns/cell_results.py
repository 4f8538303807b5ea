"""The finished runs of a campaign, those that differ in their seed alone together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from i2ibench.campaigns.planned_runs import PlannedRun
from i2ibench.leaderboard.entries import Entry
from i2ibench.leaderboard.rows import Column, Track, tracks
from i2ibench.results.pair_scores import read_pair_scores
from i2ibench.results.record import MetricRecord, Result
from i2ibench.results.record_files import read_result
from i2ibench.statistics.bootstrap import Floats


@dataclass
class CellResults:
    """Runs that differ in their seed alone.

    Attributes:
        runs: as planned.
        entries: of those whose numbers are there, by seed; images may have been deleted.
    """

    runs: list[PlannedRun] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The model, with the keys that are varied."""
        run = self.runs[0]
        return f"{run.model} ({run.variation})" if run.varied else run.model

    @property
    def results(self) -> list[Result]:
        """The records of the finished runs."""
        return [entry.result for entry in self.entries.values()]

    def record(self, metric: str, group: str | None = None) -> MetricRecord | None:
        """Return what the first finished run records of a metric."""
        for result in self.results:
            return _records(result, group).get(metric)
        return None

    def signatures(self, metric: str, group: str | None) -> set[str]:
        """Return the definitions under which finished runs have a value."""
        records = [_records(result, group).get(metric) for result in self.results]
        return {each.signature for each in records if each is not None and each.value is not None}

    def values(self, metric: str, group: str | None, seeds: Iterable[int]) -> Floats:
        """Return the value of each seed, NaN where there is none."""
        found = []
        for seed in seeds:
            entry = self.entries.get(seed)
            record = None if entry is None else _records(entry.result, group).get(metric)
            value = None if record is None else record.value
            found.append(np.nan if value is None else float(value))
        return np.array(found, dtype=np.float64)

    @property
    def seeds(self) -> list[int]:
        """The seeds that are planned."""
        return [run.options.seed for run in self.runs]


def cells_of(runs: Iterable[PlannedRun]) -> list[CellResults]:
    """Read what is finished, and return the cells in the order of the file.

    Raises:
        DataError: a record or a table of scores that is damaged; names it.
    """
    found: dict[tuple[str, ...], CellResults] = {}
    for run in runs:
        if not run.id:
            continue
        cell = found.setdefault(run.arm, CellResults())
        cell.runs.append(run)
        folder = run.folder
        if folder is not None and folder.is_recorded:
            scores = read_pair_scores(folder.scores)
            cell.entries[run.options.seed] = Entry(
                folder.result, read_result(folder.result), scores
            )
    return [*found.values()]


def main_metrics(cell: CellResults) -> list[str]:
    """Return the metrics of the main table of a cell's protocol; some run must be finished."""
    entries = [*cell.entries.values()]
    [track, *_] = tracks(entries)
    return [*dict.fromkeys(column.metric for column, _ in with_values(track))]


def place_of(cell: CellResults) -> tuple[str, str]:
    """Return the data set and the protocol of a cell."""
    return cell.runs[0].dataset, cell.runs[0].protocol


def with_values(track: Track) -> list[tuple[Column, str]]:
    """Return the main columns in which some row has a value, each with its table."""
    return [
        (column, table)
        for column, table in track.main_columns
        if any(row.tables[table][column].value is not None for row in track.rows)
    ]


def _records(result: Result, group: str | None) -> Mapping[str, MetricRecord]:
    if group is None:
        return result.metrics
    return result.groups[group].metrics if group in result.groups else {}
