"""The report of a campaign: one page, and the same as markdown, from the runs that are finished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from i2ibench import escaping
from i2ibench.campaigns.campaign_names import model_option
from i2ibench.campaigns.cell_results import cells_of
from i2ibench.campaigns.report_sections import (
    cost_sections,
    curve_sections,
    method_sections,
)
from i2ibench.campaigns.seed_sections import endpoint_sections, varied_sections
from i2ibench.errors import DataError
from i2ibench.files import write_text
from i2ibench.leaderboard.markdown import table
from i2ibench.leaderboard.remarks import small_print
from i2ibench.notebook import Printed, Table
from i2ibench.web.report_page import Section, write_report_page
from i2ibench.wording import count

if TYPE_CHECKING:
    from i2ibench.campaigns.campaign import Campaign


@dataclass(frozen=True, repr=False)
class Report(Printed):
    """What the finished runs of a campaign say.

    Attributes:
        title: of the campaign.
        lines: how much of it is finished.
        sections: in their order, the endpoint first.
    """

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]

    def to_markdown(self) -> str:
        """Return it as markdown; curves stand on the page alone."""
        parts = [f"# {escaping.markdown(self.title)}"]
        parts += [escaping.markdown(line) for line in self.lines]
        for section in self.sections:
            if section.rows or not section.charts:
                parts += _markdown(section)
        return "\n\n".join(parts) + "\n"

    def write(self, folder: str | Path, name: str) -> list[Path]:
        """Write ``<name>.html`` and ``<name>.md`` into a folder; return both paths."""
        page, text = (Path(folder) / f"{name}.{kind}" for kind in ("html", "md"))
        write_report_page(page, self.title, self.lines, self.sections)
        write_text(text, self.to_markdown())
        return [page, text]

    def _lines(self) -> Sequence[str]:
        return [self.title, *self.lines]

    def _tables(self) -> Iterable[Table]:
        for section in self.sections:
            rows = [[" ".join(filter(None, cell)) for cell in row] for row in section.rows]
            if rows:
                yield section.title, section.header, rows


def report_of(campaign: Campaign) -> Report:
    """Return the report of a campaign.

    Raises:
        DataError: no run is finished, or a record is damaged.
        UsageError: the endpoint names what the campaign has not.
    """
    cells = cells_of(campaign.runs)
    if not any(cell.entries for cell in cells):
        raise DataError(
            f"{campaign.file}: no run is finished in {campaign.places.output}; make them with: "
            f"i2ibench campaign run {campaign.file}"
        )
    sections = []
    endpoint = campaign.content.endpoint
    if endpoint is not None:
        folder = campaign.file.parent
        models = {name: model_option(name, folder) for name in endpoint.models}
        sections += endpoint_sections(endpoint, cells, models)
    sections += method_sections(cells)
    sections += varied_sections(cells)
    sections += cost_sections(cells)
    sections += _unfinished(campaign)
    sections += curve_sections(cells)
    done = sum(len(cell.entries) for cell in cells)
    lines = [f"{done} of {count(len(campaign.runs), 'run')} finished."]
    if done < len(campaign.runs):
        lines.append("What is not finished is in no table, and is listed below.")
    return Report(f"Campaign {campaign.name}", (*lines, *campaign.planned.remarks), tuple(sections))


def _unfinished(campaign: Campaign) -> list[Section]:
    rows = [
        ((run.id or "–", ""), (run.title, ""), (state.text, state.reason))
        for run, state in zip(campaign.runs, campaign.states(), strict=True)
        if run.folder is None or not run.folder.is_recorded
    ]
    if not rows:
        return []
    return [Section("Not finished", (), ("run", "what", "state"), tuple(rows), words=3)]


def _markdown(section: Section) -> list[str]:
    parts = [f"## {escaping.markdown(section.title)}"]
    if section.rows:
        rows = [
            [escaping.markdown(text) + small_print(escaping.markdown(small)) for text, small in row]
            for row in section.rows
        ]
        header = [escaping.markdown(name) for name in section.header]
        parts.append(table(header, rows, left=section.words))
    return [*parts, *map(escaping.markdown, section.notes)]
