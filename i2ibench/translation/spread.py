"""How far the samples of a stochastic method lie apart: a map a pair, and its mean.

A prediction is one sample, drawn first. The samples that follow are drawn from the same seed of the
pair, compared in the grey levels in which they would be written, and not kept themselves.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.images import read_header, read_whole
from i2ibench.errors import DataError
from i2ibench.files import atomic_path, write_text
from i2ibench.models.interface import InferencePolicy, TranslationModel
from i2ibench.reading import reading
from i2ibench.translation.averaging import averages

TABLE_NAME = "spread.csv"
# Values of a map's file for one grey level: 16 bits hold the largest deviation, 180 levels.
_PER_LEVEL = 256

Draw = Callable[[], NDArray[np.uint8]]


def samples_of(model: TranslationModel, policy: InferencePolicy) -> int:
    """Return between how many samples the spread of a pair is taken; 1 where none is.

    None is where passes do not differ, or where a prediction is a mean of several already.
    """
    if not model.stochastic or averages(policy):
        return 1
    return max(1, model.spread_samples)


def deviation(samples: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the standard deviation (N - 1) at each pixel, mean over the channels, in grey levels.

    >>> black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    >>> deviation([black, white]).round(1).tolist()
    [[180.3, 180.3], [180.3, 180.3]]
    """
    made: NDArray[np.float64] = np.stack(samples).std(0, ddof=1, dtype=np.float64).mean(2)
    return made


class Spread:
    """The spread of the pairs of a split, kept in a folder.

    Attributes:
        folder: receives ``<pair id>.png``, grey of 16 bits, 256 for a grey level of deviation.
        seconds: spent on the samples after the first.
    """

    def __init__(self, folder: Path, samples: int) -> None:
        self.folder, self._samples, self.seconds = folder, samples, 0.0

    def has(self, pair_id: str) -> bool:
        """Whether the map of a pair is there."""
        return self._path(pair_id).is_file()

    def keep(self, pair_id: str, first: NDArray[np.uint8], draw: Draw) -> None:
        """Draw the samples that follow ``first`` and keep how far all lie apart."""
        started = time.perf_counter()
        levels = deviation([first, *(draw() for _ in range(self._samples - 1))])
        done, buffer = cv2.imencode(".png", np.rint(levels * _PER_LEVEL).astype(np.uint16))
        path = self._path(pair_id)
        if not done:
            raise DataError(f"{path}: the map could not be encoded as PNG")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, lasting=False) as temporary:
            temporary.write_bytes(buffer.tobytes())
        self.seconds += time.perf_counter() - started

    def summarize(self, pair_ids: Iterable[str]) -> float:
        """Write the mean of each map into ``spread.csv`` beside the folder; return their mean."""
        means = {pair_id: float(read_spread(self._path(pair_id)).mean()) for pair_id in pair_ids}
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["id", "spread"])
        rows.writerows([pair_id, f"{mean:.4f}"] for pair_id, mean in means.items())
        write_text(self.folder.with_name(TABLE_NAME), table.getvalue())
        return sum(means.values()) / max(1, len(means))

    def _path(self, pair_id: str) -> Path:
        return self.folder / f"{pair_id}.png"


def read_spread(path: Path) -> NDArray[np.float64]:
    """Return a map that was kept, ``(H, W)`` in grey levels.

    Raises:
        DataError: it is missing, damaged, or no map.
    """
    read_header(path)  # refuses what is too large to be decoded
    content = np.frombuffer(read_whole(path), np.uint8)
    with reading(path, "a map of deviations", remedy="remove it and repeat the command"):
        made = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    if made is None or made.dtype != np.uint16 or made.ndim != 2:
        raise DataError(f"{path}: no map of deviations; remove it and repeat the command")
    return np.asarray(made / _PER_LEVEL, np.float64)
