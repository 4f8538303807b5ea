"""Bootstrap intervals of mean scores; pure functions, every random draw from a stated seed.

The unit of resampling is the pair, or the cluster (slide, patient) where cluster ids exist: pairs
of one slide are not independent, and resampling them one by one would make intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from i2ibench.seeds import derive_seed

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LEVEL = 0.95
RESAMPLES = 2000
# Below this many independent units the simulated coverage of skewed scores falls under 93 %: no
# interval is given.
FEWEST_UNITS = 16
METHOD = "BCa bootstrap, widened for few units"

# Half-width of a normal interval of this level in standard errors.
_NORMAL_WIDTH = float(special.ndtri((1 + LEVEL) / 2))

# Draws are made and used in blocks of this many numbers, so that memory does not grow with pairs.
_BLOCK = 1 << 19
# Boards ask for the same draws table after table; up to this many bytes of them are kept.
_KEPT = 1 << 24


@dataclass(frozen=True, slots=True)
class Resampled:
    """Means of M columns and what resampling U independent units (pairs or clusters) did to them.

    Attributes:
        estimate: the means, ``(M,)``.
        means: the means of the B resamples, ``(B, M)``.
        deviations: mean of the leave-one-out means less each of them, ``(U, M)``.
        variance: jackknife variance of the means, ``(M,)``.
        freedom: degrees of freedom of that variance, ``(M,)``.
        units: the number of units; of the smallest part where parts were combined.
    """

    estimate: Floats
    means: Floats
    deviations: Floats
    variance: Floats
    freedom: Floats
    units: int


# From resampled means to an interval of each column; None where there is none.
Bounds = Callable[[Resampled], list[tuple[float, float] | None]]


def mean_intervals(
    values: Floats, clusters: Codes | None = None, *, seed: int = 0, resamples: int = RESAMPLES
) -> list[tuple[float, float] | None]:
    """Return a 95 % interval of the mean of every column of ``values`` ``(N, M)``.

    Values that are not finite are left out of every mean, as evaluation does. ``clusters`` ``(N,)``
    holds a code a pair; None where every pair is its own unit. A column without an interval (too
    few units) gives None.
    """
    return bca_intervals(resample_means(values, clusters, seed=seed, resamples=resamples))


def finite_mean(values: Floats) -> float:
    """Return the mean of the finite values, as evaluation does; of ``(N,)``.

    A column without any finite value has the mean that all its values share: the PSNR of a method
    that reproduces every target is infinite, and so is its lead over another. NaN where they share
    none: both infinities, or no value at all.
    """
    finite = values[np.isfinite(values)]
    if len(finite):
        return float(finite.mean())
    shared = set(values.tolist())
    return shared.pop() if len(shared) == 1 else float("nan")


def resample_means(
    values: Floats, clusters: Codes | None, *, seed: int, resamples: int = RESAMPLES
) -> Resampled:
    """Return the bootstrap and jackknife of the means of the columns of ``values`` ``(N, M)``."""
    finite = np.isfinite(values)
    sums = sum_by_cluster(np.where(finite, values, 0.0), clusters)
    counts = sum_by_cluster(finite.astype(np.float64), clusters)
    units = len(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.concatenate(
            [
                (weights @ sums) / (weights @ counts)
                for weights in _weights(derive_seed(seed, "bootstrap", units), resamples, units)
            ]
        )
        total, number = sums.sum(0), counts.sum(0)
        jackknife = (total - sums) / (number - counts)
        deviations = jackknife.mean(0) - jackknife
        return Resampled(
            estimate=total / number,
            means=means,
            deviations=deviations,
            variance=(units - 1) / units * (deviations**2).sum(0),
            freedom=_effective_units(values, finite, clusters, sums, counts) * (1 - 1 / units),
            units=units,
        )


def combine(parts: Sequence[Resampled]) -> Resampled:
    """Return the unweighted mean of independently resampled parts (the macro mean of groups)."""
    share = 1 / len(parts)
    variances = np.stack([part.variance for part in parts]) * share**2
    freedoms = np.stack([part.freedom for part in parts])
    with np.errstate(invalid="ignore", divide="ignore"):
        # Welch and Satterthwaite's degrees of freedom of a sum of variances.
        freedom = variances.sum(0) ** 2 / (variances**2 / freedoms).sum(0)
    return Resampled(
        estimate=np.mean([part.estimate for part in parts], axis=0),
        means=np.mean([part.means for part in parts], axis=0),
        deviations=np.concatenate([part.deviations * share for part in parts]),
        variance=variances.sum(0),
        freedom=freedom,
        units=min(part.units for part in parts),
    )


def bca_intervals(resampled: Resampled) -> list[tuple[float, float] | None]:
    """Return the bias-corrected and accelerated interval of every column (Efron 1987), widened.

    The bootstrap of a mean is too narrow in small samples, more so with clusters of unequal
    sizes. Both ends are therefore moved away from the mean by the factor between the half-width of
    a t interval and that of a normal one with the bootstrap's standard error. The t interval's
    variance is the geometric mean of the jackknife's (too large with unequal clusters) and the
    bootstrap's times U / (U - 1) (too small); for single pairs both are the sample variance over n.
    Coverage: benchmarks/interval_coverage.py.
    """
    if resampled.units < FEWEST_UNITS:
        return [None] * len(resampled.estimate)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = resampled.variance / resampled.means.var(0)
        narrowness = (ratio * resampled.units / (resampled.units - 1)) ** 0.25
    freedom = np.maximum(np.nan_to_num(resampled.freedom, nan=1.0), 1.0)
    factor = special.stdtrit(freedom, (1 + LEVEL) / 2) / _NORMAL_WIDTH * narrowness
    columns = zip(
        resampled.means.T,
        resampled.estimate.tolist(),
        resampled.deviations.T,
        np.asarray(factor).tolist(),
        strict=True,
    )
    return [_bca_interval(*column) for column in columns]


# Ways to make intervals, by the name under which records keep them. A way that is changed gets a
# new name, and the old one stays: a record is verified by the method that it names.
METHODS: Mapping[str, Bounds] = {METHOD: bca_intervals}


def _bca_interval(
    means: Floats, estimate: float, deviations: Floats, factor: float
) -> tuple[float, float] | None:
    if not (np.isfinite(means).all() and np.isfinite(deviations).all()):
        return None
    if np.ptp(means) <= 1e-12 * max(1.0, abs(estimate)):
        return (estimate, estimate)
    low, high = np.quantile(means, _bca_levels(means, estimate, deviations))
    return (
        estimate - factor * (estimate - float(low)),
        estimate + factor * (float(high) - estimate),
    )


def _bca_levels(means: Floats, estimate: float, deviations: Floats) -> Floats:
    """Return the two quantile levels of Efron's equation 2.3 for one column."""
    # Half of the ties count as below, or discrete scores would look biased.
    below = (np.mean(means < estimate) + np.mean(means <= estimate)) / 2
    below = min(max(below, 0.5 / len(means)), 1 - 0.5 / len(means))
    bias = float(special.ndtri(below))
    scale = float((deviations**2).sum()) ** 1.5
    acceleration = float((deviations**3).sum()) / (6 * scale) if scale > 0 else 0.0
    shifted = bias + np.array([-_NORMAL_WIDTH, _NORMAL_WIDTH])
    levels = special.ndtr(bias + shifted / (1 - acceleration * shifted))
    return np.asarray(np.clip(levels, 0.0, 1.0), dtype=np.float64)


