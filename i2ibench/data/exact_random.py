"""Randomness and smooth noise with the same bits on every machine.

Only additions, multiplications, divisions and square roots are used: IEEE 754 fixes their results,
while ``exp``, ``sin`` and the sampling methods of NumPy may change in the last bit with the
processor or the release. The raw output of Philox is guaranteed by NumPy to stay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]


class Stream:
    """A stream of random numbers."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(key=seed)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return one number of [low, high)."""
        return low + (high - low) * float(self.uniforms(1)[0])

    def uniforms(self, *shape: int) -> Field:
        """Return numbers of [0, 1) in an array of ``shape``."""
        count = int(np.prod(shape, dtype=np.int64))
        raw = np.asarray(self._bits.random_raw(count), dtype=np.uint64) >> np.uint64(11)
        return (raw.astype(np.float64) * 2.0**-53).reshape(shape)

    def bell(self, spread: float = 1.0) -> float:
        """Return a bell-shaped number of (-spread, spread), standard deviation about spread / 3."""
        a, b, c = (float(value) for value in self.uniforms(3))
        return ((a + b + c) / 1.5 - 1.0) * spread

    def direction(self) -> tuple[float, float]:
        """Return a unit vector; its direction is close to uniform."""
        t = self.uniform(-1.0, 1.0)
        # The rational parametrisation of the circle needs no sine.
        x, y = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        quarter = int(self.uniform(0, 4))
        return [(x, y), (-y, x), (-x, -y), (y, -x)][quarter]


def smooth_noise(stream: Stream, height: int, width: int, period: float, octaves: int = 1) -> Field:
    """Return value noise of [0, 1) on ``(height, width)``; each octave halves period and weight."""
    total = np.zeros((height, width))
    weight, sum_of_weights = 1.0, 0.0
    for _ in range(octaves):
        lattice = stream.uniforms(int(height / period) + 3, int(width / period) + 3)
        rows = _interpolate(lattice, height, period, stream.uniform())
        total += weight * _interpolate(rows.T, width, period, stream.uniform()).T
        sum_of_weights += weight
        weight, period = weight / 2, period / 2
    return total / sum_of_weights


def _interpolate(lattice: Field, length: int, period: float, phase: float) -> Field:
    position = np.arange(length) / period + phase
    index = position.astype(np.int64)
    t = position - index
    t = (t * t * (3 - 2 * t))[:, None]
    return lattice[index] * (1 - t) + lattice[index + 1] * t


def smoothstep(values: Field, low: float, high: float) -> Field:
    """Return 0 below ``low``, 1 above ``high`` and a cubic in between; falls if low > high."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def soften(field: Field) -> Field:
    """Blur with the separable binomial kernel (1, 2, 1) / 4, edges repeated."""
    padded = np.pad(field, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16
