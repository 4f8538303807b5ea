"""Bootstrap intervals of mean scores; pure functions, every random draw from a stated seed.

The unit of resampling is the pair, or the cluster (slide, patient) where cluster ids exist: pairs
of one slide are not independent, and resampling them one by one would make intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from i2ibench.seeds import derive_seed
from i2ibench.statistics.draws import draw_counts

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LEVEL = 0.95
RESAMPLES = 2000
# Below this many independent units the simulated coverage of skewed scores falls under 93 %: no
# interval is given.
FEWEST_UNITS = 16
METHOD = "BCa bootstrap within groups, widened for few units"
# Fewer units than this in a group that is resampled within itself make no interval of the whole.
FEWEST_IN_GROUP = 4

# So many units make an interval of scores of which most are equal.
_UNITS_OF_FEW_VALUES = 100

# Half-width of a normal interval of this level in standard errors.
_NORMAL_WIDTH = float(special.ndtri((1 + LEVEL) / 2))


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
        all_units: of all parts together, where they were.
    """

    estimate: Floats
    means: Floats
    deviations: Floats
    variance: Floats
    freedom: Floats
    units: int
    all_units: int | None = None


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
    return grouped_bca_intervals(resample_means(values, clusters, seed=seed, resamples=resamples))


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
    if finite.all():  # one column of counts serves all, and no value is copied
        finite = finite[:, :1]
    else:
        values = np.where(finite, values, 0.0)
    sums = sum_by_cluster(values, clusters)
    counts = sum_by_cluster(finite.astype(np.float64), clusters)
    units = len(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.concatenate(
            [
                (weights @ sums) / (weights @ counts)
                for weights in draw_counts(derive_seed(seed, "bootstrap", units), resamples, units)
            ]
        )
        total, number = sums.sum(0), counts.sum(0)
        deviations = total - sums  # of the leave-one-out means, in place: they are the largest
        deviations /= number - counts
        np.subtract(deviations.mean(0), deviations, out=deviations)
        return Resampled(
            estimate=total / number,
            means=means,
            deviations=deviations,
            variance=(units - 1) / units * (deviations**2).sum(0),
            freedom=_effective_units(values, clusters, sums, counts) * (1 - 1 / units),
            units=units,
        )


def combine(parts: Sequence[Resampled], shares: Sequence[Floats] | None = None) -> Resampled:
    """Return a weighted mean of independently resampled parts.

    ``shares`` are the parts' weights by column, ``(M,)`` each: of the mean over all pairs each
    group's share of them. None for the unweighted mean (the macro mean of groups).
    """
    weights = shares or [np.full_like(part.estimate, 1 / len(parts)) for part in parts]
    variances = np.stack([p.variance * w**2 for p, w in zip(parts, weights, strict=True)])
    freedoms = np.stack([part.freedom for part in parts])
    with np.errstate(invalid="ignore", divide="ignore"):
        # Welch and Satterthwaite's degrees of freedom of a sum of variances.
        freedom = variances.sum(0) ** 2 / (variances**2 / freedoms).sum(0)
    return Resampled(
        estimate=_weighted([part.estimate for part in parts], weights),
        means=_weighted([part.means for part in parts], weights),
        deviations=np.concatenate(
            [part.deviations * w for part, w in zip(parts, weights, strict=True)]
        ),
        variance=variances.sum(0),
        freedom=freedom,
        units=min(part.units for part in parts),
        all_units=sum(part.units for part in parts),
    )


def _weighted(values: Sequence[Floats], weights: Sequence[Floats]) -> Floats:
    if all((w == weights[0]).all() for w in weights):  # as records of the older method have it
        return np.asarray(np.mean(values, axis=0), dtype=np.float64)
    return np.asarray(sum(v * w for v, w in zip(values, weights, strict=True)), dtype=np.float64)


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
    return _widened(resampled)


def grouped_bca_intervals(resampled: Resampled) -> list[tuple[float, float] | None]:
    """Return intervals as ``bca_intervals`` does, also where groups are small but many.

    The whole needs ``FEWEST_UNITS`` units, each group that was resampled within itself
    ``FEWEST_IN_GROUP``. There is none where more than half of fewer than 100 units share one value
    (a score that is mostly 0): the few others decide the mean, and too few of them were seen. Where
    all units share it, none of the others was, and resampling cannot make one.
    Skewness that a sample shows is no such ground, since the samples that miss the truth are those
    that do not show it. Simulated: benchmarks/interval_coverage.py.
    """
    units = resampled.units if resampled.all_units is None else resampled.all_units
    if units < FEWEST_UNITS or resampled.units < FEWEST_IN_GROUP:
        return [None] * len(resampled.estimate)
    found = _widened(resampled)
    trusted = _is_varied(resampled.deviations, resampled.estimate)
    return [each if trust else None for each, trust in zip(found, trusted, strict=True)]


def _is_varied(deviations: Floats, estimate: Floats) -> list[bool]:
    """Whether a mean does not hang on the few units that differ from all others, by column."""
    if len(deviations) >= _UNITS_OF_FEW_VALUES:
        return [True] * deviations.shape[1]
    spread = deviations.std(axis=0)
    rounding = 1e-9 * spread + 1e-12 * np.abs(estimate)
    usual = np.abs(deviations - np.median(deviations, axis=0)) <= rounding
    return [bool(each) for each in usual.mean(0) <= 0.5]


def _widened(resampled: Resampled) -> list[tuple[float, float] | None]:
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


@dataclass(frozen=True, slots=True)
class Method:
    """A way to make intervals.

    Attributes:
        bounds: from resampled means to intervals.
        within_groups: whether groups keep their sizes: units are drawn within each.
    """

    bounds: Bounds
    within_groups: bool


# Ways to make intervals, by the name under which records keep them. A way that is changed gets a
# new name, and the old one stays: a record is verified by the method that it names.
METHODS: Mapping[str, Method] = {
    METHOD: Method(grouped_bca_intervals, within_groups=True),
    "BCa bootstrap, widened for few units": Method(bca_intervals, within_groups=False),
}


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
    # Half of the ties count as below, or discrete scores would look biased. The last digits of a
    # mean depend on the processor, so what differs by rounding alone is a tie.
    rounding = 1e-9 * float(np.ptp(means))
    below = (np.mean(means < estimate - rounding) + np.mean(means <= estimate + rounding)) / 2
    below = min(max(below, 0.5 / len(means)), 1 - 0.5 / len(means))
    bias = float(special.ndtri(below))
    scale = float((deviations**2).sum()) ** 1.5
    acceleration = float((deviations**3).sum()) / (6 * scale) if scale > 0 else 0.0
    shifted = bias + np.array([-_NORMAL_WIDTH, _NORMAL_WIDTH])
    levels = special.ndtr(bias + shifted / (1 - acceleration * shifted))
    return np.asarray(np.clip(levels, 0.0, 1.0), dtype=np.float64)


def _effective_units(
    values: Floats, clusters: Codes | None, sums: Floats, counts: Floats
) -> Floats:
    """Return of how many equal units the variance of each mean is worth, ``(M,)``.

    A few large clusters decide a mean and its variance. With a share r of the variance between
    clusters (analysis of variance, one way), a cluster of n pairs adds r n^2 + (1 - r) n to the
    variance of the sum; the effective number is Satterthwaite's, (sum of these)^2 over the sum of
    their squares.
    """
    units, pairs = len(sums), np.broadcast_to(counts.sum(0), sums.shape[1:])
    if clusters is None:
        return np.array(pairs, dtype=np.float64)
    squares = values**2
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
