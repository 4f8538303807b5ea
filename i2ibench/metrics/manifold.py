"""Precision and recall of the predictions' manifold in Inception features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.inception_features import FeatureMetric, FeatureState, stacked
from i2ibench.metrics.interface import MetricSettings, Score, Signature

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_BLOCK = 256


class ManifoldSettings(MetricSettings):
    """Settings: the ``neighbour`` whose distance is the radius of a manifold's balls, from 1."""

    neighbour: int = pydantic.Field(default=3, ge=1)


class Precision(FeatureMetric):
    """Share of predictions that lie within the manifold of the targets: realism.

    The manifold is the union of balls around the targets' features, each reaching to its third
    nearest target. Kynkaanniemi et al., NeurIPS 2019, equations 1 and 2, on Inception features.
    """

    name = "precision"
    position = 230
    better = "higher"
    Settings = ManifoldSettings

    def signature(self) -> Signature:
        """Return ``precision|inception:...|neighbour:3|v:1``."""
        return self._inception_signature(("neighbour", self.settings.neighbour))

    def compute(self, state: FeatureState) -> Score:
        """Return the share; one pair more than the neighbour's rank is the least."""
        n, k = len(state.pairs), self.settings.neighbour
        if n <= k:
            return Score(None, unavailable=f"{self.name} needs at least {k + 1} pairs, not {n}")
        predictions, targets = stacked(state)
        return Score(self._share(predictions, targets, k))

    def _share(self, predictions: Float32, targets: Float32, k: int) -> float:
        return covered_share(predictions, targets, k)


class Recall(Precision):
    """Share of targets that lie within the manifold of the predictions: coverage.

    As ``precision`` with the two sets exchanged. Kynkaanniemi et al., NeurIPS 2019.
    """

    name = "recall"
    position = 240

    def _share(self, predictions: Float32, targets: Float32, k: int) -> float:
        return covered_share(targets, predictions, k)


def covered_share(points: Float32, centres: Float32, k: int) -> float:
    """Return the share of ``points`` within a ball that reaches a centre's k-th nearest centre."""
    doubles = centres.astype(np.float64)
    radii = np.concatenate(
        [
            np.partition(squared_distances(doubles[start : start + _BLOCK], doubles), k, axis=1)[
                :, k
            ]
            for start in range(0, len(centres), _BLOCK)
        ]
    )
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
