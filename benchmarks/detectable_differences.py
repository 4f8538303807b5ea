"""What differences the 977 test pairs of BCI can and cannot show, by simulation.

    python benchmarks/detectable_differences.py

Pairs differ by as much as published scores per pair do: of the paired difference of two of
BCIStainer's eight methods, the median standard deviation is 1.7 dB of PSNR and 0.027 of SSIM. They
are independent, or come from 51 slides of 19 pairs each with a share r of the variance (the
intraclass correlation) between slides. Seeds of a method differ besides. Printed is the true
difference that the test finds in 80 of 100 cases.
"""

from __future__ import annotations

import argparse

import numpy as np

from i2ibench.statistics.seeds_and_units import method_difference

# Standard deviations: of the difference of two methods over pairs, and of a method over seeds (the
# synthetic board: 0.17 to 0.70 dB, 0.001 to 0.026).
DEVIATIONS = {"psnr": (1.7, 0.3), "ssim": (0.027, 0.005)}
SLIDES, PAIRS_A_SLIDE = 51, 19
CORRELATIONS = (None, 0.05, 0.1, 0.3)
SEEDS = (1, 2, 3, 5, 10, 20)
POWER = 0.8


def detectable(
    metric: str, seeds: int, correlation: float | None, runs: int, seed: int = 0
) -> float:
    """Return the difference of two methods of ``seeds`` seeds each that 80 % of tests find.

    One seed: of two sets of weights, which no deviation of seeds blurs. ``correlation`` None: pairs
    are independent, and each is a unit.
    """
    of_pairs, of_seeds = DEVIATIONS[metric]
    rng = np.random.default_rng([seed, seeds])
    codes = np.repeat(np.arange(SLIDES), PAIRS_A_SLIDE)
    needed = []
    for _ in range(runs):
        own = rng.normal(0, np.sqrt(1 - (correlation or 0)), len(codes))
        own += rng.normal(0, np.sqrt(correlation or 0), SLIDES)[codes]
        sides = [side * of_pairs * own / 2 + np.zeros((seeds, 1)) for side in (1, -1)]
        if seeds > 1:
            sides = [side + rng.normal(0, of_seeds, (seeds, 1)) for side in sides]
        found = method_difference(*sides, clusters=None if correlation is None else codes)
        if found is not None:
            # A true difference moves the one found by as much, so this one would just be proven.
            needed.append(found.interval[1] - 2 * found.difference)
    return float(np.quantile(needed, POWER))


def main() -> None:
    """Print a table: rows by dependence of pairs, columns by seeds a side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(f"| metric | pairs | weights | {' | '.join(f'{s} seeds' for s in SEEDS[1:])} |")
    print(f"| :-- | :-- |{' --: |' * len(SEEDS)}")
    for metric, digits in (("psnr", 2), ("ssim", 4)):
        for each in CORRELATIONS:
            cells = [f"{detectable(metric, s, each, runs):.{digits}f}" for s in SEEDS]
            kind = "independent" if each is None else f"51 slides, r = {each}"
            print(f"| {metric} | {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
