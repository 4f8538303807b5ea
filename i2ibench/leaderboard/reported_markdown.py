"""The part of a board that shows reported results: apart, group by group, with their sources."""

from __future__ import annotations

from collections.abc import Sequence

from scipy import stats

from i2ibench import wording
from i2ibench.escaping import markdown
from i2ibench.leaderboard import remarks
from i2ibench.leaderboard.markdown import COLUMNS_A_TABLE, table
from i2ibench.leaderboard.remarks import Footnotes
from i2ibench.leaderboard.reported import Reported, ReportedEntry
from i2ibench.leaderboard.reported_table import (
    BESIDE,
    Beside,
    ReportedRow,
    beside_measured,
    level_rows,
    reported_rows,
)
from i2ibench.leaderboard.rows import Track
from i2ibench.metrics.presentation import direction, metric_title, table_order
from i2ibench.results.cells import NumberCell
from i2ibench.wording import NO_VALUE

# Fewer rows than this make a rank correlation meaningless.
_FEWEST_FOR_CORRELATION = 8

_INTRODUCTION = """## Reported in the literature

Numbers as their sources print them; nothing here was computed by i2ibench except where it says \
so. They are never ranked against measured ones. Rows compare only within one table, and FID \
means nothing across tables."""


def reported_section(groups: Sequence[Reported], tracks: Sequence[Track]) -> str:
    """Return the reported results of a data set, and measured minus reported where both exist."""
    if not groups:
        return ""
    parts = [_INTRODUCTION, *(_group(group) for group in groups)]
    difference = _differences(groups, tracks)
    if difference:
        parts.append(difference)
    return "\n\n".join(parts)


def _group(reported: Reported) -> str:
    notes = Footnotes("a")
    rows = reported_rows(reported)
    parts = [f"### {markdown(reported.group.title)}", *_protocol(reported)]
    columns = _columns(rows)
    parts.append(_table(rows, columns[:COLUMNS_A_TABLE], reported, notes))
    for start in range(COLUMNS_A_TABLE, len(columns), COLUMNS_A_TABLE):
        further = _table(rows, columns[start : start + COLUMNS_A_TABLE], reported, notes)
        parts.append(_folded("Further numbers", further))
    for level, (pairs, level_table) in level_rows(reported).items():
        title = f"HER2 {markdown(level)}: {pairs} pairs, computed from the scores per pair"
        shown = _table(level_table, _columns(level_table), reported, notes)
        parts.append(_folded(title, shown))
    parts += _remarks(reported)
    if notes.notes:
        parts.append(
            "\n".join(f"- <sup>{mark}</sup> {markdown(note)}" for mark, note in notes.lines())
        )
    return "\n\n".join(parts)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def _protocol(reported: Reported) -> list[str]:
    lines = []
    if reported.id is None:
        lines.append(
            "Each row has a protocol of its own or an unknown one: no two of them can be compared."
        )
    shared = _shared_origin(reported)
    if shared:
        lines.append(f"Source: {markdown(shared)}.")
    if reported.group.protocol:
        lines.append(f"Protocol: {markdown(reported.group.protocol)}.")
    return [" ".join(lines)] if lines else []


def _columns(rows: Sequence[ReportedRow]) -> list[str]:
    return sorted({metric for row in rows for metric in row.cells}, key=table_order)


def _table(
    rows: Sequence[ReportedRow], columns: Sequence[str], reported: Reported, notes: Footnotes
) -> str:
    header = ["method", *(remarks.heading(metric, direction(metric)) for metric in columns)]
    shown = [row for row in rows if any(metric in row.cells for metric in columns)]
    return table(
        header,
        [
            [_label(row, reported, notes), *(_cell(row, metric) for metric in columns)]
            for row in shown
        ],
    )


def _label(row: ReportedRow, reported: Reported, notes: Footnotes) -> str:
    if row.entry is None:
        return markdown(row.method)
    marks = [notes.mark(note) for note in _entry_notes(reported, row, row.entry)]
    mark = f"<sup>{','.join(marks)}</sup>" if marks else ""
    training = [f"on {markdown(row.entry.trained_on)}"] if row.entry.trained_on else []
    if row.entry.training_hours is not None:
        training.append(wording.duration(row.entry.training_hours * 3600))
    trained = remarks.small_print(", ".join(training)) if training else ""
    return f"{markdown(row.method)}{mark}{trained}"


