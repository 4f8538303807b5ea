"""What the command line prints: answers on stdout, everything about the process on stderr.

An answer is what the verb was asked for: a table, a card, a verdict, JSON, an export. What a verb
did on the way (progress, files it wrote, hints, warnings, errors) goes to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from i2ibench.cli.similar_characters import as_shown, escaped_for_json
from i2ibench.escaping import visible
from i2ibench.files import json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# Spaces after each column of a table, and before the first.
_GAP, _EDGE = 2, 1


@cache
def out() -> Console:
    """The console of answers (stdout)."""
    from rich.console import Console

    return Console(emoji=False)


@cache
def err() -> Console:
    """The console of progress, warnings and errors (stderr)."""
    from rich.console import Console

    return Console(stderr=True, emoji=False)


def answer(shown: Table | str, *, lead: str = "", beside_json: bool = False) -> None:
    """Print a table, or one line as it is, on stdout; ``lead`` is markup that stands before.

    With ``beside_json`` stdout is the JSON's alone, and what a reader may want too goes to stderr.
    """
    console = err() if beside_json else out()
    with console.capture() as captured:
        if isinstance(shown, str):
            console.print(f"{lead}{escape(seen(shown))}", highlight=False, soft_wrap=True)
        else:
            console.print(shown)
    if beside_json:
        sys.stderr.write(captured.get())
    else:
        write_answer(captured.get())


def write_answer(text: str) -> None:
    """Write text on stdout as it is; a pipe whose reader has gone takes no more of it."""
    if sys.stdout is None:  # closed by the caller
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has what it wanted; the verb goes on to its exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: Any) -> None:
    """Print JSON on stdout, the same form as in files."""
    write_answer(escaped_for_json(json_text(value), getattr(sys.stdout, "encoding", None)))


def say(message: str, *, lead: str = "") -> None:
    """Print one line about the process on stderr, as it is; ``lead`` is markup before it."""
    err().print(f"{lead}{escape(seen(message))}", highlight=False, soft_wrap=True)


def seen(text: str) -> str:
    """Show what could move the cursor, or turn the text that follows, by its number."""
    return "\n".join(visible(line) for line in text.split("\n"))


def escape(text: str) -> str:
    """Keep rich from reading brackets of file names as markup."""
    from rich.markup import escape as rich_escape

    return rich_escape(text)


def table(
    title: str, columns: list[str], rows: list[list[str]], *, names: int = 1, markup: bool = False
) -> Table:
    """Return a table in the one style of the command line.

    Cells are shown as they are, or with ``markup`` in rich's markup. The first ``names`` columns
    hold names and are never broken within a word: the others give way where the terminal is
    narrow, the widest first.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=escape(seen(title)),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )

    def text(cell: str) -> Text:
        shown = as_shown(seen(cell), out().encoding)
        return Text.from_markup(shown) if markup else Text(shown)

    header = [Text(as_shown(seen(column), out().encoding)) for column in columns]
    cells = [[text(cell) for cell in row] for row in rows]
    widths = column_widths([header, *cells], out().width, names)
    for column, width in zip(header, widths, strict=True):
        made.add_column(column, overflow="fold", width=width)
    for row in cells:
        made.add_row(*row)
    return made


def column_widths(rows: Sequence[Sequence[Text]], width: int, names: int) -> list[int]:
    """Return widths of columns that fit into ``width`` where that is possible.

    Columns shrink from the widest down to their longest word; where even that is too wide, words
    of the columns after the first ``names`` are broken, from the longest down.
    """
    columns = [list(cells) for cells in zip(*rows, strict=True)]
    wanted = [max(map(_line_width, cells)) for cells in columns]
    unbroken = [max(map(_word_width, cells)) for cells in columns]
    room = width - _EDGE - _GAP * len(columns)
    level = _level(wanted, unbroken, room)
    fitting = [min(most, max(word, level)) for most, word in zip(wanted, unbroken, strict=True)]
    if sum(fitting) <= room:
        return fitting
    rest = unbroken[names:]
    level = max(4, _level(rest, [0] * len(rest), room - sum(unbroken[:names])))
    return unbroken[:names] + [min(word, level) for word in rest]


def _level(most: list[int], least: list[int], room: int) -> int:
    """Return the largest width that columns may share, each between ``least`` and ``most``."""
    level = max(most, default=0)
    while level and sum(min(m, max(n, level)) for m, n in zip(most, least, strict=True)) > room:
        level -= 1
    return level


def _line_width(cell: Text) -> int:
    return max((line.cell_len for line in cell.split("\n")), default=0)


def _word_width(cell: Text) -> int:
    from rich.cells import cell_len

    return max((cell_len(word) for word in cell.plain.split()), default=0)
