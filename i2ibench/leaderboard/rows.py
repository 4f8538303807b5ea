"""Entries as rows and columns: seeds of one method joined, columns of one signature each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from i2ibench.evaluation.protocol import DEFAULT_MAIN
from i2ibench.evaluation.scores import Better
from i2ibench.leaderboard.entries import Entry
from i2ibench.leaderboard.interval_cache import KeptIntervals, intervals_key
from i2ibench.metrics.presentation import table_order
from i2ibench.results.evaluation_intervals import (
    KEYS,
    Estimate,
    ScoreIntervals,
    interval_of,
    score_intervals,
)
from i2ibench.results.methods import is_one_set_of_weights, method_key, method_labels
from i2ibench.results.record import DatasetRecord, MetricRecord, ProtocolRecord, Result

# What the numbers of a table are over.
OVERALL, MACRO = "", "macro mean"


@dataclass(frozen=True, slots=True)
class Column:
    """A metric under one signature.

    Attributes:
        metric: its name.
        signature: empty where nobody has a value.
        unit: of its values.
        better: the direction of improvement.
        is_main: whether it stands in the main table; further metrics have tables of their own.
        is_ranked: whether it counts for ranks.
    """

    metric: str
    signature: str
    unit: str
    better: Better | None
    is_main: bool
    is_ranked: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of a table.

    Attributes:
        value: the mean over seeds; None where there is none (``reason``).
        n: pairs it rests on.
        ci95: interval over pairs (or clusters).
        seeds: the value of every seed.
        reason: why there is no value.
        notes: marks that came with the number.
    """

    value: float | None
    n: int = 0
    ci95: tuple[float, float] | None = None
    seeds: tuple[float, ...] = ()
    reason: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def spread(self) -> float | None:
        """The sample standard deviation over seeds, or None of a single one."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else None


@dataclass(frozen=True)
class Row:
    """A method: all entries that differ in nothing but their seed."""

    label: str
    entries: tuple[Entry, ...]
    tables: Mapping[str, Mapping[Column, Cell]] = field(default_factory=dict)

    @property
    def result(self) -> Result:
        """The first entry's result; what the entries share can be read from it."""
        return self.entries[0].result

    @property
    def is_oracle(self) -> bool:
        """Whether the method reads the target, or its authors say that it has seen it."""
        model = self.result.model
        return bool(model.uses_target) or model.saw_test_targets

    @property
    def is_method(self) -> bool:
        """Whether the entries bear claims about a method, not about one set of weights alone."""
        return not is_one_set_of_weights([entry.result for entry in self.entries])

    @property
    def first_of_each_seed(self) -> tuple[Entry, ...]:
        """The entries that tests may count as seeds: one added twice is one seed."""
        return tuple({entry.result.seed: entry for entry in reversed(self.entries)}.values())[::-1]

    @cached_property
    def pair_scores(self) -> pd.DataFrame | None:
        """Scores per pair, the mean over seeds; None where an entry has none."""
        tables = [
            entry.pair_scores.sort_values("id").reset_index(drop=True)
            for entry in self.entries
            if entry.pair_scores is not None
        ]
        if len(tables) < len(self.entries):
            return None
        first = tables[0]
        if any(list(table["id"]) != list(first["id"]) for table in tables):
            return None
        shared = [n for n in first.columns if all(n in table.columns for table in tables)]
        metrics = [name for name in shared if name not in KEYS]
        mean = np.mean([table[metrics].to_numpy(np.float64) for table in tables], axis=0)
        joined: pd.DataFrame = first[list(KEYS)].copy()
        joined[metrics] = mean
        return joined

    @cached_property
    def intervals(self) -> ScoreIntervals | None:
        """Intervals of the scores' mean over seeds; None where scores per pair are missing.

        They are made here in the present way, so that all rows of a table are read alike, whatever
        way their records name.
        """
        return None if self.pair_scores is None else score_intervals(self.pair_scores)


