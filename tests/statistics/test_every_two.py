"""The tests of many methods at once are those of two at a time."""

from __future__ import annotations

import numpy as np
import pytest

from i2ibench.statistics.bootstrap import FEWEST_UNITS
from i2ibench.statistics.every_two import every_two
from i2ibench.statistics.seeds_and_units import method_difference

PAIRS = 96
CLUSTERS = np.repeat(np.arange(24), 4)
LEVELS = np.tile(np.repeat(np.arange(3), 4), 8)


def _methods() -> list[np.ndarray | None]:
    """Seeds from one to four, equal ones, NaN, infinities, no scores."""
    rng = np.random.default_rng(0)
    common = rng.normal(20, 3, PAIRS)
    made = [
        common + rng.normal(0, 0.4, (seeds, 1)) + rng.normal(0, 0.5, (seeds, PAIRS))
        for seeds in (1, 1, 2, 3, 4)
    ]
    undefined = made[0].copy()
    undefined[0, :7] = np.nan
    one_infinite = made[1].copy()
    one_infinite[0, 3] = np.inf
    return [
        *made,
        made[2].copy(),
        made[0] + 1,
        None,
        undefined,
        one_infinite,
        np.full((1, PAIRS), np.inf),
        np.full((2, PAIRS), 20.0),
        np.full((2, PAIRS), 21.0),
    ]


@pytest.mark.parametrize("clusters", [None, CLUSTERS], ids=["pairs", "clusters"])
@pytest.mark.parametrize("levels", [None, LEVELS], ids=["no levels", "levels"])
@pytest.mark.parametrize("equal_levels", [False, True])
@pytest.mark.parametrize("cut", [False, True], ids=["all", "a level undefined for all"])
def test_every_test_is_that_of_two(clusters, levels, equal_levels, cut) -> None:
    methods = _methods()
    if cut:
        for each in methods:
            if each is not None:
                each[:, LEVELS == 2] = np.nan
    found = every_two(methods, clusters, levels, equal_levels=equal_levels)
    tested = 0
    for i, first in enumerate(methods):
        for j, second in enumerate(methods):
            if i == j or first is None or second is None:
                assert (found.differences[i, j], found.p_values[i, j]) == (0, 1)
                continue
            one = method_difference(first, second, clusters, levels, equal_levels=equal_levels)
            if one is None or one.units < FEWEST_UNITS:
                assert (found.differences[i, j], found.p_values[i, j]) == (0, 1)
                continue
            tested += 1
            assert found.differences[i, j] == pytest.approx(one.difference, rel=1e-12, abs=1e-13)
            assert found.p_values[i, j] == pytest.approx(one.p_value, rel=1e-9, abs=1e-300)
    assert tested > 50


def test_too_few_units_prove_nothing() -> None:
    few = np.arange(FEWEST_UNITS - 1, dtype=np.float64)
    found = every_two([few[None], few[None] + 1])
    assert not found.differences.any()
    assert (found.p_values == 1).all()
