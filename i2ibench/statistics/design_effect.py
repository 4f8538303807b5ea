"""What intervals become where pairs depend on each other, but nobody says which belong together."""

from __future__ import annotations

import math

# Intraclass correlations that a reader may want: the share of the variance that lies between
# clusters.
CORRELATIONS = (0.05, 0.1, 0.3)


def design_effect(pairs: int, clusters: int, correlation: float) -> float:
    """Return by how much hidden clusters of equal size raise the variance of a mean (Kish 1965).

    1 + (m - 1) r for m = ``pairs`` / ``clusters`` pairs a cluster, at least 1 each, and an
    intraclass correlation r from 0 to 1.
    """
    return 1 + (pairs / clusters - 1) * correlation


def widened(interval: tuple[float, float], estimate: float, effect: float) -> tuple[float, float]:
    """Return an interval over pairs as wide as a design effect makes it; both ends move alike."""
    factor = math.sqrt(effect)
    low, high = interval
    return estimate - factor * (estimate - low), estimate + factor * (high - estimate)
