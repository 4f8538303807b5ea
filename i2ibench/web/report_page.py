"""A report as a single HTML file: sections of words, tables and charts, made to be printed too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from i2ibench.files import write_text

# Text and small print.
Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts as SVG text below one heading."""

    title: str
    drawn: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report.

    Attributes:
        title: its heading.
        notes: sentences below the table.
        header: of the table; none where there is no table.
        rows: of the table, each cell with its small print.
        words: how many columns from the left are words; the others are numbers.
        charts: below the notes.
    """

    title: str
    notes: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    words: int = 1
    charts: tuple[Charts, ...] = ()


def write_report_page(
    path: Path, title: str, lines: Sequence[str], sections: Sequence[Section]
) -> None:
    """Write a page; every text is escaped, charts are ours."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("i2ibench.web", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report_page.html.j2").render(
        title=title, lines=lines, sections=sections, safe=Markup
    )
    write_text(path, page)
