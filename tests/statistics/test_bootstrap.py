"""Intervals and tests against scipy, independent formulas and simulated truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from interval_coverage import clusters, coverage, designed, macro, pairs
from scipy import stats

from i2ibench.statistics import paired_tests
from i2ibench.statistics.bootstrap import FEWEST_UNITS, finite_mean, mean_intervals
from i2ibench.statistics.paired_tests import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)
DIFFERENCES = nps.arrays(np.float64, st.integers(14, 60), elements=st.floats(-5, 5).map(round))


def signed_rank_p(differences: np.ndarray, clusters: np.ndarray | None = None) -> float:
    return paired_tests.signed_rank_p(differences[:, None], clusters)[0]


def rank_biserial(differences: np.ndarray) -> float:
    return paired_tests.rank_biserial(differences[:, None])[0]


def holm_by_the_closure_principle(p_values: list[float]) -> list[float]:
    """Reject a hypothesis when Bonferroni rejects every intersection that holds it."""
    indices = range(len(p_values))
    subsets = [subset for size in indices for subset in itertools.combinations(indices, size + 1)]
    return [
        max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in subsets if i in s)
        for i in indices
    ]


@given(P_VALUES)
@settings(max_examples=60, deadline=None)
def test_holm_equals_closed_testing_with_bonferroni(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(holm_by_the_closure_principle(p_values), abs=1e-15)


@given(DIFFERENCES)
@settings(max_examples=60, deadline=None)
def test_signed_rank_p_equals_scipy(differences: np.ndarray) -> None:
    expected = stats.wilcoxon(differences, zero_method="zsplit").pvalue if differences.any() else 1
    assert signed_rank_p(differences) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [20, 200])
def test_columns_are_tested_one_by_one(size: int) -> None:
    table = np.round(np.random.default_rng(0).normal(0.2, 2, (size, 4)), 1)
    table[:, 2] = 0
    alone = [signed_rank_p(column) for column in table.T]
    assert paired_tests.signed_rank_p(table) == pytest.approx(alone, rel=1e-12)
    assert paired_tests.rank_biserial(table) == [rank_biserial(column) for column in table.T]


@pytest.mark.parametrize("size", range(1, 9))
def test_few_differences_with_ties_have_scipys_exact_p(size: int) -> None:
    differences = np.round(np.random.default_rng(size).normal(0.5, 2, size))
    expected = stats.wilcoxon(differences, zero_method="zsplit").pvalue if differences.any() else 1
    assert signed_rank_p(differences) == pytest.approx(expected, rel=1e-12)


def test_signed_rank_p_over_clusters_is_scipys_over_cluster_means() -> None:
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat(np.arange(20), rng.integers(1, 9, 20)))
    differences = rng.normal(0.3, 1, len(codes))
    means = [differences[codes == code].mean() for code in range(20)]
    expected = stats.wilcoxon(means, zero_method="zsplit").pvalue
    assert signed_rank_p(differences, codes) == pytest.approx(expected, rel=1e-12)


def test_infinite_scores_count_by_their_sign() -> None:
    differences = np.array([np.inf, np.inf, np.nan, 1, 2, 3, 4, 5])
    finite = np.array([9, 9, 0, 1, 2, 3, 4, 5])
    assert signed_rank_p(differences) == signed_rank_p(finite)
    assert rank_biserial(differences) == 1


@given(DIFFERENCES)
@settings(max_examples=60, deadline=None)
def test_rank_biserial_follows_from_scipys_rank_sums(differences: np.ndarray) -> None:
    nonzero = differences[differences != 0]
    if not len(nonzero):
        assert rank_biserial(differences) == 0
        return
    # scipy's one-sided statistic is the sum of the ranks of positive differences.
    positive = stats.wilcoxon(nonzero, alternative="greater", method="asymptotic").statistic
    total = len(nonzero) * (len(nonzero) + 1) / 2
    assert rank_biserial(differences) == pytest.approx(2 * positive / total - 1, abs=1e-12)


@given(DIFFERENCES)
@settings(max_examples=30, deadline=None)
def test_exchanging_the_methods_changes_signs_only(differences: np.ndarray) -> None:
    assert signed_rank_p(-differences) == pytest.approx(signed_rank_p(differences), rel=1e-12)
    assert rank_biserial(-differences) == pytest.approx(-rank_biserial(differences), abs=1e-15)


def test_large_samples_agree_with_scipys_bca() -> None:
    values = np.random.default_rng(0).lognormal(0, 0.5, 400)
    found = stats.bootstrap((values,), np.mean, n_resamples=20000, rng=1).confidence_interval
    low, high = mean_intervals(values[:, None], resamples=20000)[0]
    width = found.high - found.low
    assert low == pytest.approx(found.low, abs=0.03 * width)
    assert high == pytest.approx(found.high, abs=0.03 * width)


def test_intervals_do_not_depend_on_the_other_columns() -> None:
    values = np.random.default_rng(0).normal(size=(60, 4))
    together = mean_intervals(values)
    alone = [mean_intervals(column[:, None])[0] for column in values.T]
    assert np.allclose(together, alone, rtol=1e-12)


def test_pairs_that_are_clusters_of_one_give_the_interval_of_pairs() -> None:
    values = np.random.default_rng(0).normal(size=(60, 1))
    assert np.allclose(mean_intervals(values), mean_intervals(values, np.arange(60)))


def test_equal_pairs_in_a_cluster_add_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(40, 1))
    repeated = np.repeat(values, 5, axis=0)
    codes = np.repeat(np.arange(40), 5)
    assert np.allclose(mean_intervals(values), mean_intervals(repeated, codes), rtol=1e-9)


def test_the_unit_of_a_score_does_not_move_its_interval() -> None:
    """Resampled means that tie do so on every processor, however the last digit is rounded."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        values = rng.integers(0, 4, (20, 1)) / 10  # few values, so many resamples have the mean
        tripled = mean_intervals(values * 3)[0]
        assert tripled == pytest.approx(np.multiply(mean_intervals(values)[0], 3), rel=1e-9)


