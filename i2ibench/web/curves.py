"""The losses of a training, read from its table of steps."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench import limits
from i2ibench.reading import read_text, reading

_NOT_LOSSES = {"step", "epoch", "seconds"}
Floats = NDArray[np.float64]


def read_curves(history: Path) -> tuple[Floats, Mapping[str, Floats]]:
    """Return the steps of ``training.csv`` or ``validation.csv`` and its other columns, ``(N,)``.

    A column that is empty in some row is left out, as the learning rate of a validation is.
    """
    with reading(history, "a table of training steps"):
        rows = list(csv.DictReader(io.StringIO(read_text(history, limits.CSV_BYTES))))
        steps = np.array([float(row["step"]) for row in rows])
        names = [name for name in rows[0] if name not in _NOT_LOSSES] if rows else []
        full = [name for name in names if all(row[name] for row in rows)]
        return steps, {name: np.array([float(row[name]) for row in rows]) for name in full}