def _effective_units(
    values: Floats, finite: NDArray[np.bool_], clusters: Codes | None, sums: Floats, counts: Floats
) -> Floats:
    """Return of how many equal units the variance of each mean is worth, ``(M,)``.

    A few large clusters decide a mean and its variance. With a share r of the variance between
    clusters (analysis of variance, one way), a cluster of n pairs adds r n^2 + (1 - r) n to the
    variance of the sum; the effective number is Satterthwaite's, (sum of these)^2 over the sum of
    their squares.
    """
    units, pairs = len(sums), counts.sum(0)
    if clusters is None:
        return np.asarray(pairs, dtype=np.float64)
    squares = np.where(finite, values, 0.0) ** 2
    between = (sums**2 / np.maximum(counts, 1)).sum(0)
    mean_square_within = (squares.sum(0) - between) / (pairs - units)
    mean_square_between = (between - sums.sum(0) ** 2 / pairs) / (units - 1)
    typical_size = (pairs - (counts**2).sum(0) / pairs) / (units - 1)
    variance_between = np.maximum(mean_square_between - mean_square_within, 0) / typical_size
    share = np.nan_to_num(variance_between / (variance_between + mean_square_within), nan=1.0)
    added = share * counts**2 + (1 - share) * counts
    return np.asarray(added.sum(0) ** 2 / (added**2).sum(0), dtype=np.float64)


def sum_by_cluster(columns: Floats, clusters: Codes | None) -> Floats:
    """Return the sums ``(U, M)`` of ``(N, M)`` by cluster, in the order of the codes."""
    if clusters is None:
        return columns
    codes = np.unique(clusters, return_inverse=True)[1].reshape(-1)
    summed = np.zeros((int(codes.max()) + 1, columns.shape[1]))
    np.add.at(summed, codes, columns)
    return summed


def _weights(seed: int, resamples: int, units: int) -> Iterator[Floats]:
    """Yield blocks of how often each of ``units`` is drawn in each resample."""
    blocks = (
        _kept_draws(seed, resamples, units)
        if resamples * units <= _KEPT
        else _draws(seed, resamples, units)
    )
    for block in blocks:
        yield block.astype(np.float64)


@lru_cache(maxsize=5)
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
