"""Files of a user, read within limits: whatever is wrong with one is a line that names it."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from i2ibench import limits
from i2ibench.errors import DataError, I2IBenchError, is_out_of_memory, named

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Errors of writing: nothing is wrong with the file that is read.
_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@contextmanager
def reading(
    path: Path | str,
    what: str,
    *,
    error: type[I2IBenchError] = DataError,
    remedy: str = "restore or remove it",
) -> Iterator[None]:
    """Turn every error of reading ``path`` into one line that names it.

    Libraries promise few of the errors that damaged bytes bring out of them. Those that are
    explained already, memory that ran out, and errors of writing another file pass through.

    Args:
        path: of the file.
        what: what it should be, e.g. ``"a TOML card"``.
        error: the kind of the error that is raised.
        remedy: what the user can do.
    """
    try:
        yield
    except I2IBenchError:
        raise
    except FileNotFoundError as problem:
        if not _is_of(problem, path):
            raise
        raise error(f"{path}: no such file") from None
    except OSError as problem:
        if problem.errno in _OF_WRITING or not _is_of(problem, path):
            raise
        reason = problem.strerror or str(problem)
        raise error(f"{path}: cannot be read ({reason}); {remedy}") from None
    except Exception as problem:
        if is_out_of_memory(problem):
            raise
        raise error(f"{path}: not {what} ({_reason(problem)}); {remedy}") from None


def open_regular(path: Path) -> BufferedReader:
    """Open a file to be read.

    Raises:
        DataError: it is a folder, or a pipe or device, which would be waited for or never end.
        OSError: it cannot be opened; names the file.
    """
    _refuse_other_kinds(path, os.stat(path).st_mode)  # noqa: PTH116 - opening can wait or act
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        # It may have been exchanged since.
        _refuse_other_kinds(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes.

    Raises:
        DataError: as ``open_regular``, or it is larger.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > most else file.read(most + 1)
    if max(size, len(content)) > most:
        raise DataError(f"{path}: is larger than the {most / limits.MIB:,.0f} MiB that are read")
    return content


def read_text(path: Path, most: int, *, encoding: str = "utf-8") -> str:
    """Return the text of a regular file; errors as ``read_bytes``, or of decoding."""
    return read_bytes(path, most).decode(encoding).replace("\r\n", "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; a torn or edited one is a ``DataError`` that names the file.

    Refused besides are NaN and infinite numbers, a key that stands twice, deep nesting, and texts
    that are no Unicode: whatever reads them later would fail or choose silently.
    """
    with reading(path, "valid JSON", remedy="restore or delete it"):
        return parse_json(read_text(path, limits.JSON_BYTES))


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; whatever ``read_json`` refuses is some ``ValueError``."""
    value = json.loads(
        text,
        object_pairs_hook=_table,
        parse_constant=_finite,
        parse_float=_finite,
        parse_int=_whole,
    )
    check_nesting(value)
    if "\\u" in text:  # an escape can stand for half of a character
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def read_toml(path: Path, *, error: type[I2IBenchError] = DataError) -> dict[str, Any]:
    """Read a TOML file; whatever is wrong with it is one ``error`` that names the file."""
    with reading(path, "valid TOML", error=error, remedy="correct it"):
        # Editors of Windows begin a file with the mark of its encoding.
        text = read_text(path, limits.TOML_BYTES).removeprefix("\ufeff")
        content: dict[str, Any] = tomllib.loads(text)
        check_nesting(content)
        return content


def check_nesting(value: Any) -> None:
    """Raise ``ValueError`` where tables and lists lie in each other too deep."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > limits.NESTING:
            raise ValueError(f"nested deeper than {limits.NESTING} levels")
        inner = (
            each.values() if isinstance(each, dict) else each
            for each in level
            if isinstance(each, dict | list)
        )
        level = [each for values in inner for each in values if isinstance(each, dict | list)]


def _refuse_other_kinds(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
    raise DataError(f"{path}: is {kind}, not a file")


def _is_of(problem: OSError, path: Path | str) -> bool:
    return problem.filename is None or os.fspath(problem.filename) == os.fspath(path)


def _reason(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "nested too deep"
    if isinstance(problem, UnicodeDecodeError):
        return f"no {problem.encoding.upper()} at byte {problem.start}"
    if isinstance(problem, UnicodeEncodeError):
        return "holds half of a character"
    return str(problem) if isinstance(problem, ValueError) else named(problem)


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return table


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _whole(text: str) -> int:
    if len(text) > limits.INTEGER_DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)
