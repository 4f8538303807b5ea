"""The measured part of a board as markdown for GitHub: compact tables, claims with footnotes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from i2ibench import escaping, wording
from i2ibench.leaderboard import remarks
from i2ibench.leaderboard.placement import PlacedRow, Ranking, rank_track
from i2ibench.leaderboard.remarks import Footnotes, small_print
from i2ibench.leaderboard.rows import MACRO, OVERALL, Column, Row, Track
from i2ibench.statistics.bootstrap import FEWEST_UNITS

# A column, and the table its numbers are from.
Shown = tuple[Column, str]

_IN_LINKS = frozenset("/.-_~+,=@")

# Wider tables do not fit a page of GitHub.
COLUMNS_A_TABLE = 6


def measured_section(track: Track) -> str:
    """Return everything a board says about one track."""
    ranking = rank_track(track)
    tables = _Tables(track.dataset.group_name)
    parts = [_headline(track)]
    parts += _main(ranking, track, tables)
    parts.append(_reading(track, ranking))
    parts += [_level(track, level, tables) for level in track.groups]
    if MACRO in track.columns:
        name = escaping.markdown(track.dataset.group_name or "group")
        of_levels = rank_track(track, MACRO)
        main = _with_values(of_levels, [c for c in track.columns[MACRO] if c.is_main], MACRO)
        parts.append(f"#### Mean over the {name} levels, each level counting the same")
        parts.append(tables.of(of_levels, main, signed=False))
    parts += _further(ranking, track, tables)
    parts.append(_methods(ranking))
    parts.append(tables.definitions())
    return "\n\n".join(parts)


def page_title(dataset: str, card: Mapping[str, object]) -> str:
    """Return the head of a board."""
    described = str(card.get("title") or "")
    title = f"# {escaping.markdown(dataset)}"
    return f"{title}\n\n{escaping.markdown(described)}" if described else title


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a markdown table; the first ``left`` columns are aligned left, the others right."""
    rule = [":--" if index < left else "--:" for index in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


@dataclass(slots=True)
class _Tables:
    """The tables of one track, which share their footnotes; ``groups`` is what its groups are."""

    groups: str | None = None
    signatures: Footnotes = field(default_factory=lambda: Footnotes("1"))
    notes: Footnotes = field(default_factory=lambda: Footnotes("a"))

    def of(self, ranking: Ranking, columns: Sequence[Shown], *, signed: bool = True) -> str:
        """Return a table in the order of ``ranking``, with the ranks that it holds."""
        shared = [
            remarks.shared_notes([placed.row.tables[name][column] for placed in ranking.rows])
            for column, name in columns
        ]
        named = [*zip(columns, shared, strict=True)]
        header = [self._header(*shown, notes, signed=signed) for shown, notes in named]
        rows = []
        for placed in ranking.rows:
            cells = [self._cell(placed, *shown, notes) for shown, notes in named]
            rows.append([self._label(placed.row), *cells])
        return table(["method", *header], rows)

    def absent(self, ranking: Ranking, columns: Sequence[Shown]) -> list[str]:
        """Return a line that names metrics without any value, with the marks of their reasons."""
        named = [
            f"{remarks.title(column.metric)}<sup>{self._reason(ranking, column, name)}</sup>"
            for column, name in columns
        ]
        return [f"Not computed: {', '.join(named)}."] if named else []

    def _reason(self, ranking: Ranking, column: Column, name: str) -> str:
        cells = [placed.row.tables[name][column] for placed in ranking.rows]
        reasons = dict.fromkeys(cell.reason for cell in cells if cell.reason)
        return ",".join(self.notes.mark(reason) for reason in reasons)

    def definitions(self) -> str:
        """Return all footnotes."""
        notes = [(mark, escaping.markdown(note)) for mark, note in self.notes.lines()]
        lines = [*self.signatures.lines(), *notes]
        listed = "\n".join(f"- <sup>{mark}</sup> {note}" for mark, note in lines)
        return f"#### Definitions and remarks\n\n{listed}"

    def _label(self, row: Row) -> str:
        signs = [
            f"{escaping.markdown(sign)}<sup>{self.notes.mark(why)}</sup>"
            for sign, why in remarks.signs(row)
        ]
        said = ", ".join(filter(None, [remarks.kind(row), *signs]))
        return escaping.markdown(row.label) + remarks.small_print(said)

    def _header(
        self, column: Column, name: str, shared: Sequence[str], *, signed: bool = True
    ) -> str:
        marks = [self.signatures.mark(remarks.column_note(column, self.groups))] if signed else []
        marks += [self.notes.mark(note) for note in shared]
        title = remarks.heading(column.metric, column.better)
        if name == MACRO and signed:  # beside columns that are no means over levels
            title += small_print("mean of levels")
        return f"{title}<sup>{','.join(marks)}</sup>" if marks else title

    def _cell(self, placed: PlacedRow, column: Column, name: str, shared: Sequence[str]) -> str:
        cell = placed.cell(column, name)
        said = shared if cell.value is not None else ()  # in the header, of values
        own = [self.notes.mark(note) for note in cell.notes if note not in said]
        value = f"**{cell.text}**" if cell.is_best else cell.text
        marks = f"<sup>{','.join(own)}</sup>" if own else ""
        spread = f"± {cell.deviation}" if cell.deviation else ""
        return value + marks + remarks.small_print(cell.interval, f"{spread} {cell.place}".strip())


def _main(ranking: Ranking, track: Track, tables: _Tables) -> list[str]:
    """Return the main table; its metrics without any value in a line below."""
    known = [shown for shown in track.main_columns if _has_values(ranking, *shown)]
    unknown = [shown for shown in track.main_columns if shown not in known]
    return [tables.of(ranking, known), *tables.absent(ranking, unknown)]


def _headline(track: Track) -> str:
    dataset = track.dataset
    direction = f", {dataset.direction}" if dataset.direction else ""
    pairs = escaping.markdown(f"{dataset.pairs} pairs of the {dataset.split} split{direction}")
    hashes = [f"protocol sha256 {escaping.code(track.protocol_sha256[:12])}"]
    manifest = str(dataset.manifest_sha256 or "")
    if manifest:
        hashes.append(f"data sha256 {escaping.code(manifest[:12])}")
    return (
        f"### Protocol {escaping.code(track.protocol)}: {pairs}\n\n<sub>{', '.join(hashes)}</sub>"
    )


def _reading(track: Track, ranking: Ranking) -> str:
    made = remarks.interval_words(track)
    sentences = [escaping.markdown(made)] if made else []
    sentences += [*remarks.hidden_clusters(track), *remarks.ranking_words(ranking)]
    return remarks.small_print(" ".join(sentences)).removeprefix("<br>")


def _level(track: Track, level: str, tables: _Tables) -> str:
    ranking = rank_track(track, level)
    main = _with_values(ranking, [c for c in track.columns[level] if c.is_main], level)
    sizes = {
        entry.result.groups[level].n
        for row in track.rows
        for entry in row.entries
        if level in entry.result.groups
    }
    pairs = " or ".join(str(size) for size in sorted(sizes))
    unit = "pair" if pairs == "1" else "pairs"
    name = escaping.markdown(f"{track.dataset.group_name or 'group'} {level}")
    title = f"#### {name}: {pairs} {unit}"
    parts = [title, tables.of(ranking, main)]
    if ranking.units < FEWEST_UNITS:
        count = "1 unit proves" if ranking.units == 1 else f"{ranking.units} units prove"
        parts.append(f"<sub>Not ranked: {count} no difference.</sub>")
    return "\n\n".join(parts)


def _further(ranking: Ranking, track: Track, tables: _Tables) -> list[str]:
    """Return tables of the metrics beside the main ones; those without any value in a line."""
    others = [column for column in track.columns[OVERALL] if not column.is_main]
    known = _with_values(ranking, others, OVERALL)
    parts = ["#### Further metrics"] if others else []
    chunks = range(0, len(known), COLUMNS_A_TABLE)
    parts += [tables.of(ranking, known[i : i + COLUMNS_A_TABLE]) for i in chunks]
    unknown = [(column, OVERALL) for column in others if (column, OVERALL) not in known]
    return parts + tables.absent(ranking, unknown)


def _with_values(ranking: Ranking, columns: Sequence[Column], name: str) -> list[Shown]:
    """Return the columns of a table in which some row has a value."""
    return [(column, name) for column in columns if _has_values(ranking, column, name)]


def _has_values(ranking: Ranking, column: Column, name: str) -> bool:
    return any(placed.row.tables[name][column].value is not None for placed in ranking.rows)


def _methods(ranking: Ranking) -> str:
    header = ["method", "parameters", "training budget", "training time", "hardware", "entries"]
    rows = []
    for placed in ranking.rows:
        row = placed.row
        rows.append(
            [
                escaping.markdown(row.label) + remarks.small_print(*remarks.described(row)),
                remarks.parameters(row),
                escaping.markdown(remarks.budget(row)),
                wording.duration(remarks.mean_cost(row, "train_seconds")),
                escaping.markdown(remarks.device(row)),
                _links(row),
            ]
        )
    return "#### How they were made\n\n" + table(header, rows)


def _links(row: Row) -> str:
    links = []
    for entry in row.entries:
        result = entry.result
        name = f"seed {result.seed}" if result.seed is not None else "entry"
        status = "" if result.status == "measured" else f", {result.status}"
        links.append(f"[{name}]({link(f'{entry.path.parent.name}/{entry.path.name}')}){status}")
    return ", ".join(links)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def link(target: str) -> str:
    """Return the target of a link to a file beside the page."""
    # Letters stay readable; whatever could end the link, or begin a tag, does not.
    return "".join(each if each.isalnum() or each in _IN_LINKS else quote(each) for each in target)
