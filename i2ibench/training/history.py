"""``training.csv`` and ``validation.csv``: rows without gap or repeat over continuations."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TextIO

from i2ibench import limits
from i2ibench.files import write_text
from i2ibench.reading import read_text, reading

_FIXED = ("step", "epoch", "learning_rate", "seconds")


class History:
    """Appends rows to one of the two files.

    Rows after ``first_step`` belong to work that no checkpoint holds; they are removed on
    opening and written again when their steps are repeated.

    Args:
        path: of the CSV file.
        first_step: the step the training continues from; 0 starts a new file.
        writes: False for all but the first of several processes.
        digits: of every value; 9 hold a float32, 17 a float64.
    """

    def __init__(
        self, path: Path, first_step: int, *, writes: bool = True, digits: int = 9
    ) -> None:
        self._path, self._digits = path, digits
        self._writes = writes
        self._names: list[str] | None = None
        self._file: TextIO | None = None
        if not writes:
            return
        if first_step > 0 and not path.exists():
            warnings.warn(f"{path} is gone: it starts again at step {first_step + 1}", stacklevel=2)
        if first_step > 0 and path.exists():
            self._names = _cut(path, first_step)
        else:
            path.unlink(missing_ok=True)

    def __enter__(self) -> History:
        if not self._writes:
            return self
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a", encoding="utf-8", newline="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(
        self, step: int, epoch: int, losses: Mapping[str, float], rate: float | None, seconds: float
    ) -> None:
        """Append the row of one finished step (``step`` counts from 1); no rate, no entry."""
        if not self._writes:
            return
        if self._file is None:
            raise RuntimeError("History is used outside its with block")
        writer = csv.writer(self._file, lineterminator="\n")
        if self._names is None:
            self._names = list(losses)
            writer.writerow([*_FIXED, *self._names])
        values = [f"{losses[name]:.{self._digits}g}" for name in self._names]
        shown = "" if rate is None else f"{rate:.9g}"
        writer.writerow([step, epoch, shown, f"{seconds:.2f}", *values])

    def sync(self) -> None:
        """Bring all rows to the disk; called before the checkpoint that depends on them."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())


def _cut(path: Path, last_step: int) -> list[str] | None:
    """Drop the rows after ``last_step`` and a torn last line; return the loss names."""
    with reading(path, "a table of training steps"):
        lines = read_text(path, limits.CSV_BYTES).splitlines(keepends=True)
    kept = [
        line for line in lines[1:] if line.endswith("\n") and _step(line, last_step) <= last_step
    ]
    if not kept:
        path.unlink()
        return None
    write_text(path, "".join([lines[0], *kept]))
    return lines[0].rstrip("\n").split(",")[len(_FIXED) :]


def _step(line: str, last_step: int) -> int:
    """Return the step of a row; of what is none, a later one than ``last_step``."""
    step = line.split(",", 1)[0]
    is_one = step.isascii() and step.isdecimal() and len(step) <= len(str(last_step))
    return int(step) if is_one else last_step + 1
