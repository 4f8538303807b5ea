"""How often our 95 % intervals contain the truth: simulated scores whose true mean is known.

Run: python benchmarks/interval_coverage.py [--sets 1000] [--markdown]

Every scenario draws SETS data sets of pair scores, computes the interval of each as a board does
(2,000 resamples, by pair or by cluster) and counts how often the true mean lies inside. With 1,000
sets the count itself has a standard error of 0.7 percentage points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from i2ibench.statistics import bootstrap as statistics

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

# Distributions of scores with their true means. PSNR is near normal; LPIPS and optical density
# errors are skewed; on BCI one level (3+) is 4 dB below the others, hence the mixture.
SHAPES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, size: rng.normal(22, 4.7, size), 22.0),
    "mixture": (
        lambda rng, size: np.where(rng.random(size) < 0.26, 19.5, 23.5) + rng.normal(0, 4, size),
        0.26 * 19.5 + 0.74 * 23.5,
    ),
    "beta (skew 0.6)": (lambda rng, size: rng.beta(2, 5, size), 2 / 7),
    "lognormal (skew 1.75)": (lambda rng, size: rng.lognormal(0, 0.5, size), float(np.exp(0.125))),
    "exponential (skew 2)": (lambda rng, size: rng.exponential(1, size), 1.0),
    "lognormal (skew 6)": (lambda rng, size: rng.lognormal(0, 1, size), float(np.exp(0.5))),
    "70 % zeros": (
        lambda rng, size: np.where(rng.random(size) < 0.7, 0.0, rng.exponential(1, size)),
        0.3,
    ),
    "5 % outliers": (
        lambda rng, size: rng.normal(0, 1, size) + 10 * (rng.random(size) < 0.05),
        0.5,
    ),
    "heavy-tailed": (lambda rng, size: rng.standard_t(3, size), 0.0),
}
# Those with which an interval must hold from 16 units on.
ORDINARY = tuple(SHAPES)[:5]


@dataclass(frozen=True)
class Scenario:
    """``draw`` returns values (N, M), codes of clusters or None, and parts of a macro mean."""

    name: str
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray | None, list[int]]]
    truth: float
    designed: bool = False
    must_hold: bool = True


def pairs(shape: str, n: int) -> Scenario:
    """Independent pairs."""
    draw, truth = SHAPES[shape]
    return Scenario(
        f"{n} pairs, {shape}",
        lambda rng, m: (draw(rng, (n, m)), None, [n]),
        truth,
        must_hold=shape in ORDINARY,
    )


def clusters(shape: str, count: int, share: float, size: int | None = None) -> Scenario:
    """Clusters of ``size`` pairs or of very different sizes; ``share`` of variance between."""
    draw, truth = SHAPES[shape]

    def sample(rng: np.random.Generator, m: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
        sizes = 1 + rng.geometric(1 / 18, count) if size is None else np.full(count, size)
        codes = np.repeat(np.arange(count), sizes)
        between = (draw(rng, (count, m)) - truth)[codes]
        within = draw(rng, (len(codes), m)) - truth
        values = truth + np.sqrt(share) * between + np.sqrt(1 - share) * within
        return values, codes, [len(codes)]

    described = "2 to 100" if size is None else str(size)
    name = f"{count} clusters of {described} pairs, {share:.0%} of variance between, {shape}"
    return Scenario(name, sample, truth, must_hold=shape in ORDINARY)


def macro(shape: str, sizes: list[int]) -> Scenario:
    """The macro mean of groups of independent pairs."""
    draw, truth = SHAPES[shape]
    total = sum(sizes)
    return Scenario(
        f"macro mean of groups of {', '.join(map(str, sizes))} pairs, {shape}",
        lambda rng, m: (draw(rng, (total, m)), None, sizes),
        truth,
    )


def macro_clusters(shape: str, counts: list[int], share: float) -> Scenario:
    """The macro mean of groups, each of some clusters."""
    parts = [clusters(shape, count, share) for count in counts]

    def sample(rng: np.random.Generator, m: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
        drawn = [part.draw(rng, m) for part in parts]
        codes = [codes + 1000 * i for i, (_, codes, _) in enumerate(drawn)]
        values = np.concatenate([values for values, _, _ in drawn])
        return values, np.concatenate(codes), [len(values) for values, _, _ in drawn]

    name = f"macro mean of groups of {', '.join(map(str, counts))} clusters, {share:.0%}, {shape}"
    return Scenario(name, sample, parts[0].truth)


def designed(shape: str, counts: list[int], size: int, share: float) -> Scenario:
    """The mean over all pairs of levels 0, -3, -7, -12 apart, each of some clusters."""
    parts = [clusters(shape, count, share, size) for count in counts]
    shifts = (0.0, -3.0, -7.0, -12.0)

    def sample(rng: np.random.Generator, m: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
        drawn = [part.draw(rng, m) for part in parts]
        codes = [codes + 1000 * i for i, (_, codes, _) in enumerate(drawn)]
        values = [values + shift for (values, _, _), shift in zip(drawn, shifts, strict=True)]
        return np.concatenate(values), np.concatenate(codes), [len(each) for each in values]

    truth = parts[0].truth + float(np.average(shifts, weights=counts))
    listed = ", ".join(map(str, counts))
    name = f"levels of {listed} clusters of {size} pairs, {share:.0%} between, {shape}"
    return Scenario(name, sample, truth, designed=True, must_hold=shape in ORDINARY)


SCENARIOS = [
    *(pairs(shape, n) for n in (16, 24, 38, 106, 300, 977) for shape in SHAPES),
    *(clusters("normal", count, share) for count in (16, 20, 51) for share in (0.3, 0.7)),
    *(clusters("lognormal (skew 1.75)", count, 0.5) for count in (16, 20, 51)),
    *(clusters(shape, 16, 0.5, 4) for shape in ("normal", "lognormal (skew 1.75)")),
    macro("mixture", [38, 235, 446, 258]),
    macro("lognormal (skew 1.75)", [38, 235, 446, 258]),
    macro("beta (skew 0.6)", [16, 40, 40, 40]),
    macro_clusters("normal", [16, 16, 20, 16], 0.5),
    macro_clusters("normal", [4, 4, 4, 4], 0.5),
    clusters("heavy-tailed", 16, 0.5, 4),
    clusters("heavy-tailed", 51, 0.5),
    *(
        designed(shape, [4, 4, 4, 4], 4, 0.5)
        for shape in ("normal", "lognormal (skew 1.75)", "heavy-tailed")
    ),
    *(designed(shape, [16] * 4, 4, 0.5) for shape in ("normal", "lognormal (skew 1.75)")),
    designed("normal", [4, 8, 12, 16], 4, 0.5),
    *(designed("normal", [count] * 4, 1, 0.0) for count in (4, 8, 24)),
]


def coverage(
    scenario: Scenario, sets: int, seed: int = 0, block: int = 50
) -> tuple[float, float, float]:
    """Return the share of data sets that get an interval, of these that contain the truth, widths.

    The last is the mean width; NaN where no interval is given.
    """
    inside = 0
    widths = []
    for start in range(0, sets, block):
        rng = np.random.default_rng([seed, start, *scenario.name.encode()])
        values, codes, sizes = scenario.draw(rng, min(block, sets - start))
        bounds = np.cumsum([0, *sizes])
        resampled = [
            statistics.resample_means(
                values[low:high],
                None if codes is None else codes[low:high],
                seed=1000 * start + part,
            )
            for part, (low, high) in enumerate(pairwise(bounds))
        ]
        joined = resampled[0]
        if scenario.designed:
            shares = [np.full(values.shape[1], size / len(values)) for size in sizes]
            joined = statistics.combine(resampled, shares)
        elif len(resampled) > 1:
            joined = statistics.combine(resampled)
        for interval in statistics.METHODS[statistics.METHOD].bounds(joined):
            if interval is None:
                continue
            inside += interval[0] <= scenario.truth <= interval[1]
            widths.append(interval[1] - interval[0])
    if not widths:
        return 0.0, float("nan"), float("nan")
    return len(widths) / sets, inside / len(widths), float(np.mean(widths))


def main() -> None:
    """Print a table of coverages; exit 1 where one leaves 93-98 % by more than chance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| scores | given | coverage | mean width |\n| :-- | --: | --: | --: |")
    bad = 0
    chance = 2 * (0.95 * 0.05 / options.sets) ** 0.5
    for scenario in SCENARIOS:
        given, share, width = coverage(scenario, options.sets, options.seed)
        bad += scenario.must_hold and not 0.93 - chance <= share <= 0.98 + chance
        print(f"| {scenario.name} | {given:.0%} | {share:.1%} | {width:.3g} |", flush=True)
    if bad:
        raise SystemExit(f"{bad} scenarios outside 93-98 % by more than two standard errors")


if __name__ == "__main__":
    main()
