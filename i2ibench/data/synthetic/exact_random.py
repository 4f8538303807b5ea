"""Randomness and smooth noise with the same bits on every machine.

Only additions, multiplications, divisions and square roots are used: IEEE 754 fixes their results,
while ``exp``, ``sin`` and the sampling methods of NumPy may change in the last bit with the
processor or the release. The raw output of Philox is guaranteed by NumPy to stay.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]


class Stream:
    """A stream of random numbers."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(key=seed)
        # Single numbers come from a sequence of their own, drawn in blocks.
        self._single_bits = np.random.Philox(key=seed).jumped()
        self._singles: list[float] = []

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return one number of [low, high)."""
        if not self._singles:
            self._singles = _unit_interval(self._single_bits.random_raw(4096)).tolist()
        return low + (high - low) * self._singles.pop()

    def uniforms(self, *shape: int) -> Field:
        """Return numbers of [0, 1) in an array of ``shape``."""
        return _unit_interval(self.bits(*shape))

    def bits(self, *shape: int) -> NDArray[np.uint64]:
        """Return random 64-bit integers in an array of ``shape``."""
        raw = self._bits.random_raw(math.prod(shape))
        return np.asarray(raw, dtype=np.uint64).reshape(shape)

    def bell(self, spread: float = 1.0) -> float:
        """Return a bell-shaped number of (-spread, spread), standard deviation about spread / 3."""
        total = self.uniform() + self.uniform() + self.uniform()
        return (total / 1.5 - 1.0) * spread

    def direction(self) -> tuple[float, float]:
        """Return a unit vector; its direction is close to uniform."""
        t = self.uniform(-1.0, 1.0)
        # The rational parametrisation of the circle needs no sine.
        x, y = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        quarter = int(self.uniform(0, 4))
        return [(x, y), (-y, x), (-x, -y), (y, -x)][quarter]


def smooth_noise(stream: Stream, height: int, width: int, period: float, octaves: int = 1) -> Field:
    """Return smooth noise of [0, 1] on ``(height, width)``; an octave halves period and weight.

    A lattice of random numbers is interpolated with the cubic B-spline, whose bumps are close to
    round; the result is stretched to a standard deviation of about 0.2 around 1/2.
    """
    total = np.zeros((height, width))
    weight, sum_of_squares = 1.0, 0.0
    for _ in range(octaves):
        lattice = stream.uniforms(int(height / period) + 5, int(width / period) + 5) - 0.5
        rows = _interpolate(lattice, height, period, stream.uniform())
        total += weight * _interpolate(rows.T, width, period, stream.uniform()).T
        sum_of_squares += weight * weight
        weight, period = weight / 2, period / 2
    # Uniform numbers deviate by 0.29, and interpolation in two axes leaves 0.48 of that.
    stretched = 0.5 + total * (0.2 / (0.139 * math.sqrt(sum_of_squares)))
    return np.asarray(np.minimum(np.maximum(stretched, 0.0), 1.0))


def _interpolate(lattice: Field, length: int, period: float, phase: float) -> Field:
    position = np.arange(length) / period + phase
    index = position.astype(np.int64)
    t = (position - index)[:, None]
    s = 1 - t
    total = lattice[index] * (s * s * s / 6)
    total += lattice[index + 1] * ((3 * t * t * t - 6 * t * t + 4) / 6)
    total += lattice[index + 2] * ((3 * s * s * s - 6 * s * s + 4) / 6)
    total += lattice[index + 3] * (t * t * t / 6)
    return total


def smoothstep(values: Field, low: float, high: float) -> Field:
    """Return 0 below ``low``, 1 above ``high`` and a cubic in between; falls if low > high."""
    # Minimum and maximum: np.clip costs several times as much on small windows.
    t = np.minimum(np.maximum((values - low) * (1 / (high - low)), 0.0), 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def soften(field: Field) -> Field:
    """Blur with the separable binomial kernel (1, 2, 1) / 4, edges repeated."""
    padded = np.pad(field, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16


def _unit_interval(raw: NDArray[np.uint64] | int) -> Field:
    bits = np.asarray(raw, dtype=np.uint64) >> np.uint64(11)
    return np.asarray(bits.astype(np.float64) * 2.0**-53)
