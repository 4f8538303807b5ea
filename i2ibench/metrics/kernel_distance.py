"""Kernel distances between the Inception features of predictions and targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.by_pair import Column
from i2ibench.metrics.inception_features import FeatureMetric, FeatureState, both_sides
from i2ibench.metrics.interface import MetricSettings, Score, Signature
from i2ibench.metrics.kernel_sums import Subset, cubic_kernel, kernel_sums

Float64 = npt.NDArray[np.float64]
Interval = tuple[float, float]

# Where the simulated coverage of the interval is at least 0.93 (benchmarks/kid_coverage.py).
FEWEST_FOR_INTERVAL = 64
HIGHEST_KURTOSIS = 5.0


class KIDSettings(MetricSettings):
    """Settings of KID: the largest subset; where N is larger, how many are drawn, by which seed.

    Attributes:
        subset: pairs in a subset, from 2: one has no kernel within itself.
        subsets: drawn, from 1.
        seed: of the draw, 0 to 2^32 - 1.
    """

    subset: int = pydantic.Field(default=1000, ge=2)
    subsets: int = pydantic.Field(default=100, ge=1)
    seed: int = pydantic.Field(default=2020, ge=0, lt=2**32)


class KID(FeatureMetric):
    """Kernel Inception distance as torch-fidelity computes it, for sets without pairs.

    The squared maximum mean discrepancy with the kernel ``(x.y / 2048 + 1)^3``. Binkowski et al.,
    ICLR 2018. Up to ``subset`` pairs one estimate over all of them, beyond that the mean over
    ``subsets`` random subsets, drawn as torch-fidelity draws them.

    It is unbiased for independent sets. On paired sets its cross term also holds the kernel of each
    prediction with its own target, so that pairing is rewarded at order 1/n: at 64 pairs the same
    two distributions give a lower value the closer predictions follow their own targets. Hence it
    has no interval; ``kid-marginal`` leaves these terms out. Values below zero are valid.
    """

    name = "kid"
    trap = (
        "Cannot compare a model that keeps pairs together with one that does not; use kid-marginal."
    )
    title = "KID"
    position = 210
    better = "lower"
    Settings = KIDSettings

    def signature(self) -> Signature:
        """Return the definition; size and drawing of subsets follow from N: the score adds them."""
        return self._inception_signature(("kernel", "poly3"), ("estimator", "unbiased"))

    def compute(self, state: FeatureState) -> Score:
        """Return the distance; two pairs are the least."""
        n = len(state.pairs)
        if n < 2:
            return Score(None, unavailable=f"{self.name} needs at least 2 pairs, not {n}")
        predictions, targets = both_sides(state)
        size = min(n, self.settings.subset)
        subsets, drawing = 1, list[tuple[str, str]]()
        if size == n:
            score = self._of_all(_doubles(predictions[:]), _doubles(targets[:]))
        else:
            subsets, drawing = self.settings.subsets, [("seed", str(self.settings.seed))]
            # The legacy generator, because it is torch-fidelity's.
            draw = np.random.RandomState(self.settings.seed)
            drawn = [self._drawn(n, size, draw) for _ in range(subsets)]
            score = Score(float(np.mean([*self._of_subsets(predictions, targets, drawn)])))
        settings = (("subset", str(size)), ("subsets", str(subsets)), *drawing)
        return Score(score.value, settings=settings, ci95=score.ci95, notes=score.notes)

    def _of_all(self, predictions: Float64, targets: Float64) -> Score:
        return Score(squared_mmd(predictions, targets))

    def _drawn(self, n: int, size: int, draw: np.random.RandomState) -> Subset:
        """Return the numbers of the predictions and of the targets of a subset."""
        return _some(n, size, draw), _some(n, size, draw)

    def _of_subsets(
        self, predictions: Column, targets: Column, drawn: Sequence[Subset]
    ) -> Iterator[float]:
        size = len(drawn[0][0])
        for sums in kernel_sums(predictions, targets, drawn):
            within = (sums.within_x + sums.within_y) / (size * (size - 1))
            yield within - 2 * sums.across / (size * size)


class KIDMarginal(KID):
    """Kernel Inception distance that does not depend on which target belongs to which prediction.

    ``kid`` without the kernel of a prediction with its own target: the cross term is the mean over
    the n (n - 1) pairs i != j. So it is unbiased for the distance of the two distributions at every
    number of pairs and every strength of pairing. Beyond ``subset`` pairs subsets of pairs are
    drawn, and there is no interval. Values slightly below zero are valid.

    One estimate over all pairs has an interval: Student's with the jackknife's standard error,
    leaving out a prediction together with its target. From 64 pairs on, and where the features have
    no heavy tails (see ``feature_kurtosis``; at most 5 on both sides): elsewhere simulated coverage
    falls below 0.93.
    """

    name = "kid-marginal"
    title = "KID-marginal"
    position = 211

    def signature(self) -> Signature:
        """Return as ``kid``, with ``estimator:marginal``."""
        return self._inception_signature(("kernel", "poly3"), ("estimator", "marginal"))

    def _of_all(self, predictions: Float64, targets: Float64) -> Score:
        value, interval = marginal_mmd(predictions, targets)
        if len(targets) < FEWEST_FOR_INTERVAL:
            return Score(value)
        kurtosis = max(feature_kurtosis(predictions), feature_kurtosis(targets))
        if kurtosis > HIGHEST_KURTOSIS:
            note = f"no interval: kurtosis {kurtosis:.3g} of features above {HIGHEST_KURTOSIS:g}"
            return Score(value, notes=(note,))
        return Score(value, ci95=interval)

    def _drawn(self, n: int, size: int, draw: np.random.RandomState) -> Subset:
        chosen = _some(n, size, draw)
        return chosen, chosen

    def _of_subsets(
        self, predictions: Column, targets: Column, drawn: Sequence[Subset]
    ) -> Iterator[float]:
        size = len(drawn[0][0])
        for sums in kernel_sums(predictions, targets, drawn):
            across = 2 * (sums.across - sums.of_pairs)
            yield (sums.within_x + sums.within_y - across) / (size * (size - 1))


def _some(n: int, size: int, draw: np.random.RandomState) -> npt.NDArray[np.int64]:
    """Draw ``size`` of ``n`` numbers; a copy, as NumPy's are a view that keeps all ``n`` alive."""
    return draw.choice(n, size, replace=False).astype(np.int64)


