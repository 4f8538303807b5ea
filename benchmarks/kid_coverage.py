"""How often the 95 % interval of kid-marginal holds the true distance, and where it is given.

Run: python benchmarks/kid_coverage.py [--sets 2000]

Every scenario draws SETS sets of paired features (16 of them, independent) whose distance is known
in closed form: predictions are targets of the same distribution, made a tenth wider and moved by a
quarter of a standard deviation, and paired with strength 0, 0.5 or 0.95 (the correlation of the
normals behind both). Printed are the mean of kid and of kid-marginal over the sets, the coverage of
every interval, how many sets the metric gives an interval for, and the coverage of those. t with 3
degrees of freedom has no third moment, so a cubic kernel has no distance of it: its truth is the
value that symmetry gives, and what matters is that intervals are withheld.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from i2ibench.metrics.kernel_distance import (
    FEWEST_FOR_INTERVAL,
    HIGHEST_KURTOSIS,
    feature_kurtosis,
    marginal_mmd,
    squared_mmd,
)

FEATURES = 16
SCALE, SHIFT = 1.1, 0.25
STRENGTHS = (0.0, 0.5, 0.95)
SIZES = (16, 32, 64, 256)
# Shares of sets with an interval below which its coverage says nothing.
FEW = 0.05

Moments = tuple[float, float, float]


@dataclass(frozen=True)
class Margin:
    """A distribution of mean 0 and variance 1: how normals become it, and its third moment."""

    name: str
    of_normal: Callable[[np.ndarray], np.ndarray]
    third: float


def _lognormal(sigma: float) -> Margin:
    mean, variance = np.exp(sigma**2 / 2), np.expm1(sigma**2) * np.exp(sigma**2)
    skew = (np.exp(sigma**2) + 2) * np.sqrt(np.expm1(sigma**2))
    name = f"lognormal, sigma {sigma:g} (skew {skew:.2g})"
    return Margin(name, lambda z: (np.exp(sigma * z) - mean) / np.sqrt(variance), float(skew))


def _student(degrees: int) -> Margin:
    scale = np.sqrt(degrees / (degrees - 2))
    return Margin(
        f"t, {degrees} degrees of freedom",
        lambda z: special.stdtrit(degrees, special.ndtr(z)) / scale,
        0.0,
    )


MARGINS = (
    Margin("normal", lambda z: z, 0.0),
    Margin("exponential (skew 2)", lambda z: -np.log(special.ndtr(-z)) - 1, 2.0),
    _student(5),
    _student(3),
    _lognormal(0.5),
    _lognormal(1.0),
)


def true_distance(margin: Margin, scale: float = SCALE, shift: float = SHIFT) -> float:
    """Return the squared MMD of the two distributions, from their first three moments."""
    target: Moments = (0.0, 1.0, margin.third)
    prediction: Moments = (
        scale * shift,
        scale**2 * (1 + shift**2),
        scale**3 * (margin.third + 3 * shift + shift**3),
    )
    return (
        _expected_kernel(prediction, prediction)
        + _expected_kernel(target, target)
        - 2 * _expected_kernel(prediction, target)
    )


def _expected_kernel(p: Moments, q: Moments) -> float:
    """Return E (x.y / d + 1)^3 of independent x and y with independent equal features."""
    d = FEATURES
    one, two, three = (a * b for a, b in zip(p, q, strict=True))
    square = (two + (d - 1) * one**2) / d
    cube = (three + 3 * (d - 1) * two * one + (d - 1) * (d - 2) * one**3) / d**2
    return 1 + 3 * one + 3 * square + cube


def draw_pairs(
    random: np.random.Generator, margin: Margin, n: int, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and targets (n, 16) whose distributions do not depend on ``strength``."""
    targets = random.normal(size=(n, FEATURES))
    noise = random.normal(size=(n, FEATURES))
    paired = strength * targets + np.sqrt(1 - strength**2) * noise
    return SCALE * (margin.of_normal(paired) + SHIFT), margin.of_normal(targets)


@dataclass(frozen=True)
class Row:
    """What one scenario found; ``held`` is the coverage of the intervals that are given."""

    kid: float
    marginal: float
    coverage: float
    given: float
    held: float


def simulate(margin: Margin, n: int, strength: float, sets: int, seed: int = 0) -> Row:
    """Return means of the estimates and the coverage of the interval over ``sets`` draws."""
    truth = true_distance(margin)
    random = np.random.default_rng([seed, n, round(100 * strength), *margin.name.encode()])
    found = np.array([_one(*draw_pairs(random, margin, n, strength), truth) for _ in range(sets)])
    inside, given = found[:, 2], found[:, 3] == 1
    held = float(inside[given].mean()) if given.any() else float("nan")
    kid, marginal, coverage, share = found.mean(axis=0)
    return Row(float(kid), float(marginal), float(coverage), float(share), held)


def _one(x: np.ndarray, y: np.ndarray, truth: float) -> tuple[float, float, bool, bool]:
    value, interval = marginal_mmd(x, y)
    assert interval is not None
    few = len(x) < FEWEST_FOR_INTERVAL
    tails = max(feature_kurtosis(x), feature_kurtosis(y)) > HIGHEST_KURTOSIS
    return squared_mmd(x, y), value, interval[0] <= truth <= interval[1], not (few or tails)


def scenarios() -> Iterator[tuple[Margin, int, float]]:
    for margin in MARGINS:
        for n in SIZES:
            for strength in STRENGTHS:
                yield margin, n, strength


def main() -> None:
    """Print the table; exit 1 where given intervals cover less than 0.93 by more than chance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        "| features | pairs | pairing | truth | kid | kid-marginal | coverage | given | of these |"
    )
    print("| :-- | --: | --: | --: | --: | --: | --: | --: | --: |")
    bad = 0
    for margin, n, strength in scenarios():
        row = simulate(margin, n, strength, options.sets, options.seed)
        held = f"{row.held:.1%}" if row.given >= FEW else "-"
        print(
            f"| {margin.name} | {n} | {strength:g} | {true_distance(margin):.3f} | {row.kid:.3f} | "
            f"{row.marginal:.3f} | {row.coverage:.1%} | {row.given:.0%} | {held} |",
            flush=True,
        )
        if row.given >= FEW:
            bad += row.held < 0.93 - 2 * (0.93 * 0.07 / (row.given * options.sets)) ** 0.5
    if bad:
        raise SystemExit(f"{bad} scenarios below 93 % by more than two standard errors")


if __name__ == "__main__":
    main()
