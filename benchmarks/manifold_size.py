"""What precision and recall are of two sets of one distribution, by the number of pairs.

Run: python benchmarks/manifold_size.py [--sets 200]

Both sets are normal, so nothing separates them: the value says how the definition alone depends on
n. Features vary in 4, 32 or all of 2,048 directions (a rotation changes no distance, so that
constant features are left out). Near n = k + 1 each ball holds nearly every other point, and the
value is 1 by construction; it falls as n grows, the lower the more directions there are.
"""

from __future__ import annotations

import argparse

import numpy as np

from i2ibench.metrics.manifold import covered_share

DIRECTIONS = (4, 32, 2048)
SIZES = (4, 8, 16, 32, 64, 128, 256, 1024)
NEIGHBOUR = 3


def expected_precision(n: int, directions: int, sets: int, seed: int = 0) -> tuple[float, float]:
    """Return the mean precision of ``sets`` draws, and its standard error."""
    random = np.random.default_rng([seed, n, directions])
    found = [
        covered_share(*random.normal(size=(2, n, directions)).astype(np.float32), NEIGHBOUR)
        for _ in range(sets)
    ]
    return float(np.mean(found)), float(np.std(found) / np.sqrt(sets))


def main() -> None:
    """Print a table; a cell of n pairs is the mean of at most SETS draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    options = parser.parse_args()
    print("| pairs | " + " | ".join(f"{d} directions" for d in DIRECTIONS) + " |")
    print("| --: |" + " --: |" * len(DIRECTIONS))
    for n in SIZES:
        sets = max(4, min(options.sets, options.sets * 64 // n))
        cells = [expected_precision(n, directions, sets) for directions in DIRECTIONS]
        print(f"| {n} | " + " | ".join(f"{mean:.3f} ± {error:.3f}" for mean, error in cells) + " |")


if __name__ == "__main__":
    main()
