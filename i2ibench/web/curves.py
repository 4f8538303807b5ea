"""The losses of a training, read from its table of steps."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench import limits
from i2ibench.reading import read_text, reading

_NOT_LOSSES = {"step", "epoch", "seconds"}
Floats = NDArray[np.float64]


def read_curves(history: Path) -> dict[str, tuple[Floats, Floats]]:
    """Return the steps and values, each ``(N,)``, of each column of a table of steps.

    Steps at which a column is empty are passed over, as the learning rate of a validation is.
    """
    columns: dict[str, list[tuple[float, float]]] = {}
    with reading(history, "a table of training steps"):
        for row in csv.DictReader(io.StringIO(read_text(history, limits.CSV_BYTES))):
            for name, text in row.items():
                if name not in _NOT_LOSSES and text != "":
                    columns.setdefault(name, []).append((float(row["step"]), float(text)))
    found = {name: np.array(points).T for name, points in columns.items()}
    return {name: (steps, values) for name, (steps, values) in found.items()}