def _cell(row: ReportedRow, metric: str) -> str:
    cell = row.cell(metric)
    value = cell.text
    mean = row.cells[metric].mean if metric in row.cells else None
    if cell.value is None or mean is None:
        return value
    apart = row.cells[metric].own_mean
    own = "" if apart is None else f"own scores: {NumberCell(apart, metric).text}"
    place = f" {cell.place}" if cell.place else ""
    return value + remarks.small_print(own, cell.interval + place)


def _entry_notes(reported: Reported, row: ReportedRow, entry: ReportedEntry) -> list[str]:
    notes = []
    if entry.conditioned_on_label:
        notes.append("Told the HER2 level of each source: not comparable with label-free methods.")
    if not _shared_origin(reported):
        notes.append(f"{_origin(entry)}.")
    if entry.remark:
        notes.append(f"Also reported: {entry.remark}.")
    apart = [
        f"{metric_title(metric)} {cell.value} but {cell.mean:.4f} by its scores per pair"
        for metric, cell in row.cells.items()
        if cell.own_mean is not None
    ]
    if apart:
        notes.append(f"Does not follow from its source's own table: {', '.join(apart)}.")
    return notes


def _origin(entry: ReportedEntry) -> str:
    quoted = f", quoted by {entry.quoted_by}" if entry.quoted_by else ""
    protocol = f"; {entry.protocol}" if entry.protocol else ""
    return f"{entry.source}{quoted}{protocol}"


def _shared_origin(reported: Reported) -> str | None:
    """Return the origin that all entries share, to be said once; None where they differ."""
    origins = {_origin(entry) for entry in reported.entries}
    return origins.pop() if len(origins) == 1 else None


def _remarks(reported: Reported) -> list[str]:
    remarks = [markdown(each) for each in reported.group.remarks]
    if reported.pair_scores:
        remarks.append(
            "Intervals, tests and levels are computed here from the published scores per pair, "
            "each method's of one set of weights: +3 -1 of 7 are surely better than 3 and surely "
            "worse than 1 of the 7 others. Nothing is known of other seeds, so nothing is ranked."
        )
    elif reported.id is not None and len(reported.entries) > 1:
        remarks.append(
            "Without scores per pair nothing says whether a value is really better than the next, "
            "so nothing is ranked or bold."
        )
    both = [e.metrics for e in reported.entries if {"psnr", "lpips"} <= set(e.metrics)]
    if reported.id is not None and len(both) >= _FEWEST_FOR_CORRELATION:
        found = stats.spearmanr([m["psnr"] for m in both], [m["lpips"] for m in both])
        word = "worse" if found.statistic > 0 else "better"
        remarks.append(
            f"Over these {len(both)} rows, better PSNR goes with {word} LPIPS "
            f"(Spearman {found.statistic:+.2f})."
        )
    return [f"<sub>{' '.join(remarks)}</sub>"] if remarks else []


def _differences(groups: Sequence[Reported], tracks: Sequence[Track]) -> str | None:
    """Return measured minus reported where a measured model implements a reported method."""
    rows = []
    for found in beside_measured(groups, tracks):
        said = (found.row.label, found.track.protocol, found.entry.method, found.entry.source)
        differences = [_difference(found, metric) for metric in BESIDE]
        rows.append([*map(markdown, said), *differences])
    if not rows:
        return None
    header = ["measured", "protocol", "reported", "source", "Δ PSNR", "Δ SSIM"]
    return (
        "### Measured minus reported\n\nProtocols and budgets differ or are unknown, so a "
        "difference is no error of either side. FID is left out: it means nothing across "
        f"protocols.\n\n{table(header, rows, left=4)}"
    )


def _difference(found: Beside, metric: str) -> str:
    if metric not in found.numbers:
        return NO_VALUE
    measured, reported = found.numbers[metric]
    return f"{measured - reported:+.{2 if metric == 'psnr' else 3}f}"