@dataclass(frozen=True, slots=True)
class Track:
    """Rows that may be compared: the same pairs under the same protocol.

    ``columns`` belong to each table: ``OVERALL``, every group, ``MACRO``. Settings that follow from
    the number of pairs (the subsets of KID) make a group's signature another than the whole's.
    ``endpoints`` are the metrics that may rank, the first primary endpoint first; ``of_levels``
    those of them whose mean over groups decides, each group counting the same.
    """

    dataset: DatasetRecord
    protocol: str
    protocol_sha256: str
    columns: Mapping[str, tuple[Column, ...]]
    rows: tuple[Row, ...]
    groups: tuple[str, ...]
    endpoints: tuple[str, ...]
    of_levels: tuple[str, ...] = ()

    @property
    def main_columns(self) -> list[tuple[Column, str]]:
        """The columns of the main table, and the table each number is from.

        That is ``OVERALL``, but ``MACRO`` of an endpoint whose mean over groups decides.
        """
        shown = []
        for column in self.columns[OVERALL]:
            if not column.is_main:
                continue
            macro = [c for c in self.columns.get(MACRO, ()) if c.metric == column.metric]
            if column.metric in self.of_levels and macro:
                shown += [(each, MACRO) for each in macro if (each, MACRO) not in shown]
            else:
                shown.append((column, OVERALL))
        return shown


def tracks(entries: Iterable[Entry], *, use_cache: bool = True) -> list[Track]:
    """Arrange entries into tracks, most rows first; within a track into rows and columns.

    With ``use_cache`` intervals are taken from the cache where they are there, and kept in it.
    """
    by_track: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        by_track.setdefault(track_key(entry.result), []).append(entry)
    made = [_track(group, use_cache) for group in by_track.values()]
    return sorted(made, key=_display_place)


def _display_place(track: Track) -> tuple[int, str, str]:
    described = sorted(track.dataset.model_dump(mode="json").items())
    return -len(track.rows), track.protocol, str(described)


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Sort key under which 2+ stands before 10+."""
    parts = re.split(r"(\d+)", text)
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in parts if p)


def track_key(result: Result) -> tuple[str, ...]:
    """Identify a track: the pairs, the direction and the protocol."""
    dataset = result.dataset
    named = ("split", "direction", "manifest_sha256", "pairs")
    described = (str(getattr(dataset, key)) for key in named)
    rules = (str(value) for value in result.protocol.model_dump().values())
    return (*rules, *described)


def _track(entries: list[Entry], use_cache: bool) -> Track:
    first = entries[0].result
    groups = sorted({name for entry in entries for name in entry.result.groups}, key=natural)
    names = [OVERALL, *groups, *([MACRO] if any(e.result.macro for e in entries) else [])]
    columns = {
        name: _columns([_records(entry.result, name) for entry in entries], first.protocol)
        for name in names
    }
    rows = [
        _arranged(row, columns, intervals)
        for row, intervals in _with_intervals(_rows(entries), track_key(first), use_cache)
    ]
    return Track(
        dataset=first.dataset,
        protocol=first.protocol.id,
        protocol_sha256=first.protocol.sha256,
        columns=columns,
        rows=tuple(rows),
        groups=tuple(groups),
        endpoints=_endpoints(first.protocol),
        of_levels=_of_levels(first.protocol),
    )


def _of_levels(protocol: ProtocolRecord) -> tuple[str, ...]:
    said = protocol.endpoints
    return said.primary if said is not None and said.primary_mean == "groups" else ()


def _endpoints(protocol: ProtocolRecord) -> tuple[str, ...]:
    if protocol.endpoints is not None:
        return (*protocol.endpoints.primary, *protocol.endpoints.secondary)
    main = protocol.main or DEFAULT_MAIN
    return main if protocol.ranked is None else tuple(n for n in protocol.ranked if n in main)


def column_record(entry: Entry, column: Column, table: str) -> MetricRecord | None:
    """Return what an entry's record says under ``column``; None under another definition."""
    record = _records(entry.result, table).get(column.metric)
    return record if record is not None and record.signature == column.signature else None


def _records(result: Result, table: str) -> Mapping[str, MetricRecord]:
    if table == OVERALL:
        return result.metrics
    if table == MACRO:
        return result.macro
    return result.groups[table].metrics if table in result.groups else {}


