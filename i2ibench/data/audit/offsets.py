"""How far the target of a pair is displaced against its source."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

# Offsets of sections are estimated at this size: whole tissue structures, not single pixels.
_SIDE = 512
# Frequencies in cycles per picture between which two stains agree: below lies shading, above noise.
_BAND = (3.0, 60.0)


class Shift(NamedTuple):
    """Displacement of the target in pixels, and how clearly the peak stands out.

    ``confidence`` says by how many standard deviations of the correlation the peak stands above
    any other place; below ``CONFIDENT`` the shift says nothing. Rows of equal windows, say, give
    several high peaks and no confidence.
    """

    x: float
    y: float
    confidence: float

    @property
    def length(self) -> float:
        """Distance in pixels."""
        return float(np.hypot(self.x, self.y))


CONFIDENT = 9.0
# Around a peak, within so many pixels of the estimate, is no other place.
_PEAK = 6


def estimate_shift(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> Shift:
    """Estimate the shift between two grey images ``(H, W)`` by band-limited phase correlation.

    Positive ``x`` means that the target's content lies to the right of the source's. Kuglin and
    Hines, The phase correlation image alignment method, 1975; here on the strength of edges, since
    two stains agree where edges are, not in which side of them is darker.
    """
    height, width = source.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    first, second = (_edges(image, size) for image in (source, target))
    band = _band(size[1], size[0])
    cross = np.fft.rfft2(second) * np.conj(np.fft.rfft2(first))
    magnitude = np.abs(cross)
    phase = np.where(magnitude > 1e-9 * (magnitude.max() + 1e-30), cross / (magnitude + 1e-30), 0)
    surface = np.fft.irfft2(phase * band, s=(size[1], size[0]))
    row, column = np.unravel_index(int(np.argmax(surface)), surface.shape)
    confidence = _confidence(surface, int(row), int(column))
    y, x = (
        _signed(_refined(surface, int(row), int(column), axis), surface.shape[axis])
        for axis in (0, 1)
    )
    return Shift(x * width / size[0], y * height / size[1], confidence)


def _confidence(surface: NDArray[np.float64], row: int, column: int) -> float:
    noise = float(surface.std())
    if noise == 0:
        return 0.0
    around = np.arange(-_PEAK, _PEAK + 1)
    others = surface.copy()
    others[
        np.ix_((row + around) % surface.shape[0], (column + around) % surface.shape[1])
    ] = -np.inf
    return (float(surface[row, column]) - float(others.max())) / noise


def _edges(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), 1.0)
    gradient = cv2.magnitude(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    window = _window(size[1], size[0])
    return np.asarray((gradient - gradient.mean()) * window, dtype=np.float32)


def _refined(surface: NDArray[np.float64], row: int, column: int, axis: int) -> float:
    """Return the peak's place along ``axis`` from a parabola through its neighbours."""
    line = surface[:, column] if axis == 0 else surface[row]
    index = row if axis == 0 else column
    left, peak, right = (float(line[(index + step) % line.size]) for step in (-1, 0, 1))
    curve = left - 2 * peak + right
    return index + (0.5 * (left - right) / curve if curve < 0 else 0.0)


def _signed(position: float, length: int) -> float:
    return position - length if position > length / 2 else position


@lru_cache(maxsize=8)
def _window(height: int, width: int) -> NDArray[np.float32]:
    return np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)


@lru_cache(maxsize=8)
def _band(height: int, width: int) -> NDArray[np.float64]:
    vertical = np.fft.fftfreq(height, 1 / height)[:, None]
    horizontal = np.fft.rfftfreq(width, 1 / width)[None]
    radius = np.hypot(vertical, horizontal)
    low, high = _BAND
    return np.asarray((1 - np.exp(-((radius / low) ** 2))) * np.exp(-((radius / high) ** 2)))