def squared_mmd(x: Float64, y: Float64) -> float:
    """Return the squared MMD of two independent (n, d) samples, kernel ``(x.y / d + 1)^3``.

    Unbiased within each sample; the cross term is the mean over all n^2 pairs.
    """
    n = len(x)
    within = _off_diagonal_sum(cubic_kernel(x, x)) + _off_diagonal_sum(cubic_kernel(y, y))
    across = float(cubic_kernel(x, y).sum())
    return within / (n * (n - 1)) - 2 * across / (n * n)


def marginal_mmd(x: Float64, y: Float64) -> tuple[float, Interval | None]:
    """Return the squared MMD of two paired (n, d) samples without i = j, and its 95 % interval.

    A U-statistic of the pairs with the kernel ``k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) -
    k(x_j, y_i)`` (Gretton et al., JMLR 2012, lemma 6). The interval is Student's around it with the
    jackknife's standard error over pairs; None below 3 pairs, which nothing can be left out of.
    """
    n = len(x)
    kernel = _paired_kernel(x, y)
    value = _u_statistic(kernel)
    if n < 3:
        return value, None
    rows = kernel.sum(axis=1)
    left_out = (float(rows.sum()) - 2 * rows) / ((n - 1) * (n - 2))
    variance = (n - 1) / n * float(np.square(left_out - left_out.mean()).sum())
    from scipy import special  # here, because FID should not wait for it

    half = float(special.stdtrit(n - 1, 0.975)) * math.sqrt(variance)
    return value, (value - half, value + half)


def feature_kurtosis(rows: Float64) -> float:
    """Return the kurtosis of the features (n, d): ``sum_c m4_c / sum_c m2_c^2``; 3 if normal.

    The mean over features of their kurtosis, weighted by the squared variance, as the kernel weighs
    them. 1 where all rows are equal.
    """
    squares = np.square(rows - rows.mean(axis=0))
    variances = float(np.square(squares.mean(axis=0)).sum())
    return float(np.square(squares).mean(axis=0).sum()) / variances if variances else 1.0


def _paired_kernel(x: Float64, y: Float64) -> Float64:
    """Return the U-statistic's kernel of all pairs (n, n), zero on the diagonal."""
    across = cubic_kernel(x, y)
    kernel = cubic_kernel(x, x)
    kernel += cubic_kernel(y, y)
    kernel -= across
    kernel -= across.T
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _u_statistic(kernel: Float64) -> float:
    n = len(kernel)
    return float(kernel.sum()) / (n * (n - 1))


def _doubles(rows: npt.NDArray[np.float32]) -> Float64:
    return rows.astype(np.float64)


def _off_diagonal_sum(square: Float64) -> float:
    return float(square.sum() - np.trace(square))
