"""Precision and recall of the predictions' manifold in Inception features."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.by_pair import drawn_subset
from i2ibench.metrics.inception_features import FeatureMetric, FeatureState, both_sides
from i2ibench.metrics.interface import MetricSettings, Score, Signature

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# For third neighbours; in proportion for others. Each ball holds k of n points, so near n = k + 1
# the value is 1 whatever the sets are. From here on that of two equal distributions is within 0.07
# of what it is with 1,024 pairs, if features vary in 4 or 32 directions (benchmarks/
# manifold_size.py); with 2,048 independent ones it goes on falling.
FEWEST_PAIRS = 64
# Every two of them are compared; of more pairs a drawn subset is.
MOST_PAIRS = 10_000

_BLOCK = 256


class ManifoldSettings(MetricSettings):
    """Settings: the ``neighbour`` whose distance is the radius of a manifold's balls, from 1."""

    neighbour: int = pydantic.Field(default=3, ge=1)


class Precision(FeatureMetric):
    """Share of predictions that lie within the manifold of the targets: realism.

    The manifold is the union of balls around the targets' features, each reaching to its third
    nearest target. Kynkaanniemi et al., NeurIPS 2019, equations 1 and 2, on Inception features.
    Unavailable below 64 pairs, where it is near 1 by construction. Above it still depends on their
    number: compare values of equally many pairs. Of more than 10,000 pairs a drawn subset of 10,000
    is looked at, which stands in the signature.
    """

    name = "precision"
    trap = "Of few pairs every ball holds everything; never compare unequal numbers of pairs."
    range = (0.0, 1.0)
    position = 230
    better = "higher"
    Settings = ManifoldSettings

    def signature(self) -> Signature:
        """Return ``precision|inception:...|neighbour:3|v:1``."""
        return self._inception_signature(("neighbour", self.settings.neighbour))

    def compute(self, state: FeatureState) -> Score:
        """Return the share; 64 pairs are the least for third neighbours."""
        n, k = len(state.pairs), self.settings.neighbour
        least = max(k + 1, math.ceil(FEWEST_PAIRS * k / 3))
        if n < least:
            why = (
                f"{self.name} needs at least {least} pairs, not {n}: with few it is near 1 for any"
            )
            return Score(None, unavailable=why)
        # One name: precision and recall look at the same pairs.
        subset = drawn_subset(n, MOST_PAIRS, "manifold")
        chosen = slice(None) if subset is None else subset
        predictions, targets = (side[chosen] for side in both_sides(state))
        return Score(
            self._share(predictions, targets, k),
            settings=() if subset is None else (("subset", str(MOST_PAIRS)),),
        )

    def _share(self, predictions: Float32, targets: Float32, k: int) -> float:
        return covered_share(predictions, targets, k)


class Recall(Precision):
    """Share of targets that lie within the manifold of the predictions: coverage.

    As ``precision`` with the two sets exchanged. Kynkaanniemi et al., NeurIPS 2019.
    """

    name = "recall"
    trap = "Of few pairs every ball holds everything; never compare unequal numbers of pairs."
    range = (0.0, 1.0)
    position = 240

    def _share(self, predictions: Float32, targets: Float32, k: int) -> float:
        return covered_share(targets, predictions, k)


def covered_share(points: Float32, centres: Float32, k: int) -> float:
    """Return the share of ``points`` within a ball that reaches a centre's k-th nearest centre."""
    doubles = centres.astype(np.float64)
    radii = np.empty(len(centres))
    for start in range(0, len(centres), _BLOCK):
        block = slice(start, start + _BLOCK)
        distances = squared_distances(doubles[block], doubles)
        radii[block] = np.partition(distances, k, axis=1)[:, k]
    inside = [
        (
            squared_distances(points[start : start + _BLOCK].astype(np.float64), doubles) <= radii
        ).any(axis=1)
        for start in range(0, len(points), _BLOCK)
    ]
    return float(np.concatenate(inside).mean())


def squared_distances(x: Float64, y: Float64) -> Float64:
    """Return the squared Euclidean distances (n, m); those of equal rows are exactly zero."""
    found: Float64 = x @ y.T
    found *= -2
    squares_y = np.einsum("ij,ij->i", y, y)[None, :]
    found += np.einsum("ij,ij->i", x, x)[:, None]
    found += squares_y
    # Cancellation leaves about 1e-12 of the squared norm where rows are equal.
    found[found < 1e-12 * squares_y] = 0.0
    return found
