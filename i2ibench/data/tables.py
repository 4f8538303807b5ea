"""Tables that users write: CSV as programs of offices and other tools save it.

Read are UTF-8 and UTF-16, with a mark of the byte order or without; commas, semicolons and tabs;
the line ``sep=;`` of Excel; line ends of every system. Whatever could be read in two ways, or loses
a value, is refused in a line that says where it stands.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ibench import limits
from i2ibench.errors import DataError
from i2ibench.files import composed, printable
from i2ibench.reading import read_bytes, reading
from i2ibench.wording import some

_DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r'"?sep=(.)"?[,;\t]*\r?\n?$', re.IGNORECASE)
# The byte order marks that tell an encoding; the longer before those they begin with.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row with something in it.

    Attributes:
        line: of the file, from 1; of a row over several lines, the last.
        values: by column, in lower case; composed Unicode without spaces around.
    """

    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """Return the value of a column; empty where the table has no such column."""
        return self.values.get(column, "")


def read_table(
    file: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> tuple[Row, ...]:
    """Read a table with a header, whose other columns are left to its user.

    Raises:
        DataError: not a file, unreadable, not in Unicode, a required column that is missing, one
            that stands twice or seems to be misspelt, or a row of more or fewer fields than the
            header has.
    """
    name = printable(file)
    [(_, first), *rows] = read_fields(file, required)
    header = [_column(field) for field in first]
    _check_header(header, required, optional, name)
    found = []
    for line, fields in rows:
        values = [composed(value.strip()) for value in fields]
        if any(values):
            _check_length(values, header, f"{name}, line {line}")
            named = zip(header, values, strict=False)
            found.append(Row(line, {key: value for key, value in named if key}))
    return tuple(found)


def read_fields(file: Path, columns: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return the fields of each line of a table as they are, the header first, with its line.

    Args:
        file: the table; an empty one has an empty header.
        columns: some that its header has, in lower case, by which its separator is found.

    Raises:
        DataError: not a file, unreadable, not in Unicode, or a quote that is never closed.
    """
    name = printable(file)
    text, separator = _without_separator(_text(file), name)
    # The ends of lines are left to the reader, which knows those within quotes.
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator or _delimiter(text, columns),
        strict=True,
    )
    before = int(separator is not None)  # the line that told it
    try:
        found = [(before + reader.line_num, fields) for fields in reader]
    except csv.Error as error:
        line = before + reader.line_num
        raise DataError(f"{name}, line {line}: not a table ({error})") from None
    return found or [(1, [])]


def _text(file: Path) -> str:
    name = printable(file)
    with reading(file, "a table"):
        content = read_bytes(file, limits.CSV_BYTES)
    encoding = _encoding(content)
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name}, line {line}: not in {encoding.upper()} (byte 0x{content[error.start]:02x}); "
            "save the table as 'CSV UTF-8'"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{name}, line {line}: holds a NUL, so it is no table; save it again")
    return text


def _encoding(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    # Without a mark: of UTF-16, every second byte of a header in ASCII is zero.
    start = content[:64]
    if len(start) >= 4 and not any(start[1::2]) and all(start[::2]):
        return "utf-16-le"
    if len(start) >= 4 and not any(start[::2]) and all(start[1::2]):
        return "utf-16-be"
    return "utf-8"


def _without_separator(text: str, name: str) -> tuple[str, str | None]:
    """Return the text without Excel's line ``sep=;``, and the separator it tells."""
    first, *_ = text.splitlines(keepends=True) or [""]
    match = _SEPARATOR.match(first)
    if match is None:
        return text, None
    if match[1] not in _DELIMITERS + "|":
        raise DataError(f"{name}, line 1: the separator {match[1]!r} is none of , ; | and tab")
    return text[len(first) :], match[1]


def _delimiter(text: str, required: Sequence[str]) -> str:
    """Return the delimiter under which the header has the columns, or else the commonest in it."""
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    for delimiter in _DELIMITERS:
        if set(required) <= {_column(name.strip('" ')) for name in first.split(delimiter)}:
            return delimiter
    return max(_DELIMITERS, key=first.count)


def _column(name: str) -> str:
    return composed(name.strip().lower())


def _check_header(
    header: Sequence[str], required: Sequence[str], optional: Sequence[str], name: str
) -> None:
    missing = [column for column in required if column not in header]
    if missing:
        raise DataError(
            f"{name}: lacks the column {' and '.join(missing)}; it has "
            f"{some([repr(column) for column in header if column]) or 'no header'}"
        )
    twice = next((column for column in header if column and header.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: the column '{twice}' stands in it twice; keep one")
    for column in header:
        meant = difflib.get_close_matches(column, [*required, *optional], 1, 0.8)
        if meant and meant[0] not in header:
            raise DataError(f"{name}: the column '{column}' is not read; did you mean {meant[0]}?")


def _check_length(values: Sequence[str], header: Sequence[str], where: str) -> None:
    if len(values) < len(header) and any(header[len(values) :]):
        raise DataError(
            f"{where}: has {len(values)} fields and the header {len(header)}; add what is missing"
        )
    if any(values[len(header) :]):
        raise DataError(
            f"{where}: has {len(values)} fields and the header {len(header)}; write a value that "
            "holds the separator in double quotes"
        )
