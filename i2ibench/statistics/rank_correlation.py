"""Spearman's rank correlation with an interval over clusters; pure functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from i2ibench.seeds import derive_seed
from i2ibench.statistics.bootstrap import RESAMPLES, Codes, Floats
from i2ibench.statistics.draws import draw_counts
from i2ibench.statistics.percentiles import percentile_interval


def spearman(first: Floats, second: Floats) -> float | None:
    """Return Spearman's rank correlation of two columns ``(N,)``; ties have their mean rank.

    None where it is undefined: fewer than two values, or a column without any difference.
    """
    if len(first) < 2:
        return None
    found = float(_pearson(rankdata(first), rankdata(second), np.ones((1, len(first))))[0])
    return found if np.isfinite(found) else None


def spearman_interval(
    first: Floats, second: Floats, clusters: Codes | None = None, seed: int = 0
) -> tuple[float, float] | None:
    """Return a 95 % interval of Spearman's rank correlation, by resampling clusters or pairs.

    Ranks are those within each resample. The ends are those of ``percentile_interval``, within
    [-1, 1].

    Args:
        first, second: ``(N,)``.
        clusters: ``(N,)``, a code a pair, whose pairs are drawn together; None where each pair is
            its own.
        seed: of the resampling.
    """
    estimate = spearman(first, second)
    if estimate is None:
        return None
    place = np.arange(len(first))
    if clusters is not None:
        place = np.unique(clusters, return_inverse=True)[1].reshape(-1)
    units = int(place.max()) + 1
    ranks = _ranks_in(first), _ranks_in(second)
    resampled = []
    for drawn in draw_counts(derive_seed(seed, "rank correlation", units), RESAMPLES, units):
        counts = drawn[:, place]
        resampled.append(_pearson(ranks[0](counts), ranks[1](counts), counts))
    found = percentile_interval(estimate, np.concatenate(resampled), units)
    return None if found is None else (max(-1.0, found[0]), min(1.0, found[1]))


def spearman_of_rows(first: Floats, rows: Floats) -> Floats:
    """Return the correlation of ``(K,)`` with each row of ``(B, K)``; NaN where undefined."""
    ranks = np.broadcast_to(rankdata(first), rows.shape)
    found = _pearson(ranks, rankdata(rows, axis=1), np.ones(rows.shape))
    return np.where(np.isnan(rows).any(1), np.nan, found)


def _ranks_in(values: Floats) -> Callable[[Floats], Floats]:
    """Return what ranks ``values`` in resamples that hold each so often: ``(B, N)`` counts."""
    level = np.unique(values, return_inverse=True)[1].reshape(-1)
    which = np.eye(int(level.max()) + 1)[level]

    def ranks(counts: Floats) -> Floats:
        of_level = counts @ which
        middle = np.cumsum(of_level, axis=1) - of_level + (of_level + 1) / 2
        return np.asarray(middle[:, level], dtype=np.float64)

    return ranks


def _pearson(first: Floats, second: Floats, counts: Floats) -> Floats:
    """Return the correlation of each resample; NaN where a column has no difference in it."""
    total = counts.sum(1, keepdims=True)
    a = first - (counts * first).sum(1, keepdims=True) / total
    b = second - (counts * second).sum(1, keepdims=True) / total
    products = (counts * a * b).sum(1)
    squares = (counts * a * a).sum(1) * (counts * b * b).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(squares > 0, products / np.sqrt(squares), np.nan))
