"""SSIM with the 7x7 uniform window on uint8 images: window sums in exact integers.

All window sums of two uint8 images, and the products of two such sums, fit int32, so everything up
to the last quotient is exact and moves half the bytes of float64. It runs on strips of rows in
buffers that each thread keeps: memory that is fetched and returned at every strip costs more than
the sums.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

UInt16 = npt.NDArray[np.uint16]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]

# The stabilisers of the means and of the variances: K1 0.01 and K2 0.03 times the data range.
C1, C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
_RADIUS = 3
SIDE = 2 * _RADIUS + 1
_N = SIDE**2
_BORDER = 2 * _RADIUS
# Values of one strip: its buffers then fit into second- and third-level caches.
_STRIP_VALUES = 50_000


def uniform_ssim(a: UInt8, b: UInt8) -> float:
    """Return the mean SSIM over the pixels 3 away from the border and over the channels.

    Sample covariance; uint8 (H, W, C) twice, with sides of at least 7.
    """
    height, width, channels = a.shape
    inner = height - _BORDER
    strips = max(1, round(inner * width * channels / _STRIP_VALUES))
    rows = min(inner, max(8, -(-inner // strips)))
    buffers = _buffers_for(rows, width, channels)
    total = 0.0
    for top in range(0, inner, rows):
        bottom = min(top + rows, inner) + _BORDER
        total += buffers.strip_sum(a[top:bottom], b[top:bottom])
    return total / float(inner * (width - _BORDER) * channels)


class _Buffers:
    """The arrays of one strip of at most ``rows`` scored rows; two axes, channels side by side."""

    def __init__(self, rows: int, width: int, channels: int) -> None:
        self._channels = channels
        high, wide = rows + _BORDER, width * channels
        across = wide - _BORDER * channels
        self._pixels = [np.empty((high, wide), np.uint16) for _ in range(4)]
        self._part = [np.empty((high, wide), np.uint16) for _ in range(2)]
        self._sums = [np.empty((rows, across), np.uint16) for _ in range(2)]
        self._boxes = [np.empty((high, width, channels), np.int32) for _ in range(2)]
        self._integers = [np.empty((rows, across), np.int32) for _ in range(4)]
        self._floats = [np.empty((rows, across), np.float64) for _ in range(4)]

    def strip_sum(self, a: UInt8, b: UInt8) -> float:
        """Return the sum of SSIM over the inner pixels of two strips (rows + 6, W, C).

        With window sums S over n weights, every factor is the textbook one times n^2, or times
        n (n - 1) where it is a sample covariance; both cancel in the quotient.
        """
        high, rows = a.shape[0], a.shape[0] - _BORDER
        x, y, product, square = (each[:high] for each in self._pixels)
        np.copyto(x, a.reshape(high, -1))
        np.copyto(y, b.reshape(high, -1))
        np.multiply(x, y, out=product)
        np.subtract(x, y, out=square)  # modulo 2^16, and so is its square, which fits
        np.multiply(square, square, out=square)
        sxy, sdd = self._box_sums((product, square), rows)
        sx, sy = (self._window_sums(p, s[:rows]) for p, s in zip((x, y), self._sums, strict=True))
        means, squares, covariance, variance = (each[:rows] for each in self._integers)

        np.multiply(sx, sy, out=means, dtype=np.int32)
        means += means  # 2 sx sy
        np.subtract(sx, sy, out=squares, dtype=np.int32)
        squares *= squares
        squares += means  # sx^2 + sy^2
        inner = (rows, -1, self._channels)
        np.multiply(sxy, 2, out=covariance.reshape(inner))
        np.add(sdd, covariance.reshape(inner), out=variance.reshape(inner))  # sum x^2 + sum y^2
        variance *= _N
        variance -= squares
        covariance *= _N
        covariance -= means

        luminance, below, contrast, spread = (each[:rows] for each in self._floats)
        np.add(means, C1 * _N * _N, out=luminance)
        np.add(squares, C1 * _N * _N, out=below)
        np.add(covariance, C2 * _N * (_N - 1), out=contrast)
        np.add(variance, C2 * _N * (_N - 1), out=spread)
        luminance *= contrast
        below *= spread
        luminance /= below
        return float(luminance.sum())

    def _box_sums(self, images: Sequence[UInt16], rows: int) -> list[Int32]:
        """Return the window sums (rows, W - 6, C) of images whose sums need 32 bits."""
        found = []
        for image, box in zip(images, self._boxes, strict=True):
            place = box[: len(image)]
            cv2.boxFilter(
                image.reshape(place.shape),
                cv2.CV_32S,
                (SIDE, SIDE),
                dst=place,
                normalize=False,
                borderType=cv2.BORDER_REFLECT,
            )
            found.append(place[_RADIUS : _RADIUS + rows, _RADIUS:-_RADIUS])
        return found

    def _window_sums(self, pixels: UInt16, found: UInt16) -> UInt16:
        """Return the window sums of 8-bit pixels, at most 12,495: ``7 = 4 + 2 + 1`` both ways."""
        rows, step, across = len(found), self._channels, found.shape[1]
        pairs, columns = self._part[0][: len(pixels)], self._part[1][:rows]
        np.add(pixels[:-1], pixels[1:], out=pairs[:-1])
        np.add(pairs[:rows], pairs[2 : rows + 2], out=columns)
        columns += pairs[4 : rows + 4]
        columns += pixels[6 : rows + 6]
        pairs = pairs[:rows]
        np.add(columns[:, :-step], columns[:, step:], out=pairs[:, :-step])
        np.add(pairs[:, :across], pairs[:, 2 * step : 2 * step + across], out=found)
        found += pairs[:, 4 * step : 4 * step + across]
        found += columns[:, 6 * step :]
        return found


_kept = threading.local()


def _buffers_for(rows: int, width: int, channels: int) -> _Buffers:
    """Return this thread's buffers; new ones where the last image was of another size."""
    size = (rows, width, channels)
    if getattr(_kept, "size", None) != size:
        _kept.buffers, _kept.size = _Buffers(*size), size
    buffers: _Buffers = _kept.buffers
    return buffers
