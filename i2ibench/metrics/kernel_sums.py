"""Sums of the kernel ``(x.y / d + 1)^3`` over many subsets of two sets of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from i2ibench.metrics.by_pair import Column

Float64 = npt.NDArray[np.float64]
# The numbers of the rows of both sets that are in a subset, equally many.
Subset = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
Rows = npt.NDArray[np.float32] | Column

_BLOCK = 1024


class KernelSums(NamedTuple):
    """Sums over one subset.

    Attributes:
        within_x: over every two different rows of x.
        within_y: over every two different rows of y.
        across: over every row of x and every row of y.
        of_pairs: over rows of x and y of one number.
    """

    within_x: float
    within_y: float
    across: float
    of_pairs: float


def kernel_sums(x: Rows, y: Rows, drawn: Sequence[Subset]) -> Iterator[KernelSums]:
    """Yield the sums over each subset of rows ``x`` and ``y`` (n, d).

    Subsets of few rows share most of their kernels: those of all rows then cost less than those of
    every subset, and each subset's sum is a quadratic form with zeros and ones.
    """
    size = len(drawn[0][0])
    if len(x) ** 2 <= len(drawn) * size**2:
        yield from _of_all_rows(x, y, drawn)
        return
    for of_x, of_y in drawn:
        a, b = _doubles(x, of_x), _doubles(y, of_y)
        across = cubic_kernel(a, b)
        both = of_x[:, None] == of_y[None, :] if of_x is not of_y else np.eye(size, dtype=bool)
        yield KernelSums(
            _off_diagonal(cubic_kernel(a, a)),
            _off_diagonal(cubic_kernel(b, b)),
            float(across.sum()),
            float(across[both].sum()),
        )


def cubic_kernel(x: Float64, y: Float64) -> Float64:
    """Return ``(x.y / d + 1)^3`` of every two rows: (n, d) and (m, d) -> (n, m)."""
    values: Float64 = x @ y.T
    values /= x.shape[1]
    values += 1
    cubed = values * values
    cubed *= values
    return cubed


def _of_all_rows(x: Rows, y: Rows, drawn: Sequence[Subset]) -> Iterator[KernelSums]:
    n, count = len(x), len(drawn)
    in_x, in_y = np.zeros((n, count)), np.zeros((n, count))
    for column, (of_x, of_y) in enumerate(drawn):
        in_x[of_x, column] = in_y[of_y, column] = 1.0
    sums = np.zeros((4, count))
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        a, b = (np.asarray(side[rows]).astype(np.float64) for side in (x, y))
        for other in range(0, n, _BLOCK):
            columns = slice(other, other + _BLOCK)
            c, d = (np.asarray(side[columns]).astype(np.float64) for side in (x, y))
            for place, kernel, left, right in (
                (0, cubic_kernel(a, c), in_x, in_x),
                (1, cubic_kernel(b, d), in_y, in_y),
                (2, cubic_kernel(a, d), in_x, in_y),
            ):
                if start == other:
                    diagonal = np.diagonal(kernel) @ (left[rows] * right[rows])
                    sums[3 if place == 2 else place] += diagonal if place == 2 else -diagonal
                sums[place] += (left[rows] * (kernel @ right[columns])).sum(axis=0)
    for each in sums.T.tolist():
        yield KernelSums(*each)


def _doubles(rows: Rows, numbers: npt.NDArray[np.int64]) -> Float64:
    """Return some of the rows in float64; all of them beside their list would double memory."""
    return np.asarray(rows[numbers], dtype=np.float64)


def _off_diagonal(square: Float64) -> float:
    return float(square.sum() - np.trace(square))
