"""The Frechet distance from means and covariances that are summed up block by block, in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from i2ibench.metrics.by_pair import Column

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

# Rows that are brought to float64 at once: 16 MB of 2048 features.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Moments:
    """Number of rows, their mean (d,), and their scatter (d, d) around it."""

    n: int
    mean: Float64
    scatter: Float64


def moments_of(rows: Float32 | Column) -> Moments:
    """Return the moments of rows (n, d), an array or what gives one for a slice; n from 1.

    Sums are taken around the mean of the first block, so that little cancels.
    """
    origin = np.asarray(rows[0:_BLOCK]).mean(axis=0, dtype=np.float64)
    total = np.zeros_like(origin)
    squares = np.zeros((len(origin), len(origin)))
    for start in range(0, len(rows), _BLOCK):
        block = np.asarray(rows[start : start + _BLOCK]) - origin
        total += block.sum(axis=0)
        squares += block.T @ block
    offset = total / len(rows)
    squares -= np.outer(offset, total)
    return Moments(len(rows), origin + offset, squares)


def merged_moments(one: Moments, other: Moments) -> Moments:
    """Return the moments of both sets of rows together (Chan, Golub and LeVeque 1983)."""
    n = one.n + other.n
    apart = other.mean - one.mean
    scatter = one.scatter + other.scatter
    scatter += np.outer(apart, apart) * (one.n * other.n / n)
    return Moments(n, one.mean + apart * (other.n / n), scatter)


def distance_of_moments(x: Moments, y: Moments) -> float:
    """Return the Frechet distance of Gaussians with these moments, of two rows or more each.

    With ``F_x^T F_x`` the scatter of x, ``Tr (S_x S_y)^(1/2)`` is the sum of the singular values of
    ``F_x F_y^T`` over ``sqrt((n-1)(m-1))``.
    """
    from scipy import linalg  # here, because small sets should not wait for it

    scale_x, scale_y = x.n - 1, y.n - 1
    cross = _factor(x.scatter) @ _factor(y.scatter).T
    # The transpose has the same values, and the order in memory that LAPACK can overwrite.
    values = linalg.svd(cross.T, compute_uv=False, overwrite_a=True, check_finite=False)
    root = float(values.sum()) / math.sqrt(scale_x * scale_y)
    traces = float(np.trace(x.scatter)) / scale_x + float(np.trace(y.scatter)) / scale_y
    difference = x.mean - y.mean
    return max(0.0, float(difference @ difference) + traces - 2 * root)


def _factor(scatter: Float64) -> Float64:
    """Return F (d, d) with ``F^T F`` equal to a scatter, also to one that is singular."""
    try:
        return np.asarray(np.linalg.cholesky(scatter).T)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(scatter)
        # What rounding made of eigenvalues that are 0.
        values[values < len(values) * np.finfo(np.float64).eps * values[-1]] = 0.0
        return np.asarray(np.sqrt(values)[:, None] * vectors.T)
