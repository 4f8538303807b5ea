"""Diversity of the predictions of a group against that of its targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from i2ibench.metrics.by_pair import ByPair, KeyedSetMetric, drawn_subset
from i2ibench.metrics.interface import PairImages, Score, SetMetric, Signature
from i2ibench.metrics.pixel_sums import PixelMoments, PixelTotals, blocks

Float64 = npt.NDArray[np.float64]

_SIDE = 8
_BLOCK = 512
# Every two of them are compared; of more pairs a drawn subset is.
MOST_PAIRS = 10_000


Sums = TypeVar("Sums", PixelTotals, PixelMoments)


@dataclass
class VarianceState(Generic[Sums]):
    """Sums of predictions and targets; sizes that differ are remembered, not summed."""

    n: int = 0
    prediction: Sums | None = None
    target: Sums | None = None
    sizes_differ: bool = False


class _OfVariances(SetMetric[VarianceState[Sums]]):
    """What metrics of per-pixel variances share: how they sum up images of one size."""

    sums: ClassVar[Any]
    range = (0.0, math.inf)

    def signature(self) -> Signature:
        """Return ``NAME|rgb|range:255|per:pixel|unbiased|v:1``."""
        return self._signature("rgb", ("range", 255), ("per", "pixel"), "unbiased")

    def state_key(self) -> str:
        """Return the metric's name: no two sum up alike."""
        return self.name

    def describe(self, pair: PairImages) -> tuple[Any, Any]:
        """Return the images; the state adds them up and lets them go."""
        return pair.prediction, pair.target

    def new_state(self) -> VarianceState[Sums]:
        """Return the state of no pair."""
        return VarianceState()

    def update(self, state: VarianceState[Sums], pair_id: str, description: Any) -> None:
        """Add both images to the sums."""
        prediction, target = description
        if state.prediction is None or state.target is None:
            state.prediction, state.target = (self.sums.zero(target.shape) for _ in range(2))
        state.n += 1
        if state.sizes_differ or target.shape != state.target.total.shape:
            state.sizes_differ = True
            return
        state.prediction.add(prediction)
        state.target.add(target)

    def merge(self, state: VarianceState[Sums], other: VarianceState[Sums]) -> VarianceState[Sums]:
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

    def compute(self, state: VarianceState[Sums]) -> Score:
        """Return the score; two pairs of one size are the least."""
        if state.n < 2:
            return Score(None, unavailable=f"{self.name} needs at least 2 pairs, not {state.n}")
        if state.sizes_differ or state.prediction is None or state.target is None:
            return Score(None, unavailable=f"{self.name} needs images of one size")
        return self._score(state.prediction, state.target)

    def _score(self, predictions: Sums, targets: Sums) -> Score:
        raise NotImplementedError


class VarianceGap(_OfVariances[PixelMoments]):
    """Mean absolute difference of the per-pixel variances of predictions and of targets.

    ``mean |Var(targets) - Var(predictions)|`` over pixels and channels, each variance (unbiased)
    over the images of the set: the quantity that the variance penalty of arXiv:2506.18371 trains,
    here over a whole group instead of a batch. In squared grey levels. Needs images of one size,
    and holds 36 bytes a pixel of one of them (48 beyond 257 pairs, 72 beyond 66,051).
    """

    name = "variance-gap"
    position = 420
    unit = "grey levels²"
    better = "lower"
    sums = PixelMoments

    def _score(self, predictions: PixelMoments, targets: PixelMoments) -> Score:
        gap = predicted = real = 0.0
        for rows in blocks(len(targets.total)):
            a, b = (sums.variance(rows) for sums in (predictions, targets))
            gap += float(np.abs(a - b).sum())
            predicted += float(a.sum())
            real += float(b.sum())
        size = targets.total.size
        return Score(gap / size, details={"predictions": predicted / size, "targets": real / size})


class VarianceRatio(_OfVariances[PixelTotals]):
    """Mean per-pixel variance of the predictions over that of the targets.

    At 1 both vary equally, above 1 predictions vary more than reality. Below 1 they vary less, and
    that alone is no mode collapse: a mean over what is possible varies less than what is real, and
    so does a blurred target. 0 means that all predictions are equal. Its macro mean is geometric.
    Needs images of one size, and holds 12 bytes a pixel of one of them (24 beyond 257 pairs).
    """

    name = "variance-ratio"
    trap = "Below 1 it is no proof of collapse: blur alone lowers it."
    position = 410
    unit = ""
    better = None
    macro = "geometric"
    sums = PixelTotals

    def _score(self, predictions: PixelTotals, targets: PixelTotals) -> Score:
        predicted, real = predictions.mean_variance(), targets.mean_variance()
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
    is geometric. Of more than 10,000 pairs a drawn subset of 10,000 is compared, which stands in
    the signature.
    """

    name = "distance-ratio"
    trap = "Below 1 it is no proof of collapse: blur alone lowers it."
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
        subset = drawn_subset(n, MOST_PAIRS, self.name)
        chosen = slice(None) if subset is None else subset
        predicted, real = (mean_distance(state.column(side)[chosen]) for side in (0, 1))
        if real == 0:
            return Score(None, unavailable="all targets are equal: no distance to compare with")
        return Score(
            predicted / real,
            settings=() if subset is None else (("subset", str(MOST_PAIRS)),),
            details={"predictions": predicted, "targets": real},
        )


def mean_distance(rows: npt.NDArray[np.float32]) -> float:
    """Return the mean root-mean-square distance between any two rows (n, d), in blocks."""
    from scipy.spatial.distance import cdist  # here, because other metrics should not wait for it

    values = rows.astype(np.float64) / math.sqrt(rows.shape[1])
    n, total = len(values), 0.0
    for start in range(0, n, _BLOCK):
        block = values[start : start + _BLOCK]
        for other in range(start, n, _BLOCK):
            # From differences, not from products: nothing cancels, and equal rows are at 0.
            part = float(cdist(block, values[other : other + _BLOCK]).sum())
            total += part if other == start else 2 * part
    return total / (n * (n - 1))


def _thumbnail(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    small = cv2.resize(image.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32).reshape(-1)
