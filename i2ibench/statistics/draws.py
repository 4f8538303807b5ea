"""Draws with replacement, as counts: how often each unit is in each resample."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Draws are made and used in blocks of this many numbers, so that memory does not grow with pairs.
_BLOCK = 1 << 19
# Boards ask for the same draws table after table; up to this many bytes of them are kept.
_KEPT = 1 << 24


def draw_counts(seed: int, resamples: int, units: int) -> Iterator[Floats]:
    """Yield blocks of how often each of ``units`` is drawn in each resample."""
    blocks = (
        _kept_draws(seed, resamples, units)
        if resamples * units <= _KEPT
        else _draws(seed, resamples, units)
    )
    for block in blocks:
        yield block.astype(np.float64)


@lru_cache(maxsize=8)
def _kept_draws(seed: int, resamples: int, units: int) -> tuple[NDArray[np.uint8], ...]:
    return tuple(_draws(seed, resamples, units))


def _draws(seed: int, resamples: int, units: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the counts of draws with replacement, one row a resample.

    A byte holds them: with 255 units or fewer no count is larger, and with more of them one above
    255 is less likely than 1e-300.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // units)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(units, size=(rows, units))
        drawn += np.arange(rows)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=rows * units)
        yield counts.reshape(rows, units).astype(np.uint8)
