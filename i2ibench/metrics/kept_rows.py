"""Descriptions of pairs kept as rows: in memory up to a bound, beyond it in a file without a name.

A feature of Inception has 8 KB, so a million pairs do not fit into memory. What is beyond the bound
lies in the cache folder, in a file that has no name: it ends with this process, however that ends.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from i2ibench.durable import naming
from i2ibench.files import cache_folder

Array = npt.NDArray[Any]

# So many bytes of the descriptions of all metrics of this process stay in memory: 16,384 pairs of
# Inception features. Beyond that the older blocks of rows go to the disk.
IN_MEMORY = 256 << 20
# Bytes of a block of rows, and rows of the first one.
_BLOCK = 2 << 20
_FIRST_ROWS = 16


class Field(NamedTuple):
    """One element of a description: an array of one shape, a number, or a text or None."""

    kind: str  # "array", "float" or "text"
    dtype: str
    shape: tuple[int, ...]


class Form(NamedTuple):
    """The elements of a description; ``bare`` where it is its one element, and no tuple."""

    fields: tuple[Field, ...]
    bare: bool


def form_of(description: object) -> Form | None:
    """Return the form of an array, a float, a text or a tuple of these; None of anything else."""
    bare = type(description) is not tuple
    parts: tuple[object, ...] = (description,) if bare else description  # type: ignore[assignment]
    fields = []
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype.kind in "fiub":
            fields.append(Field("array", part.dtype.str, part.shape))
        elif isinstance(part, float):
            fields.append(Field("float", "<f8", ()))
        elif part is None or type(part) is str:
            fields.append(Field("text", "<i4", ()))
        else:
            return None
    return Form(tuple(fields), bare) if fields else None


class Rows:
    """Descriptions of one form, numbered from 0; what is read is a copy."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.texts: list[str] = []
        self._codes: dict[str, int] = {}
        self._blocks: list[_Block | _Filed] = []
        self._starts: list[int] = []
        self.count = 0
        self._row_bytes = sum(
            np.dtype(each.dtype).itemsize * int(np.prod(each.shape)) for each in form.fields
        )

    def append(self, description: Any) -> int:
        """Add a description of the form; return its number."""
        parts = (description,) if self.form.bare else description
        last = self._blocks[-1] if self._blocks else None
        if not isinstance(last, _Block) or last.used == last.rows:
            last = self._new_block(last if isinstance(last, _Block) else None)
        for field, column, part in zip(self.form.fields, last.columns, parts, strict=True):
            column[last.used] = self._code(part) if field.kind == "text" else part
        last.used += 1
        self.count += 1
        return self.count - 1

    def extend(self, columns: Sequence[Array], texts: Sequence[str]) -> None:
        """Add rows by column, as ``read`` returns them; ``texts`` are what codes stand for."""
        codes = np.array([self._code(text) for text in texts] + [-1], dtype=np.int32)
        count, done = len(columns[0]), 0
        while done < count:
            last = self._blocks[-1] if self._blocks else None
            if not isinstance(last, _Block) or last.used == last.rows:
                last = self._new_block(last if isinstance(last, _Block) else None)
            some = min(count - done, last.rows - last.used)
            for field, column, given in zip(self.form.fields, last.columns, columns, strict=True):
                part = given[done : done + some]
                column[last.used : last.used + some] = codes[part] if field.kind == "text" else part
            last.used += some
            self.count += some
            done += some

    def read(self, field: int, numbers: npt.NDArray[np.int64]) -> Array:
        """Return one element of some rows: (n, *shape); of texts their codes, -1 for None."""
        said = self.form.fields[field]
        found = np.empty((len(numbers), *said.shape), said.dtype)
        blocks = np.searchsorted(self._starts, numbers, side="right") - 1
        for place in np.unique(blocks).tolist():
            of_block = np.flatnonzero(blocks == place)
            found[of_block] = self._blocks[place].rows_of(
                field, numbers[of_block] - self._starts[place]
            )
        return found

    def description(self, number: int) -> Any:
        """Return one description as it was added."""
        place = bisect_right(self._starts, number) - 1
        row = np.array([number - self._starts[place]])
        parts: list[Any] = []
        for field, said in enumerate(self.form.fields):
            part = self._blocks[place].rows_of(field, row)[0]
            if said.kind == "text":
                parts.append(None if part < 0 else self.texts[int(part)])
            else:
                parts.append(float(part) if said.kind == "float" else part)
        return parts[0] if self.form.bare else tuple(parts)

    def _code(self, text: str | None) -> int:
        if text is None:
            return -1
        if text not in self._codes:
            self._codes[text] = len(self.texts)
            self.texts.append(text)
        return self._codes[text]

    def _new_block(self, full: _Block | None) -> _Block:
        rows = min(
            max(1, _BLOCK // max(1, self._row_bytes)), 2 * full.rows if full else _FIRST_ROWS
        )
        if full is not None and _Memory.held + rows * self._row_bytes > IN_MEMORY:
            self._blocks[-1] = _Filed(full)
        block = _Block(self.form, rows)
        self._blocks.append(block)
        self._starts.append(self.count)
        return block


class _Memory:
    """Bytes of all blocks of this process that are in memory."""

    held = 0
    lock = threading.Lock()

    @classmethod
    def add(cls, count: int) -> None:
        with cls.lock:
            cls.held += count


class _Block:
    """Rows in memory, column by column."""

    def __init__(self, form: Form, rows: int) -> None:
        self.rows, self.used = rows, 0
        self.columns = [np.empty((rows, *each.shape), each.dtype) for each in form.fields]
        self._bytes = sum(column.nbytes for column in self.columns)
        _Memory.add(self._bytes)

    def __del__(self) -> None:
        _Memory.add(-self._bytes)

    def rows_of(self, field: int, rows: npt.NDArray[np.int64]) -> Array:
        found: Array = self.columns[field][rows]
        return found


class _Filed:
    """Rows in the scratch file, column by column."""

    def __init__(self, block: _Block) -> None:
        self._file = _Scratch.open()
        self._columns = [(self._file.append(c), c.dtype, c.shape[1:]) for c in block.columns]

    def rows_of(self, field: int, rows: npt.NDArray[np.int64]) -> Array:
        offset, dtype, shape = self._columns[field]
        size = dtype.itemsize * int(np.prod(shape))
        found = np.empty((len(rows), *shape), dtype)
        # Runs of neighbours are read at once: whoever reads all rows reads whole blocks.
        ends = np.flatnonzero(np.diff(rows) != 1) + 1
        for run in np.split(np.arange(len(rows)), ends):
            if len(run):
                into = found[run[0] : run[-1] + 1]
                self._file.read(offset + int(rows[run[0]]) * size, into)
        return found


class _Scratch:
    """A file of the cache folder that has no name; all blocks of a process share one."""

    _current: weakref.ref[_Scratch] | None = None
    _opening = threading.Lock()

    def __init__(self) -> None:
        self.folder = cache_folder() / "scratch"
        self._lock = threading.Lock()
        self._end = 0
        self._file = _nameless(self.folder)

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()

    @classmethod
    def open(cls) -> _Scratch:
        """Return the file in use, or a new one where no block of the former is left."""
        with cls._opening:
            current = None if cls._current is None else cls._current()
            if current is None:
                current = cls()
                cls._current = weakref.ref(current)
            return current

    def append(self, array: Array) -> int:
        """Write an array at the end; return where it begins."""
        # Written, not mapped: where the disk is full, a mapping ends the process without a word.
        with self._lock, naming(self.folder):
            offset = self._end
            self._file.seek(offset)
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            done = 0
            while done < len(content):
                done += self._file.write(content[done:])
            self._end += len(content)
        return offset

    def read(self, offset: int, into: Array) -> None:
        """Fill a contiguous array."""
        target, done = into.reshape(-1).view(np.uint8).data, 0
        with self._lock, naming(self.folder):
            self._file.seek(offset)
            while done < len(target):
                count = self._file.readinto(target[done:])  # type: ignore[attr-defined]
                if not count:
                    raise OSError(f"{self.folder}: descriptions of pairs could not be read back")
                done += count


def _nameless(folder: Path) -> IO[bytes]:
    """Open a file without a name: in the cache, or where that cannot be written, in /tmp."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError:
        return tempfile.TemporaryFile(buffering=0)