def _rows(entries: list[Entry]) -> list[Row]:
    methods: dict[str, list[Entry]] = {}
    for entry in entries:
        methods.setdefault(method_key(entry.result), []).append(entry)
    labels = method_labels([group[0].result for group in methods.values()])
    return [
        Row(label, tuple(sorted(group, key=lambda e: (e.result.seed or 0, e.path.name))))
        for label, group in zip(labels, methods.values(), strict=True)
    ]


def _columns(
    tables: Sequence[Mapping[str, MetricRecord]], protocol: ProtocolRecord
) -> tuple[Column, ...]:
    """Return one column a metric and signature; an unavailable metric joins its namesake."""
    main, endpoints = protocol.main or DEFAULT_MAIN, _endpoints(protocol)

    def column(name: str, record: MetricRecord) -> Column:
        ranks = record.better is not None and name in endpoints
        return Column(name, record.signature, record.unit, record.better, name in main, ranks)

    found: dict[tuple[str, str], Column] = {}
    metrics: dict[str, MetricRecord] = {}
    for table in tables:
        for name, record in table.items():
            metrics.setdefault(name, record)
            if record.signature and record.value is not None:
                found.setdefault((name, record.signature), column(name, record))
    for name, record in metrics.items():
        if not any(known == name for known, _ in found):
            found[name, ""] = column(name, record)

    return tuple(sorted(found.values(), key=lambda c: (*table_order(c.metric, main), c.signature)))


def _with_intervals(
    rows: Sequence[Row], track: Sequence[str], use_cache: bool
) -> Iterator[tuple[Row, ScoreIntervals | None]]:
    """Yield each row with its intervals."""
    if not use_cache:
        yield from ((row, row.intervals) for row in rows)
        return
    kept = KeptIntervals(track)
    for row in rows:
        tables = [entry.pair_scores for entry in row.entries]
        names = {str(name) for table in tables if table is not None for name in table.columns}
        whole = all(table is not None for table in tables)
        key = intervals_key((e.result for e in row.entries), sorted(names)) if whole else None
        found = kept.get(key)
        if found is None:
            found = row.intervals
            kept.put(key, found)
        yield row, found
    kept.flush()


def _arranged(
    row: Row, columns: Mapping[str, tuple[Column, ...]], intervals: ScoreIntervals | None
) -> Row:
    """Return a row with its tables and its intervals, so that nobody makes them again."""
    arranged = replace(row, tables=_tables(row, columns, intervals))
    vars(arranged)["intervals"] = intervals
    return arranged


def _tables(
    row: Row, columns: Mapping[str, tuple[Column, ...]], intervals: ScoreIntervals | None
) -> dict[str, dict[Column, Cell]]:
    tables = {}
    for name, own in columns.items():
        records = [_records(entry.result, name) for entry in row.entries]
        cells = {column: _cell(column, [r.get(column.metric) for r in records]) for column in own}
        if intervals is not None:
            known = {OVERALL: intervals.overall, MACRO: intervals.macro}.get(
                name, intervals.groups.get(name, {})
            )
            cells = {c: _with_interval(cell, known.get(c.metric)) for c, cell in cells.items()}
        tables[name] = cells
    return tables


def _with_interval(cell: Cell, estimate: Estimate | None) -> Cell:
    """Return the cell with the interval of the present way; without scores the record's own."""
    return cell if estimate is None else replace(cell, ci95=interval_of(cell.value, estimate))


def _cell(column: Column, records: Sequence[MetricRecord | None]) -> Cell:
    known = [record for record in records if record is not None]
    values = [r.value for r in known if r.value is not None and r.signature == column.signature]
    if not known:
        return Cell(None, reason="not among the metrics of this entry")
    if not values:
        reason = next((r.unavailable for r in known if r.unavailable), None)
        notes = known[0].notes
        elsewhere = "computed under another signature"
        return Cell(None, known[0].n, reason=reason or "; ".join(notes) or elsewhere)
    notes = tuple(dict.fromkeys(note for record in known for note in record.notes))
    if len(values) < len(records):
        notes = (*notes, f"{len(values)} of {len(records)} seeds")
    ci95 = known[0].ci95 if len(records) == 1 else None
    return Cell(float(np.mean(values)), known[0].n, ci95, tuple(values), None, notes)
