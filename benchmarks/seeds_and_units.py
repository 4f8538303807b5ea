"""Type I error and power of the test over seeds and units, by simulation.

    python benchmarks/seeds_and_units.py

Two methods share the units' difficulty; each has an effect of its own on each unit, an effect of
each seed, and a residual of seed and unit. Equal methods must be told apart in at most 5 % (the
rule that this replaced, ranges of seeds that do not overlap, gave 92 % with one seed a side).
"""

from __future__ import annotations

import argparse

import numpy as np

from i2ibench.statistics.seeds_and_units import method_difference

# Standard deviations of what a seed, a unit and both together add to a method's score.
SETTINGS = {
    "seeds and units alike": (0.5, 0.3, 0.5),
    "seeds alone": (0.5, 0.01, 0.01),
    "units above seeds": (0.5, 1.0, 0.1),
    "residual above all": (0.05, 0.5, 1.5),
}
# Two groups of seeds of one method: nothing of a unit is the method's own.
SAME_METHOD = {
    "one method, seeds vary": (0.5, 0.0, 0.5),
    "one method, residual above all": (0.05, 0.0, 1.5),
}
SEEDS = (1, 2, 3, 5, 10, 20)


def rejections(
    seeds: int,
    units: int,
    effect: float,
    runs: int,
    deviations: tuple[float, float, float] = (0.5, 0.3, 0.5),
    pairs_a_unit: int = 1,
) -> float:
    """Return the share of ``runs`` in which two methods ``effect`` apart are told apart."""
    rng = np.random.default_rng([seeds, units, runs])
    clusters = np.repeat(np.arange(units), pairs_a_unit) if pairs_a_unit > 1 else None
    told = 0
    for _ in range(runs):
        difficulty = rng.normal(0, 3, units)
        sides = [
            np.repeat(_method(rng, seeds, difficulty, deviations) + shift, pairs_a_unit, axis=1)
            for shift in (0.0, effect)
        ]
        found = method_difference(sides[0], sides[1], clusters)
        told += found is not None and found.p_value < 0.05
    return told / runs


# Four levels of eight slides of two pairs, of which the later are harder, and on which the methods
# differ by level: none of that is error.
_LEVELS = np.repeat(np.arange(4), 16)
_SLIDES = np.repeat(np.arange(32), 2)
_HARDER = np.array([0.0, -3.0, -7.0, -12.0])
_BY_LEVEL = np.array([-3.0, -1.0, 1.0, 3.0])


def rejections_of_levels(
    seeds: int, effect: float, runs: int, *, designed: bool = True, equal_levels: bool = False
) -> float:
    """Return the share of ``runs`` in which methods are told apart that differ by level.

    Over all levels they are ``effect`` apart. ``designed``: whether the test is told the levels.
    """
    rng = np.random.default_rng([seeds, runs])
    told = 0
    for _ in range(runs):
        difficulty = rng.normal(0, 3, 64) + _HARDER[_LEVELS]
        sides = []
        for own in (_BY_LEVEL[_LEVELS] + effect, np.zeros(64)):
            slides = np.repeat(rng.normal(0, 1, 32), 2)
            each = rng.normal(0, 0.5, (seeds, 1)) + rng.normal(0, 1, (seeds, 64))
            sides.append(difficulty + own + slides + each)
        found = method_difference(
            *sides, _SLIDES, _LEVELS if designed else None, equal_levels=equal_levels
        )
        told += found is not None and found.p_value < 0.05
    return told / runs


def _method(
    rng: np.random.Generator,
    seeds: int,
    difficulty: np.ndarray,
    deviations: tuple[float, float, float],
) -> np.ndarray:
    of_seed, of_unit, of_both = deviations
    own = rng.normal(0, of_unit, len(difficulty))
    each = rng.normal(0, of_seed, (seeds, 1)) + rng.normal(0, of_both, (seeds, len(difficulty)))
    return difficulty + own + each


def main() -> None:
    """Print a table of shares told apart, by the number of seeds a side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    print(f"| units | what varies | difference | {' | '.join(map(str, SEEDS))} |")
    print(f"| --: | :-- | :-- |{' --: |' * len(SEEDS)}")
    for units in (16, 64):
        for name, deviations in {**SETTINGS, **SAME_METHOD}.items():
            _line(units, name, "none", [rejections(s, units, 0.0, runs, deviations) for s in SEEDS])
            if name in SETTINGS:
                apart = 2 * deviations[0]
                shares = [rejections(s, units, apart, runs // 2, deviations) for s in SEEDS]
                _line(units, name, "2 SD of seeds", shares)
    for name, how in {
        "levels, told to the test": {},
        "levels, mean of levels": {"equal_levels": True},
        "levels, not told": {"designed": False},
    }.items():
        for apart, effect in (("none", 0.0), ("2 SD of seeds", 1.0)):
            _line(32, name, apart, [rejections_of_levels(s, effect, runs, **how) for s in SEEDS])


def _line(units: int, name: str, apart: str, shares: list[float]) -> None:
    cells = " | ".join(f"{share:.3f}" for share in shares)
    print(f"| {units} | {name} | {apart} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
