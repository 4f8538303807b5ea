"""The report of a study as plain tables, for a terminal and for markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from i2ibench import escaping
from i2ibench.notebook import Table
from i2ibench.studies.reader_agreement import TwoReaders
from i2ibench.studies.readings import LevelReading, RealOrNot
from i2ibench.wording import NO_VALUE, duration

if TYPE_CHECKING:
    from i2ibench.studies.report import StudyReport


def report_tables(report: StudyReport) -> list[Table]:
    """Return title, header and rows of every table that has rows."""
    return [each for each in _tables(report) if each[2]]


def report_markdown(report: StudyReport) -> str:
    """Return the report as markdown; texts of others stand in it as they are."""
    parts = [f"# Reader study on {escaping.markdown(report.dataset)}", ""]
    parts += [f"Study {escaping.code(report.study)}.", ""]
    for note in report.notes:
        parts += [escaping.markdown(note), ""]
    for title, header, rows in report_tables(report):
        parts += [f"## {escaping.markdown(title)}", ""]
        parts += [_line(header), _line(["---"] * len(header))]
        parts += [_line(row) for row in rows]
        parts.append("")
    return "\n".join(parts)


def _line(cells: Sequence[str]) -> str:
    shown = [escaping.markdown(each).replace("|", "\\|") for each in cells]
    return f"| {' | '.join(shown)} |"


def _tables(report: StudyReport) -> Iterator[Table]:
    yield (
        "readers",
        ["reader", "answered", "of", "not read", "time"],
        [
            [
                each.code,
                str(each.answered),
                str(each.asked),
                str(each.unread),
                duration(each.seconds),
            ]
            for each in report.readers
        ],
    )
    if report.level_name is not None:
        name = f"{report.level_name} level"
        for by, readings in report.readings.items():
            header = [by.partition(",")[0], "answers", "accuracy", "kappa", "read less true"]
            title = f"{name} read against the slide's, by {by}"
            yield title, header, [_reading(each) for each in readings if each.accuracy.n]
        yield (
            f"agreement published for {name}s",
            ["readers", "cases", "agreement", "source"],
            [[each.readers, each.cases, each.agreement, each.source] for each in report.ceilings],
        )
    header = ["images", "answers", "taken for real"]
    rows = [_maker(each) for each in report.real_by_maker]
    yield "real or generated, by what made the images", header, [each for each in rows if each]
    yield (
        "real or generated, by reader",
        ["reader", "real called real", "generated called real", "balanced accuracy"],
        [_said(each) for each in report.real_by_reader if _seen(each)],
    )
    yield from _preferences(report)
    yield from _agreement(report)
    yield from _metrics(report)


def _reading(found: LevelReading) -> list[str]:
    return [
        found.name,
        str(found.accuracy.n),
        found.accuracy.text(),
        found.kappa.text(),
        found.shift.text(signed=True),
    ]


def _seen(found: RealOrNot) -> int:
    return found.real_called_real.n + found.generated_called_real.n


def _maker(found: RealOrNot) -> list[str]:
    shown = found.real_called_real if found.real_called_real.n else found.generated_called_real
    return [found.name, str(shown.n), shown.text()] if shown.n else []


def _said(found: RealOrNot) -> list[str]:
    balanced = found.balanced_accuracy
    return [
        found.name,
        found.real_called_real.text(),
        found.generated_called_real.text(),
        NO_VALUE if balanced is None else f"{balanced:.2f}",
    ]


def _preferences(report: StudyReport) -> Iterator[Table]:
    found = report.strengths
    order = sorted(range(len(found.makers)), key=lambda i: -(found.share_won[i].value or 0))
    title = "preferences (Bradley-Terry; strength 0 is the mean)"
    header = ["images", "comparisons", "strength", "share won"]
    yield (
        title,
        header,
        [
            [
                found.makers[i],
                str(found.share_won[i].n),
                found.strength[i].text(signed=True),
                found.share_won[i].text(),
            ]
            for i in order
        ],
    )
    if found.makers:
        header = ["won by, against", *(found.makers[i] for i in order)]
        rows = [
            [found.makers[i], *(NO_VALUE if i == j else f"{found.wins[i][j]:g}" for j in order)]
            for i in order
        ]
        yield f"comparisons won; chosen on the left: {found.left_chosen.text()}", header, rows


def _agreement(report: StudyReport) -> Iterator[Table]:
    header = ["readers", "level kappa", "same level", "same real or not", "same choice"]
    yield (
        "agreement between readers",
        header,
        [[f"{each.first}, {each.second}", *_two(each)] for each in report.between],
    )
    found = report.alphas
    if len(report.readers) > 1:
        rows = [
            [what, str(each.n), each.text()]
            for what, each in (
                ("level (ordinal)", found.level),
                ("real or generated (nominal)", found.real),
                ("choice (ordinal)", found.choice),
            )
            if each.n
        ]
        why = f"; {found.unavailable}" if found.unavailable else ""
        rows = rows or [["all", "0", NO_VALUE]]
        yield f"Krippendorff's alpha over all readers{why}", ["of", "answers", "alpha"], rows
    again = [each for each in report.within if each.same_real.n or each.same_choice.n]
    yield (
        "agreement of readers with themselves",
        header,
        [[each.first, *_two(each)] for each in again],
    )


def _two(found: TwoReaders) -> list[str]:
    parts = (found.level_kappa, found.same_level, found.same_real, found.same_choice)
    return [each.text() for each in parts]


def _metrics(report: StudyReport) -> Iterator[Table]:
    by_pair = [each for each in report.metrics if each.same_choice.n or each.looks_real.n]
    by_pair.sort(key=lambda each: -(each.same_choice.value or 0))
    yield (
        "which metrics agree with the readers, by pair",
        ["metric", "comparisons", "same choice", "r preference", "r looks real", "r level right"],
        [
            [
                each.metric,
                str(each.same_choice.n),
                each.same_choice.text(),
                each.preference.text(signed=True),
                each.looks_real.text(signed=True),
                each.level_right.text(signed=True),
            ]
            for each in by_pair
        ],
    )
    by_method = [
        (each, (each.method_preference, each.method_looks_real, each.method_level_right))
        for each in report.metrics
    ]
    yield (
        "which metrics agree with the readers, by method (rank correlation over methods)",
        ["metric", "methods", "preference", "looks real", "level right"],
        [
            [each.metric, str(max(p.n for p in parts)), *(p.text(signed=True) for p in parts)]
            for each, parts in by_method
            if any(part.value is not None for part in parts)
        ],
    )
