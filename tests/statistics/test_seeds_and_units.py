"""The test over seeds and units: against textbook tests where it reduces to them, and simulated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from seeds_and_units import rejections, rejections_of_levels

from i2ibench.statistics.seeds_and_units import equivalence_p, method_difference


def _scores(seeds: int, units: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 3, (seeds, units))


def test_one_seed_a_side_is_the_paired_t_test() -> None:
    first, second = _scores(1, 40), _scores(1, 40, seed=1)
    found = method_difference(first, second)
    expected = stats.ttest_rel(first[0], second[0])
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    interval = expected.confidence_interval(0.95)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_without_differences_between_units_it_is_welchs_test_of_seeds() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (4, 1)), rng.normal(1, 2, (7, 1))
    units = rng.normal(0, 3, 50)  # the same for both methods, and so no difference
    found = method_difference(first + units, second + units)
    expected = stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-8)
    assert found.freedom == pytest.approx(expected.df, rel=1e-8)


def test_equal_clusters_are_tested_by_their_means() -> None:
    first, second = _scores(1, 60), _scores(1, 60, seed=1)
    clusters = np.repeat(np.arange(20), 3)
    means = [side.reshape(20, 3).mean(1) for side in (first, second)]
    found = method_difference(first, second, clusters)
    assert found.p_value == pytest.approx(stats.ttest_rel(*means).pvalue, rel=1e-10)
    assert found.units == 20


def test_swapping_the_methods_swaps_the_sign_alone() -> None:
    first, second = _scores(3, 30), _scores(5, 30, seed=1)
    one, two = method_difference(first, second), method_difference(second, first)
    assert one.difference == pytest.approx(-two.difference)
    assert one.p_value == pytest.approx(two.p_value)
    assert one.interval == pytest.approx((-two.interval[1], -two.interval[0]))


def test_equal_methods_do_not_differ_and_units_without_a_number_are_left_out() -> None:
    scores = _scores(2, 30)
    assert method_difference(scores, scores).p_value == 1.0
    holes = scores.copy()
    holes[0, :5] = np.nan
    found = method_difference(holes, _scores(2, 30, seed=1))
    assert found.units == 25
    assert method_difference(scores[:, :1], scores[:, :1]) is None


def test_a_side_without_any_error_leads_without_end() -> None:
    found = method_difference(np.full((2, 30), np.inf), _scores(2, 30))
    assert (found.difference, found.p_value, found.units) == (np.inf, 0.0, 30)


@pytest.mark.parametrize("margin", [0.2, 0.5, 1.0, 3.0])
def test_equality_within_a_margin_is_what_statsmodels_says(margin: float) -> None:
    judge = pytest.importorskip("statsmodels.stats.weightstats", reason="needs the extra dev")
    first, second = _scores(1, 60), _scores(1, 60, seed=1)
    found = method_difference(first, second)
    expected = judge.ttost_paired(first[0], second[0], -margin, margin)[0]
    assert equivalence_p(found, margin) == pytest.approx(expected, rel=1e-9)
    # As the 90 % interval says.
    half = stats.t.ppf(0.95, found.freedom) * found.standard_error
    within = abs(found.difference) + half < margin
    assert (equivalence_p(found, margin) < 0.05) == within


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_equal_methods_are_told_apart_in_five_percent(seeds: int) -> None:
    # 0.05 and three standard errors of 600 simulations.
    assert rejections(seeds, units=16, effect=0.0, runs=600) <= 0.077


@pytest.mark.parametrize("seeds", [2, 5])
def test_two_groups_of_seeds_of_one_method_are_one_method(seeds: int) -> None:
    # Nothing of a unit is a method's own; three standard errors above 0.05, as before.
    assert rejections(seeds, 16, 0.0, 600, (0.5, 0.0, 0.5)) <= 0.077


def test_power_rises_with_seeds() -> None:
    power = [rejections(seeds, units=16, effect=1.0, runs=200) for seeds in (2, 3, 5, 10)]
    assert power == sorted(power)
    assert power[-1] > 0.9


@pytest.mark.parametrize("equal_levels", [False, True])
def test_levels_of_a_design_are_no_error(equal_levels: bool) -> None:
    equal = rejections_of_levels(3, 0.0, 300, equal_levels=equal_levels)
    assert equal <= 0.08, "equal over all levels, though not within each"
    told = rejections_of_levels(5, 1.0, 100, equal_levels=equal_levels)
    assert told > 1.5 * rejections_of_levels(5, 1.0, 100, designed=False)


def test_the_mean_of_levels_is_tested_as_such() -> None:
    first, second = _scores(1, 40), _scores(1, 40, seed=1)
    levels = np.repeat([0, 1], [10, 30])
    found = method_difference(first, second, None, levels, equal_levels=True)
    apart = [(first - second)[0, levels == level] for level in (0, 1)]
    assert found.difference == pytest.approx(np.mean([each.mean() for each in apart]))
    parts = [each.var(ddof=1) / len(each) / 4 for each in apart]
    assert found.standard_error == pytest.approx(np.sqrt(sum(parts)))
    # Welch's degrees of freedom, of a sum instead of a difference.
    assert found.freedom == pytest.approx(
        sum(parts) ** 2 / (parts[0] ** 2 / 9 + parts[1] ** 2 / 29)
    )


def test_levels_that_cut_through_units_are_part_of_what_varies() -> None:
    first, second = _scores(2, 40), _scores(2, 40, seed=1)
    clusters, levels = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
    with_levels = method_difference(first, second, clusters, levels)
    assert with_levels == method_difference(first, second, clusters)


def test_infinities_on_one_side_alone_are_not_tested() -> None:
    first, second = _scores(1, 30), _scores(1, 30, seed=1)
    first[0, :3] = np.inf
    assert method_difference(first, second) is None, "a lead without end would be left out"
    second[0, :3] = np.inf
    found = method_difference(first, second)
    assert found.units == 30, "pairs without an error on both sides do not differ"
    difference = np.where(np.isinf(first), 0.0, first - np.where(np.isinf(second), 0.0, second))
    assert found.difference == pytest.approx(difference.mean())


@pytest.mark.parametrize("units", [1, 2, 3])
def test_a_mean_of_levels_with_a_level_of_few_units_is_not_tested(units: int) -> None:
    first, second = _scores(1, 60 + units), _scores(1, 60 + units, seed=1)
    levels = np.repeat([0, 1], [60, units])
    assert method_difference(first, second, None, levels, equal_levels=True) is None
    assert method_difference(first, second, None, levels) is not None


def test_means_over_other_levels_are_not_compared() -> None:
    first, second = _scores(1, 60), _scores(1, 60, seed=1)
    levels = np.repeat([0, 1, 2], 20)
    second[0, :20] = np.nan
    assert method_difference(first, second, None, levels, equal_levels=True) is None


def test_rounding_is_no_difference() -> None:
    scores = _scores(1, 50)
    for seeds in range(1, 8):
        found = method_difference(np.repeat(scores, seeds, axis=0), scores)
        assert (found.difference, found.p_value) == (0.0, 1.0)
