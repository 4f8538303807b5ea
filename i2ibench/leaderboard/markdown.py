"""A board as markdown for GitHub: compact tables, every claim with its footnote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from i2ibench.leaderboard import text
from i2ibench.leaderboard.places import PlacedRow, Ranking, rank_track
from i2ibench.leaderboard.ranking import RULE
from i2ibench.leaderboard.rows import MACRO, OVERALL, Column, Row, Track
from i2ibench.leaderboard.text import NO_VALUE, Footnotes

# Wider tables do not fit a page of GitHub.
COLUMNS_A_TABLE = 6


def measured_section(track: Track) -> str:
    """Return everything a board says about one track."""
    signatures, notes = Footnotes("1"), Footnotes("a")
    ranking = rank_track(track)
    parts = [_headline(track)]
    columns = track.columns[OVERALL]
    main = [column for column in columns if column.is_main]
    parts.append(_ranked_table(ranking, main, OVERALL, signatures, notes))
    parts.append(_reading(track, ranking))
    parts += [_level(track, level, signatures, notes) for level in track.groups]
    if MACRO in track.columns:
        name = track.dataset.get("group_name") or "group"
        parts.append(f"#### Mean over {name} levels, each level counting the same")
        main = [column for column in track.columns[MACRO] if column.is_main]
        parts.append(_plain_table(ranking, main, MACRO, signatures, notes))
    others = [column for column in columns if not column.is_main]
    if others:
        parts.append("#### Further metrics")
    for start in range(0, len(others), COLUMNS_A_TABLE):
        some = others[start : start + COLUMNS_A_TABLE]
        parts.append(_plain_table(ranking, some, OVERALL, signatures, notes))
    parts.append(_methods(ranking))
    parts.append(_definitions(signatures, notes))
    return "\n\n".join(parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a markdown table; the first ``left`` columns are aligned left, the others right."""
    rule = [":--" if index < left else "--:" for index in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _headline(track: Track) -> str:
    dataset = track.dataset
    direction = f", {dataset['direction']}" if dataset.get("direction") else ""
    pairs = f"{dataset.get('pairs')} pairs of the {dataset.get('split')} split{direction}"
    manifest = str(dataset.get("manifest_sha256") or "")
    hashes = [f"protocol sha256 `{track.protocol_sha256[:12]}`"]
    if manifest:
        hashes.append(f"data sha256 `{manifest[:12]}`")
    return f"### Protocol `{track.protocol}`: {pairs}\n\n<sub>{', '.join(hashes)}</sub>"


def _ranked_table(
    ranking: Ranking,
    columns: Sequence[Column],
    name: str,
    signatures: Footnotes,
    notes: Footnotes,
) -> str:
    header = ["rank", "method", *_headers(ranking, columns, name, signatures, notes)]
    rows = []
    for placed in ranking.rows:
        place = str(placed.place) if placed.place is not None else NO_VALUE
        label = (
            f"{placed.row.label}<br><sub>oracle</sub>"
            if placed.row.is_oracle
            else (placed.row.label)
        )
        cells = [_cell(placed, column, name, ranking, notes) for column in columns]
        rows.append([place, label, *cells])
    return table(header, rows, left=2)


def _plain_table(
    ranking: Ranking,
    columns: Sequence[Column],
    name: str,
    signatures: Footnotes,
    notes: Footnotes,
) -> str:
    header = ["method", *_headers(ranking, columns, name, signatures, notes)]
    unranked = [PlacedRow(placed.row, None) for placed in ranking.rows]
    return table(
        header,
        [
            [placed.row.label, *(_cell(placed, c, name, ranking, notes) for c in columns)]
            for placed in unranked
        ],
    )


def _headers(
    ranking: Ranking,
    columns: Sequence[Column],
    name: str,
    signatures: Footnotes,
    notes: Footnotes,
) -> list[str]:
    headers = []
    for column in columns:
        marks = [signatures.mark(text.column_note(column))]
        cells = [placed.row.tables[name][column] for placed in ranking.rows]
        marks += [notes.mark(note) for note in text.shared_notes(cells)]
        title = f"{text.metric_title(column.metric)} {text.ARROWS[column.better]}".strip()
        headers.append(f"{title}<sup>{','.join(marks)}</sup>")
    return headers


def _cell(placed: PlacedRow, column: Column, name: str, ranking: Ranking, notes: Footnotes) -> str:
    cell = placed.row.tables[name][column]
    if cell.value is None:
        return f"{NO_VALUE}<sup>{notes.mark(cell.reason or 'no value')}</sup>"
    value = text.number(cell.value, column.metric)
    rank = placed.ranks.get(column)
    if rank == 1:
        value = f"**{value}**"
    shared = text.shared_notes([other.row.tables[name][column] for other in ranking.rows])
    own = [notes.mark(note) for note in cell.notes if note not in shared]
    marked = f"{value}<sup>{','.join(own)}</sup>" if own else value
    interval = text.interval(cell.ci95, column.metric, cell.value) if cell.ci95 else ""
    spread = (
        "" if cell.spread is None else f"± {text.number(cell.spread, column.metric, cell.value)}"
    )
    place = "" if rank is None else f"#{rank}"
    return marked + text.small_print(interval, " ".join(part for part in (spread, place) if part))


def _reading(track: Track, ranking: Ranking) -> str:
    sentences = [
        "**Bold**: rank 1 in its column. Small print: 95 % interval of the mean"
        + (_interval_words(track.rows) or "")
        + "; ± standard deviation over seeds; #rank in the column.",
        RULE,
    ]
    if ranking.untested:
        titles = ", ".join(text.metric_title(column.metric) for column in ranking.untested)
        sentences.append(f"{titles}: no scores per pair, so values (and seeds) alone decide.")
    if ranking.columns:
        titles = ", ".join(text.metric_title(column.metric) for column in ranking.columns)
        sentences.append(f"The first column places methods by the mean of their ranks in {titles}.")
    if any(placed.row.is_oracle for placed in ranking.rows):
        sentences.append("An oracle reads the target: a bound to read others against, not ranked.")
    return "<sub>" + " ".join(sentences) + "</sub>"


def _interval_words(rows: Sequence[Row]) -> str | None:
    for row in rows:
        statement = row.result.intervals
        if statement:
            unit = "pairs" if statement.get("unit") == "pair" else "clusters"
            return f" ({statement.get('method')}, {statement.get('resamples')} resamples of {unit})"
    return None


def _level(track: Track, level: str, signatures: Footnotes, notes: Footnotes) -> str:
    ranking = rank_track(track, level)
    name = track.dataset.get("group_name") or "group"
    main = [column for column in track.columns[level] if column.is_main]
    sizes = {
        entry.result.groups[level].n
        for row in track.rows
        for entry in row.entries
        if level in entry.result.groups
    }
    pairs = " or ".join(str(size) for size in sorted(sizes))
    title = f"#### {name} {level}: {pairs} pairs"
    return f"{title}\n\n{_ranked_table(ranking, main, level, signatures, notes)}"


def _methods(ranking: Ranking) -> str:
    header = ["method", "parameters", "training budget", "training time", "hardware", "entries"]
    rows = []
    for placed in ranking.rows:
        row = placed.row
        parameters = row.result.model.get("parameters")
        rows.append(
            [
                row.label,
                f"{parameters:,}" if isinstance(parameters, int) else NO_VALUE,
                text.budget(row),
                text.duration(_mean_cost(row, "train_seconds")),
                text.device(row),
                _links(row),
            ]
        )
    return "#### How they were made\n\n" + table(header, rows)


def _links(row: Row) -> str:
    links = []
    for entry in row.entries:
        result = entry.result
        name = f"seed {result.seed}" if result.seed is not None else "entry"
        verified = ", verified" if result.status == "verified" else ""
        target = f"{entry.path.parent.name}/{entry.path.name}"
        links.append(f"[{name}]({_url(target)}){verified}")
    return ", ".join(links)


def _mean_cost(row: Row, key: str) -> float | None:
    found = [entry.result.cost.get(key) for entry in row.entries]
    numbers = [float(value) for value in found if isinstance(value, int | float)]
    return sum(numbers) / len(numbers) if numbers else None


def _definitions(signatures: Footnotes, notes: Footnotes) -> str:
    lines = ["#### Definitions and remarks", ""]
    lines += [f"- <sup>{mark}</sup> {note}" for mark, note in signatures.lines()]
    lines += [f"- <sup>{mark}</sup> {note}" for mark, note in notes.lines()]
    return "\n".join(lines)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def _url(target: str) -> str:
    return target.replace(" ", "%20").replace("(", "%28").replace(")", "%29")


def page_title(dataset: str, card: Mapping[str, object]) -> str:
    """Return the head of a board."""
    title = f"# {dataset}"
    described = str(card.get("title") or "")
    return f"{title}\n\n{described}" if described else title


def relative_link(path: Path, folder: Path) -> str:
    """Return ``path`` as a link from a page in ``folder``."""
    return _url(path.relative_to(folder).as_posix())