def test_infinite_scores_are_left_out_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=(60, 1))
    with_infinity = np.concatenate([values, [[np.inf]]])
    low, high = mean_intervals(with_infinity)[0]
    assert low < values.mean() < high


def test_too_few_units_have_no_interval() -> None:
    values = np.random.default_rng(0).normal(size=(FEWEST_UNITS, 1))
    assert mean_intervals(values)[0] is not None
    assert mean_intervals(values[1:])[0] is None
    assert (
        mean_intervals(np.repeat(values, 9, axis=0), np.arange(9 * FEWEST_UNITS) // 9 // 2)[0]
        is None
    )


def test_scores_of_which_most_are_equal_need_a_hundred_units() -> None:
    values = np.where(np.arange(120)[:, None] % 10 < 6, 0.0, np.arange(120)[:, None])
    assert mean_intervals(values[:99]) == [None]
    assert mean_intervals(values)[0] is not None


@pytest.mark.parametrize("value", [0.0, 0.25, 0.1])
def test_a_constant_score_of_few_units_has_no_interval(value: float) -> None:
    assert mean_intervals(np.full((30, 1), value)) == [None]
    assert mean_intervals(np.full((120, 1), value)) == [
        (pytest.approx(value), pytest.approx(value))
    ]


@pytest.mark.parametrize(
    "scenario",
    [
        pairs("mixture", 38),
        clusters("normal", 51, 0.5),
        clusters("normal", 20, 0.5),
        macro("beta (skew 0.6)", [38, 235, 446, 258]),
        designed("normal", [4, 4, 4, 4], 4, 0.5),
        designed("lognormal (skew 1.75)", [16, 16, 16, 16], 4, 0.5),
    ],
    ids=lambda scenario: scenario.name,
)
def test_intervals_contain_the_truth(scenario) -> None:
    # 400 sets: three standard errors of a coverage of 95 % are 3.3 points.
    given, share, _ = coverage(scenario, sets=400)
    assert given == 1
    assert 0.917 <= share <= 0.983


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1.0, 3.0], 2.0),
        ([1.0, np.inf, 3.0], 2.0),
        ([np.inf, np.inf], np.inf),
        ([-np.inf], -np.inf),
        ([np.inf, -np.inf], np.nan),
        ([], np.nan),
    ],
)
def test_the_mean_of_nothing_finite_is_what_all_values_share(values, mean) -> None:
    assert finite_mean(np.array(values)) == pytest.approx(mean, nan_ok=True)
