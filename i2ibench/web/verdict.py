"""Where a result stands among the methods of its board, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from i2ibench.leaderboard.board import Board
from i2ibench.leaderboard.placement import PlacedRow, Ranking, rank_track
from i2ibench.leaderboard.rows import MACRO, Column, Track
from i2ibench.metrics.presentation import column_title
from i2ibench.results.cells import NumberCell
from i2ibench.results.record import Result
from i2ibench.web.charts import Interval, interval_bar, shared_scale
from i2ibench.wording import count

# Of a longer board the page shows the neighbours alone.
_MOST_ROWS = 15


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A method of the board in the column that orders it.

    Attributes:
        label: of the method.
        cell: its number with interval and rank.
        bar: the same as a picture.
        kind: ``chosen`` for the page's own, ``aside`` for what is shown and never ranked.
    """

    label: str
    cell: NumberCell
    bar: Markup
    kind: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the board says of a result.

    Attributes:
        column: the title of the column that orders the board.
        sentence: the place, and how sure it is.
        rows: the methods in the order of the board, the nearest ones of a long board.
        left_out: how many further methods the board has.
        places: title, number and place of every ranked column.
        scale: what the borders of the bars stand for, as words.
        units: what was tested, in words.
    """

    column: str
    sentence: str
    rows: tuple[VerdictRow, ...]
    left_out: int
    places: tuple[tuple[str, NumberCell], ...]
    scale: tuple[str, str]
    units: str


def verdict_of(board: Board, result: Result) -> Verdict | None:
    """Return where ``result`` stands; None where the board does not hold it, or ranks nothing."""
    for track in board.tracks:
        own = [i for i, row in enumerate(track.rows) if _holds(row.entries, result)]
        if own:
            return _verdict(track, rank_track(track), track.rows[own[0]].label)
    return None


def _holds(entries: tuple[object, ...], result: Result) -> bool:
    known = [getattr(entry, "result", None) for entry in entries]
    return any(
        each is not None
        and (each.run_id, each.pair_scores_sha256) == (result.run_id, result.pair_scores_sha256)
        for each in known
    )


def _verdict(track: Track, ranking: Ranking, label: str) -> Verdict | None:
    column = ranking.ordered_by
    own = next((each for each in ranking.rows if each.row.label == label), None)
    if column is None or own is None:
        return None
    tables = dict(track.main_columns)
    table = tables.get(column, "")
    over = f", mean over {track.dataset.group_name or 'group'}" if table == MACRO else ""
    title = f"{column_title(column.metric, column.better)}{over}"
    shown = _near(ranking.rows, own)
    cells = [each.cell(column, table) for each in shown]
    scale = shared_scale([n for cell in cells for n in (cell.value, *(cell.ci95 or ()))])
    return Verdict(
        column=title,
        sentence=_sentence(ranking, own, column, title, table),
        rows=tuple(
            VerdictRow(each.row.label, cell, _bar(cell, scale), _kind(each, own))
            for each, cell in zip(shown, cells, strict=True)
        ),
        left_out=len(ranking.rows) - len(shown),
        places=tuple(
            (
                f"{column_title(each.metric, each.better)}{over if tables[each] == MACRO else ''}",
                own.cell(each, tables[each]),
            )
            for each in tables
            if each.is_ranked and own.row.tables[tables[each]][each].value is not None
        ),
        scale=(NumberCell(scale[0], column.metric).text, NumberCell(scale[1], column.metric).text),
        units=f"{count(ranking.units, 'unit')} (clusters where they are known, else pairs)",
    )


def _bar(cell: NumberCell, scale: Interval) -> Markup:
    return interval_bar(cell.value, cell.ci95, scale)


def _kind(each: PlacedRow, own: PlacedRow) -> str:
    if each is own:
        return "chosen"
    return "aside" if each.row.is_oracle else ""


def _near(rows: tuple[PlacedRow, ...], own: PlacedRow) -> list[PlacedRow]:
    """Return the rows that are shown: all, or the first three and those around ``own``."""
    if len(rows) <= _MOST_ROWS:
        return list(rows)
    place = rows.index(own)
    start = max(3, min(place - 5, len(rows) - (_MOST_ROWS - 3)))
    return [*rows[:3], *rows[start : start + _MOST_ROWS - 3]]


def _sentence(ranking: Ranking, own: PlacedRow, column: Column, title: str, table: str) -> str:
    if own.row.is_oracle:
        return "It knows the test targets, so it is shown and never ranked."
    cell = own.cell(column, table)
    if cell.value is None:
        return f"No place in {title}: {'; '.join(cell.notes)}."
    if cell.rank is not None:
        best, worst = cell.rank
        number = sum(each.cell(column, table).rank is not None for each in ranking.rows)
        place = f"Rank {best}" if best == worst else f"Rank {best} to {worst}"
        better, worse = best - 1, number - worst
        apart = number - 1 - better - worse
        open_ = f"; {count(apart, 'other')} cannot be told from it" if apart else ""
        return (
            f"{place} of {count(number, 'method')} in {title}: {_surely(better, 'better')}, "
            f"{_surely(worse, 'worse')}{open_}."
        )
    if cell.claim is not None:
        better, worse, others = cell.claim
        apart = others - better - worse
        return (
            f"One set of weights, which has no rank. In {title} it is surely better than {better} "
            f"and surely worse than {worse} of {count(others, 'other')}; {apart} cannot be told "
            "from it. Another seed would make it a method."
        )
    return f"Not ranked in {title}: the board holds nothing to test it against."


def _surely(number: int, word: str) -> str:
    return f"{'none' if number == 0 else number} surely {word}"
