"""Exact sums over the images of a set, pixel by pixel, in as few bytes as hold them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# Rows that are looked at together: nothing but the sums themselves grows with an image.
BLOCK = 32
# Squares of so many uint8 values still fit uint32.
_MANY_IMAGES = (2**32 - 1) // 255**2
# Sums of so many uint8 values still fit uint16.
_FEW_IMAGES = (2**16 - 1) // 255


@dataclass
class PixelTotals:
    """Sums of ``n`` uint8 images, exact in any order.

    Attributes:
        n: images.
        total: per pixel and channel, ``(H, W, 3)``: uint16 while that holds it, then uint32.
        squares: of all values of all images, one number.
    """

    n: int
    total: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    squares: int

    @classmethod
    def zero(cls, shape: tuple[int, ...]) -> PixelTotals:
        """Return the sums of no image."""
        return cls(0, np.zeros(shape, np.uint16), 0)

    def add(self, image: npt.NDArray[np.uint8]) -> None:
        """Add one image."""
        self.n += 1
        self.total = _wide_enough(self.total, self.n)
        for rows in blocks(len(image)):
            self.total[rows] += image[rows]
            # A whole number below 2^53, which OpenCV sums as such; before version 5 it squares the
            # root of the sum.
            self.squares += round(cv2.norm(image[rows], cv2.NORM_L2SQR))

    def plus(self, other: PixelTotals) -> PixelTotals:
        """Return the sums of both."""
        n = self.n + other.n
        total = _wide_enough(self.total, n) + _wide_enough(other.total, n)
        return PixelTotals(n, total, self.squares + other.squares)

    def mean_variance(self) -> float:
        """Return the mean over pixels and channels of the unbiased variance over the images."""
        of_totals = sum(_sum_of_squares(self.total[rows]) for rows in blocks(len(self.total)))
        # Whole numbers to the last step: nothing is lost where images hardly vary.
        return (self.n * self.squares - of_totals) / (self.n * (self.n - 1) * self.total.size)


@dataclass
class PixelMoments:
    """Sums of ``n`` uint8 images and of their squares, each ``(H, W, 3)``, exact in any order."""

    n: int
    total: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    squares: npt.NDArray[np.uint32] | npt.NDArray[np.uint64]

    @classmethod
    def zero(cls, shape: tuple[int, ...]) -> PixelMoments:
        """Return the sums of no image."""
        return cls(0, np.zeros(shape, np.uint16), np.zeros(shape, np.uint32))

    def add(self, image: npt.NDArray[np.uint8]) -> None:
        """Add one image."""
        self.n += 1
        self.total = _wide_enough(self.total, self.n)
        self.squares = _wide_enough_for_squares(self.squares, self.n)
        for rows in blocks(len(image)):
            self.total[rows] += image[rows]
            self.squares[rows] += cv2.multiply(image[rows], image[rows], dtype=cv2.CV_16U)

    def plus(self, other: PixelMoments) -> PixelMoments:
        """Return the sums of both."""
        n = self.n + other.n
        total = _wide_enough(self.total, n) + _wide_enough(other.total, n)
        mine, theirs = (_wide_enough_for_squares(each.squares, n) for each in (self, other))
        return PixelMoments(n, total, mine + theirs)

    def variance(self, rows: slice) -> Float64:
        """Return the unbiased variance over the images of some rows, in squared grey levels."""
        total = self.total[rows].astype(np.float64)
        found: Float64 = (self.squares[rows] - total * total / self.n) / (self.n - 1)
        return found


def blocks(height: int) -> list[slice]:
    """Return the rows of an image, some at a time."""
    return [slice(top, top + BLOCK) for top in range(0, height, BLOCK)]


def _sum_of_squares(totals: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]) -> int:
    """Return the exact sum, which may not fit 64 bits."""
    squares = np.square(totals, dtype=np.uint64)
    return (int((squares >> 32).sum()) << 32) + int((squares & 0xFFFFFFFF).sum())


def _wide_enough_for_squares(
    squares: npt.NDArray[np.uint32] | npt.NDArray[np.uint64], images: int
) -> npt.NDArray[np.uint32] | npt.NDArray[np.uint64]:
    return squares.astype(np.uint64) if images > _MANY_IMAGES else squares


def _wide_enough(
    total: npt.NDArray[np.uint16] | npt.NDArray[np.uint32], images: int
) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
    return total.astype(np.uint32) if images > _FEW_IMAGES and total.dtype == np.uint16 else total
