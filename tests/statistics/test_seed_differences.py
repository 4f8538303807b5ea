"""Values of the same seeds on two sides, against scipy's paired t-test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from i2ibench.statistics.seed_differences import FEWEST_SEEDS, seed_difference


def test_difference_interval_and_p_equal_those_of_scipy():
    draw = np.random.default_rng(3)
    first, second = draw.normal(size=8), draw.normal(size=8)
    found = seed_difference(first, second)
    judged = stats.ttest_rel(first, second)
    assert found.p_value == pytest.approx(judged.pvalue, rel=1e-12)
    assert found.interval == pytest.approx(tuple(judged.confidence_interval(0.95)), rel=1e-12)
    assert found.difference == pytest.approx((first - second).mean())
    assert (found.seeds, found.higher) == (8, int((first > second).sum()))


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    draw = np.random.default_rng(0)
    seeds = draw.normal(size=(2000, 5))  # of both sides, which pairing cancels
    noise = 0.3 * draw.normal(size=(2, 2000, 5))
    found = [seed_difference(s + a + 1.0, s + b) for s, a, b in zip(seeds, *noise, strict=True)]
    held = np.mean([each.interval[0] <= 1.0 <= each.interval[1] for each in found])
    assert abs(held - 0.95) < 0.02


def test_few_seeds_give_a_difference_alone():
    found = seed_difference(np.array([2.0, 3.0]), np.array([1.0, 1.0]))
    assert (found.difference, found.seeds, found.interval, found.p_value) == (1.5, 2, None, None)
    assert FEWEST_SEEDS == 3


def test_seeds_of_one_side_alone_do_not_count():
    first, second = np.array([1.0, np.nan, 3.0, 4.0]), np.array([0.0, 0.0, np.nan, np.inf])
    assert seed_difference(first, second).seeds == 1
    assert seed_difference(first[1:2], second[1:2]) is None


@pytest.mark.parametrize(("lead", "p_value"), [(0.0, 1.0), (0.25, 0.0)])
def test_differences_without_spread_are_certain(lead, p_value):
    second = np.array([0.1, 0.2, 0.3])
    found = seed_difference(second + lead, second)
    assert found.p_value == p_value
    assert found.interval == pytest.approx((lead, lead))
