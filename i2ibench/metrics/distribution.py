"""Frechet distances between the Inception features of predictions and targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from i2ibench.metrics.by_pair import Column
from i2ibench.metrics.inception_features import FeatureMetric, FeatureState, both_sides
from i2ibench.metrics.interface import Score, Signature
from i2ibench.metrics.moments import distance_of_moments, merged_moments, moments_of

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Rows = Float32 | Column | Sequence[Float32]

# Below as many images as features the covariance is singular and FID is biased upwards, for
# each model differently.
UNBIASED_FROM = 2048

# Of more pairs the covariances are summed up, block by block, which rounds at 1e-8 of the distance
# or less; up to here the rows themselves are decomposed.
EXACT_UP_TO = 4096

# Rows of features that are brought to float64 at once.
_BLOCK = 1024
# Values of a matrix that is not copied any more: 8 MB.
_LARGE = 1 << 20


class FID(FeatureMetric):
    """Frechet Inception distance with torch-fidelity's network and resize.

    ``|mu_p - mu_t|^2 + Tr(S_p + S_t - 2 (S_p S_t)^(1/2))`` over the 2048 pooled features, unbiased
    covariances. Heusel et al., NeurIPS 2017, equation 6. Beside it stands its floor: the same
    distance between two halves of the targets.
    """

    name = "fid"
    trap = (
        "Biased upwards below 2,048 images, and differently for each model; never "
        "compare sets of unequal size."
    )
    range = (0.0, math.inf)
    title = "FID"
    digits = 2
    position = 50
    better = "lower"

    def signature(self) -> Signature:
        """Return ``fid|inception:tf-2015-12-05|resize:tf1-bilinear|weights:...|v:1``."""
        return self._inception_signature()

    def compute(self, state: FeatureState) -> Score:
        """Return the distance; two pairs are the least."""
        n = len(state.pairs)
        if n < 2:
            return Score(None, unavailable=f"{self.name} needs at least 2 pairs, not {n}")
        predictions, targets = both_sides(state)
        if n > EXACT_UP_TO:
            return self._of_moments(predictions, targets)
        value = frechet_distance(predictions, targets)
        notes = [f"biased: n={n} < {UNBIASED_FROM}"] if n < UNBIASED_FROM else []
        details: dict[str, object] = {}
        if n >= 4:
            floor = frechet_distance(targets.every(0, 2), targets.every(1, 2))
            notes.append(_floor_note(floor, n))
            details["floor"] = floor
        return Score(value, notes=tuple(notes), details=details)

    def _of_moments(self, predictions: Column, targets: Column) -> Score:
        """Return the distance of many pairs, from moments: each feature is read once."""
        halves = [moments_of(targets.every(half, 2)) for half in (0, 1)]
        value = distance_of_moments(moments_of(predictions), merged_moments(*halves))
        floor = distance_of_moments(*halves)
        return Score(value, notes=(_floor_note(floor, len(targets)),), details={"floor": floor})


class FIDClean(FID):
    """Frechet Inception distance with clean-fid's antialiased bicubic resize.

    As ``fid`` otherwise, the weights included. Parmar et al., CVPR 2022: an aliased resize makes
    blurred and sharp images look alike.
    """

    name = "fid-clean"
    trap = (
        "Biased upwards below 2,048 images, and differently for each model; never "
        "compare sets of unequal size."
    )
    title = "FID-clean"
    position = 220
    version = 2  # 1 did not clip what the resize overshoots to [0, 255]
    resize = "pillow-bicubic"

    def signature(self) -> Signature:
        """Return ``fid-clean|inception:tf-2015-12-05|resize:pillow-bicubic|weights:...|v:2``."""
        return self._inception_signature()


def _floor_note(floor: float, n: int) -> str:
    return f"floor {floor:.4g}: two halves of the targets, n={n // 2}"


def frechet_distance(x: Rows, y: Rows) -> float:
    """Return the Frechet distance between Gaussians fitted to the rows of ``x`` and ``y``.

    With centred ``X`` (n, d) and ``Y`` (m, d), ``Tr (S_x S_y)^(1/2)`` is the sum of the singular
    values of ``X Y^T / sqrt((n-1)(m-1))``. No covariance is formed: at n < d it is singular, and
    its square root costs d^3. Of the float64 rows only blocks are in memory, and of more than d
    rows a triangle.

    Args:
        x: n float32 rows of d features, as an array (n, d) or a list of rows.
        y: m of them.
    """
    mean_x, mean_y = _mean(x), _mean(y)
    centred_x, centred_y = _Centred(x, mean_x), _Centred(y, mean_y)
    cross = np.empty((len(centred_x), len(centred_y)))
    for rows, part in centred_x.blocks():
        for columns, other in centred_y.blocks():
            np.matmul(part, other.T, out=cross[rows, columns])
    scale_x, scale_y = len(x) - 1, len(y) - 1
    trace_x, trace_y = centred_x.squares() / scale_x, centred_y.squares() / scale_y
    del centred_x, centred_y
    root = float(_singular_values(cross).sum()) / math.sqrt(scale_x * scale_y)
    difference = mean_x - mean_y
    return max(0.0, float(difference @ difference) + trace_x + trace_y - 2 * root)


def _mean(rows: Rows) -> Float64:
    total = sum(
        np.asarray(rows[start : start + _BLOCK]).sum(axis=0, dtype=np.float64)
        for start in range(0, len(rows), _BLOCK)
    )
    return np.asarray(total / len(rows))


def _singular_values(matrix: Float64) -> Float64:
    """Return the singular values; a large matrix is overwritten, as a copy would be one more."""
    if matrix.size < _LARGE:
        return np.asarray(np.linalg.svd(matrix, compute_uv=False))
    from scipy import linalg  # here, because small sets should not wait for it

    # The transpose has the same values, and the order in memory that LAPACK can overwrite.
    found = linalg.svd(matrix.T, compute_uv=False, overwrite_a=True, check_finite=False)
    return np.asarray(found)


class _Centred:
    """Centred float64 rows, block by block; more than d rows are replaced by a triangle (d, d).

    The triangle has the same Gram matrix of columns, which is all that a covariance depends on.
    """

    def __init__(self, rows: Rows, mean: Float64) -> None:
        self._rows, self._mean = rows, mean
        self._triangle: Float64 | None = None
        width = len(mean)
        if len(rows) > width:
            triangle = np.zeros((0, width))
            for start in range(0, len(rows), width):
                part = np.asarray(rows[start : start + width]) - mean
                triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, part]), mode="r"))
            self._triangle = triangle

    def __len__(self) -> int:
        return len(self._rows if self._triangle is None else self._triangle)

    def blocks(self) -> Iterator[tuple[slice, Float64]]:
        """Yield the rows, a block at a time, and where they stand."""
        for start in range(0, len(self), _BLOCK):
            place = slice(start, start + _BLOCK)
            if self._triangle is not None:
                yield place, self._triangle[place]
            else:
                yield place, np.asarray(np.asarray(self._rows[place]) - self._mean)

    def squares(self) -> float:
        """Return the sum of squares."""
        return math.fsum(float(np.vdot(block, block)) for _, block in self.blocks())
