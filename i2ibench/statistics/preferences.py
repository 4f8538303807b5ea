"""Strengths of what is compared two at a time: Bradley and Terry's model (Biometrika 1952)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from i2ibench.seeds import derive_seed
from i2ibench.statistics.bootstrap import RESAMPLES, Codes, Floats, sum_by_cluster
from i2ibench.statistics.draws import draw_counts
from i2ibench.statistics.percentiles import percentile_interval

Strengths = NDArray[np.float64]

_STEPS = 200
# No step is longer: where all but one comparison went one way, the first would overshoot.
_LONGEST_STEP = 1.0
_CONVERGED = 1e-12


def bradley_terry(wins: Floats) -> Strengths | None:
    """Return the log-strengths ``(K,)`` of maximum likelihood, of mean 0.

    i is preferred to j with the probability 1 / (1 + exp(s_j - s_i)).

    Args:
        wins: ``(K, K)``, how often i (row) was preferred to j (column); a comparison without a
            preference is half a win of each.

    Returns:
        The strengths; None where there are none of greatest likelihood: some never won against the
        others, or were never compared with them (Ford, American Mathematical Monthly 1957).
    """
    found = strengths_of_tables(np.asarray(wins, dtype=np.float64)[None])[0]
    return None if np.isnan(found).any() else found


def strengths_of_tables(wins: Floats) -> Strengths:
    """Return the log-strengths ``(B, K)`` of tables ``(B, K, K)``; NaN where they do not exist."""
    size = wins.shape[1]
    found = np.full(wins.shape[:2], np.nan)
    exists = _all_reach_all(wins)
    if not exists.any() or size < 2:
        return found
    tables = wins[exists]
    # The diagonal says nothing: whoever meets itself neither wins nor loses.
    tables = tables * (1 - np.eye(size))
    games = tables + tables.swapaxes(1, 2)
    strengths = np.zeros(tables.shape[:2])
    for _ in range(_STEPS):
        # Newton's step; ones in the matrix hold the mean, which the likelihood leaves open, at 0.
        won = 1 / (1 + np.exp(strengths[:, None, :] - strengths[:, :, None]))
        slope = (tables - games * won).sum(2)
        weights = games * won * (1 - won)
        curvature = np.eye(size) * weights.sum(2)[:, :, None] - weights + 1 / size
        step = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        longest = np.abs(step).max(1, keepdims=True)
        strengths += step * np.minimum(1, _LONGEST_STEP / np.maximum(longest, _CONVERGED))
        if longest.max() < _CONVERGED:
            break
    found[exists] = strengths - strengths.mean(1, keepdims=True)
    return found


def resampled_tables(
    winners: NDArray[np.float64], clusters: Codes | None, seed: int
) -> tuple[Floats, int]:
    """Return tables of wins ``(B, K, K)`` of resampled clusters, and the number of clusters.

    Args:
        winners: ``(N, K, K)``, the table of each comparison alone.
        clusters: ``(N,)``, a code a comparison; those of one cluster are drawn together. None where
            each is its own.
        seed: of the resampling.
    """
    size = winners.shape[1]
    cells = sum_by_cluster(winners.reshape(len(winners), -1), clusters)
    units = len(cells)
    draws = draw_counts(derive_seed(seed, "preferences", units), RESAMPLES, units)
    tables = np.concatenate([weights @ cells for weights in draws])
    return tables.reshape(-1, size, size), units


def strength_intervals(
    strengths: Strengths, tables: Floats, units: int
) -> list[tuple[float, float] | None]:
    """Return a 95 % interval of each strength, from the tables of ``resampled_tables``."""
    resampled = strengths_of_tables(tables)
    return [
        percentile_interval(float(each), resampled[:, k], units) for k, each in enumerate(strengths)
    ]


def _all_reach_all(wins: Floats) -> NDArray[np.bool_]:
    """Whether every one won, over others perhaps, against every other; of tables ``(B, K, K)``."""
    reach = (wins > 0) | np.eye(wins.shape[1], dtype=bool)
    for _ in range(max(1, int(np.ceil(np.log2(max(wins.shape[1], 2)))))):
        reach = (reach.astype(np.float64) @ reach.astype(np.float64)) > 0
    return np.asarray(reach.all((1, 2)))
