"""Ranks: shared where nothing is proven, never by less than the data support."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.leaderboard.ranking import Contestant, places, rank_column, separations


def _contestants(*shifts: float, noise: float = 0.3, size: int = 80) -> list[Contestant]:
    rng = np.random.default_rng(0)
    common = rng.normal(20, 4, size)
    made = []
    for shift in shifts:
        scores = common + shift + rng.normal(0, noise, size)
        made.append(Contestant(float(scores.mean()), (float(scores.mean()),), scores))
    return made


def test_clear_differences_give_distinct_ranks() -> None:
    assert rank_column(_contestants(0, 2, 1), "higher") == [3, 1, 2]
    assert rank_column(_contestants(0, 2, 1), "lower") == [1, 3, 2]


def test_methods_that_cannot_be_separated_share_a_rank() -> None:
    # The second and third differ by a hundredth of their noise.
    assert rank_column(_contestants(0, 1, 1.003), "higher") == [3, 1, 1]


def test_pairing_separates_what_intervals_over_images_cannot() -> None:
    first, second = _contestants(0, 0.5)
    # Scores vary by 4 dB between images, so unpaired intervals overlap widely.
    standard_error = np.sqrt(2) * first.pair_scores.std() / np.sqrt(80)
    assert abs(first.value - second.value) < standard_error
    assert separations([first, second])[0, 1]


def test_overlapping_seeds_tie_methods_that_images_separate() -> None:
    first, second = _contestants(0, 0.5)
    seeds = (first.value - 1, first.value + 1)
    repeated = Contestant(first.value, seeds, first.pair_scores)
    assert rank_column([repeated, second], "higher") == [1, 1]


def test_means_and_ranks_that_disagree_do_not_separate() -> None:
    base = np.random.default_rng(0).normal(20, 4, 100)
    # Better on ninety images by a little, worse on ten by much.
    other = base + np.where(np.arange(100) < 90, 0.1, -3)
    made = [Contestant(float(s.mean()), (float(s.mean()),), s) for s in (base, other)]
    assert rank_column(made, "higher") == [1, 1]


def test_metrics_of_sets_go_by_value_and_seeds() -> None:
    single = [Contestant(30.0, (30.0,)), Contestant(31.0, (31.0,)), Contestant(30.0, (30.0,))]
    assert rank_column(single, "lower") == [1, 3, 1]
    seeds = [Contestant(30.0, (29.0, 31.5)), Contestant(31.0, (30.5, 32.0))]
    assert rank_column(seeds, "lower") == [1, 1]


def test_dependent_pairs_prove_less() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(16), 10)
    base = rng.normal(20, 4, 160)
    # One slide decides: ten dependent pairs are one observation.
    other = base + np.repeat(np.where(np.arange(16) == 0, 6.0, rng.normal(0, 0.2, 16)), 10)
    made = [Contestant(float(s.mean()), (float(s.mean()),), s) for s in (base, other)]
    assert not separations(made, clusters)[0, 1]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_ranks_do_not_depend_on_the_order_of_methods(shifts: list[int], random) -> None:
    made = _contestants(*shifts)
    order = list(range(len(made)))
    random.shuffle(order)
    ranks = rank_column(made, "higher")
    assert rank_column([made[i] for i in order], "higher") == [ranks[i] for i in order]


def test_separation_is_symmetric_and_never_of_oneself() -> None:
    separated = separations(_contestants(0, 0.01, 1, 2))
    assert (separated == separated.T).all()
    assert not separated.diagonal().any()


@pytest.mark.parametrize(
    ("means", "expected"), [([1, 2, 2, 3], [1, 2, 2, 4]), ([1.5, 1.5], [1, 1]), ([], [])]
)
def test_places_are_shared_and_then_skipped(means: list[float], expected: list[int]) -> None:
    assert places(means) == expected


def test_a_method_without_any_error_ranks_before_all_others() -> None:
    scores = np.random.default_rng(0).normal(20, 1, 40)
    perfect = Contestant(np.inf, (np.inf,), np.full(40, np.inf))
    other = Contestant(float(scores.mean()), (float(scores.mean()),), scores)
    assert rank_column([other, perfect], "higher") == [2, 1]
    assert rank_column([perfect, perfect], "higher") == [1, 1]
