"""Diversity of the predictions of a group against that of its targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from i2ibench.errors import DataError
from i2ibench.metrics.by_pair import ByPair, KeyedSetMetric
from i2ibench.metrics.interface import PairImages, Score, SetMetric, Signature

Float64 = npt.NDArray[np.float64]

_SIDE = 8
_BLOCK = 512
# Squares of so many uint8 values still fit uint32.
_MOST_PAIRS = (2**32 - 1) // 255**2


@dataclass
class Moments:
    """Per-pixel integer sums of uint8 images, exact in any order: (H, W, 3) each."""

    total: npt.NDArray[np.uint32]
    squares: npt.NDArray[np.uint32]

    @classmethod
    def zero(cls, shape: tuple[int, ...]) -> Moments:
        """Return the sums of no image."""
        return cls(np.zeros(shape, np.uint32), np.zeros(shape, np.uint32))

    def add(self, image: npt.NDArray[np.uint8]) -> None:
        """Add one image."""
        self.total += image
        self.squares += cv2.multiply(image, image, dtype=cv2.CV_16U)

    def plus(self, other: Moments) -> Moments:
        """Return the sums of both."""
        return Moments(self.total + other.total, self.squares + other.squares)

    def variance(self, n: int, rows: slice) -> Float64:
        """Return the unbiased variance over ``n`` images of some rows, in squared grey levels."""
        total = self.total[rows].astype(np.float64)
        found: Float64 = (self.squares[rows] - total * total / n) / (n - 1)
        return found


@dataclass
class VarianceState:
    """Moments of predictions and targets; sizes that differ are remembered, not summed."""

    n: int = 0
    prediction: Moments | None = None
    target: Moments | None = None
    sizes_differ: bool = False


class VarianceGap(SetMetric[VarianceState]):
    """Mean absolute difference of the per-pixel variances of predictions and of targets.

    ``mean |Var(targets) - Var(predictions)|`` over pixels and channels, each variance (unbiased)
    over the images of the set: the quantity that the variance penalty of arXiv:2506.18371 trains,
    here over a whole group instead of a batch. In squared grey levels. Needs images of one size.
    """

    name = "variance-gap"
    range = (0.0, math.inf)
    position = 420
    unit = "grey levels²"
    better = "lower"

    def signature(self) -> Signature:
        """Return ``variance-gap|rgb|range:255|per:pixel|unbiased|v:1``."""
        return self._signature("rgb", ("range", 255), ("per", "pixel"), "unbiased")

    def state_key(self) -> str:
        """Return the key that both variance metrics share."""
        return "variance"

    def describe(self, pair: PairImages) -> tuple[Any, Any]:
        """Return the images; the state adds them up and lets them go."""
        return pair.prediction, pair.target

    def new_state(self) -> VarianceState:
        """Return the state of no pair."""
        return VarianceState()

    def update(self, state: VarianceState, pair_id: str, description: Any) -> None:
        """Add both images to the sums."""
        prediction, target = description
        if state.prediction is None or state.target is None:
            state.prediction, state.target = (Moments.zero(target.shape) for _ in range(2))
        if state.n >= _MOST_PAIRS:
            raise DataError(f"{self.name} holds at most {_MOST_PAIRS} pairs; leave it out")
        state.n += 1
        if state.sizes_differ or target.shape != state.target.total.shape:
            state.sizes_differ = True
            return
        state.prediction.add(prediction)
        state.target.add(target)

    def merge(self, state: VarianceState, other: VarianceState) -> VarianceState:
        """Return the sums of both sets."""
        if state.target is None or state.prediction is None:
            return VarianceState(other.n, other.prediction, other.target, other.sizes_differ)
        if other.target is None or other.prediction is None:
            return VarianceState(state.n, state.prediction, state.target, state.sizes_differ)
        differ = state.target.total.shape != other.target.total.shape
        if differ or state.sizes_differ or other.sizes_differ:
            return VarianceState(state.n + other.n, state.prediction, state.target, True)
        return VarianceState(
            state.n + other.n,
            state.prediction.plus(other.prediction),
            state.target.plus(other.target),
        )

    def compute(self, state: VarianceState) -> Score:
        """Return the score; two pairs of one size are the least."""
        if state.n < 2:
            return Score(None, unavailable=f"{self.name} needs at least 2 pairs, not {state.n}")
        if state.sizes_differ or state.prediction is None or state.target is None:
            return Score(None, unavailable=f"{self.name} needs images of one size")
        height = state.target.total.shape[0]
        gap = predicted = real = 0.0
        for top in range(0, height, _BLOCK):
            rows = slice(top, top + _BLOCK)
            a, b = (m.variance(state.n, rows) for m in (state.prediction, state.target))
            gap += float(np.abs(a - b).sum())
            predicted += float(a.sum())
            real += float(b.sum())
        size = state.target.total.size
        return self._score(gap / size, predicted / size, real / size)

    def _score(self, gap: float, predicted: float, real: float) -> Score:
        return Score(gap, details={"predictions": predicted, "targets": real})


class VarianceRatio(VarianceGap):
    """Mean per-pixel variance of the predictions over that of the targets.

    At 1 both vary equally, above 1 predictions vary more than reality. Below 1 they vary less, and
    that alone is no mode collapse: a mean over what is possible varies less than what is real, and
    so does a blurred target. 0 means that all predictions are equal. Its macro mean is geometric.
    """

    name = "variance-ratio"
    range = (0.0, math.inf)
    position = 410
    unit = ""
    better = None  # type: ignore[assignment]
    macro = "geometric"

    def _score(self, gap: float, predicted: float, real: float) -> Score:
        details = {"predictions": predicted, "targets": real}
        if real == 0:
            return Score(None, unavailable="all targets are equal: no variance to compare with")
        return Score(predicted / real, details=details)


# Of prediction and target: 1.5 KB a pair.
Thumbnails = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


class DistanceRatio(KeyedSetMetric[Thumbnails]):
    """Mean distance between any two predictions over that between any two targets.

    Distances are root mean squares between 8x8 area means of RGB: layout and staining, not texture.
    Below 1 the predictions resemble each other more than the targets do. That alone is no mode
    collapse: see ``variance-ratio``. 0 means that all have one layout and staining. Its macro mean
    is geometric.
    """

    name = "distance-ratio"
    range = (0.0, math.inf)
    position = 430
    better = None
    macro = "geometric"

    def signature(self) -> Signature:
        """Return ``distance-ratio|rgb|thumbnails:8x8|distance:rms|v:1``."""
        return self._signature("rgb", ("thumbnails", f"{_SIDE}x{_SIDE}"), ("distance", "rms"))

    def describe(self, pair: PairImages) -> Thumbnails:
        """Return the thumbnails, float32 (192,) each."""
        return _thumbnail(pair.prediction), pair.once_of_target(_thumbnail)

    def compute(self, state: ByPair[Thumbnails]) -> Score:
        """Return the ratio; two pairs are the least."""
        n = len(state.pairs)
        if n < 2:
            return Score(None, unavailable=f"distance-ratio needs at least 2 pairs, not {n}")
        rows = state.ordered()
        predicted, real = (mean_distance(np.stack([row[side] for row in rows])) for side in (0, 1))
        if real == 0:
            return Score(None, unavailable="all targets are equal: no distance to compare with")
        return Score(predicted / real, details={"predictions": predicted, "targets": real})


def mean_distance(rows: npt.NDArray[np.float32]) -> float:
    """Return the mean root-mean-square distance between any two rows (n, d), in blocks."""
    values = rows.astype(np.float64)
    n, total = len(values), 0.0
    for start in range(0, n, _BLOCK):
        block = values[start : start + _BLOCK]
        for other in range(start, n, _BLOCK):
            across = values[other : other + _BLOCK]
            squares = np.zeros((len(block), len(across)))
            for column in range(values.shape[1]):  # no cancellation: equal rows are at 0
                squares += np.square(block[:, column, None] - across[None, :, column])
            part = float(np.sqrt(squares / values.shape[1]).sum())
            total += part if other == start else 2 * part
    return total / (n * (n - 1))


def _thumbnail(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    small = cv2.resize(image.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32).reshape(-1)
