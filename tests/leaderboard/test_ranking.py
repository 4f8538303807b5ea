"""Ranks: intervals from tests of two methods at a time, whichever others are listed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from i2ibench.leaderboard.ranking import Contestant, pairwise_tests, rank_column


def _contestants(*shifts: float, noise: float = 0.3, size: int = 80) -> list[Contestant]:
    """Methods without a seed, as closed forms are."""
    rng = np.random.default_rng(0)
    common = rng.normal(20, 4, size)
    return [Contestant((common + shift + rng.normal(0, noise, size))[None]) for shift in shifts]


def _trained(shift: float, seeds: int, seed: int, deviation: float = 0.5) -> Contestant:
    rng = np.random.default_rng([seeds, seed])
    common = np.random.default_rng(0).normal(20, 4, 80)
    scores = common + shift + rng.normal(0, deviation, (seeds, 1)) + rng.normal(0, 0.3, (seeds, 80))
    return Contestant(scores, is_method=seeds > 1)


def _ranks(contestants, better="higher", clusters=None) -> list:
    return [standing.rank for standing in rank_column(contestants, better, clusters)]


def test_clear_differences_give_distinct_ranks() -> None:
    assert _ranks(_contestants(0, 2, 1)) == [(3, 3), (1, 1), (2, 2)]
    assert _ranks(_contestants(0, 2, 1), "lower") == [(1, 1), (3, 3), (2, 2)]


def test_a_rank_says_how_far_the_tests_leave_it_open() -> None:
    # The second and third differ by a hundredth of their noise.
    assert _ranks(_contestants(0, 1, 1.003)) == [(3, 3), (1, 2), (1, 2)]


def test_closed_forms_are_told_apart_as_the_paired_t_test_does() -> None:
    first, second = _contestants(0, 0.08)
    p_value = pairwise_tests([first, second], "higher").p_values[0, 1]
    expected = stats.ttest_rel(first.scores[0], second.scores[0]).pvalue
    assert p_value == pytest.approx(expected, rel=1e-9)


def test_seeds_that_vary_more_than_methods_leave_ranks_open() -> None:
    closed = Contestant(_trained(0.5, 1, 3, deviation=0.01).scores)
    assert _ranks([_trained(0, 3, 1), closed]) == [(1, 2), (1, 2)]
    assert _ranks([_trained(0, 3, 1, deviation=0.01), closed]) == [(2, 2), (1, 1)]


def test_more_seeds_make_a_true_difference_provable() -> None:
    few = [_trained(0, 2, 1), _trained(1, 2, 2)]
    many = [_trained(0, 12, 1), _trained(1, 12, 2)]
    assert _ranks(few) == [(1, 2), (1, 2)]
    assert _ranks(many) == [(2, 2), (1, 1)]


def test_one_set_of_weights_has_a_claim_and_no_rank() -> None:
    found = rank_column([*_contestants(0, 1), _trained(5, 1, 4)], "higher")
    assert [each.rank for each in found] == [(2, 2), (1, 1), None]
    assert found[2].claim == (2, 0, 2)
    assert found[0].claim is None


def test_two_single_runs_are_compared_as_weights() -> None:
    found = rank_column([_trained(0, 1, 1), _trained(5, 1, 2)], "higher")
    assert [each.rank for each in found] == [None, None]
    assert [each.claim for each in found] == [(0, 1, 1), (1, 0, 1)]


def test_simultaneous_ranks_are_never_narrower() -> None:
    for seed in range(20):
        shifts = np.random.default_rng(seed).normal(0, 0.1, 6)
        for standing in rank_column(_contestants(*shifts), "higher"):
            assert standing.simultaneous.best <= standing.rank.best
            assert standing.simultaneous.worst >= standing.rank.worst


def test_dependent_pairs_prove_less() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(16), 10)
    base = rng.normal(20, 4, 160)
    # One slide decides: ten dependent pairs are one observation.
    other = base + np.repeat(np.where(np.arange(16) == 0, 6.0, rng.normal(0, 0.2, 16)), 10)
    made = [Contestant(base[None]), Contestant(other[None])]
    assert _ranks(made) == [(2, 2), (1, 1)]
    assert _ranks(made, clusters=clusters) == [(1, 2), (1, 2)]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_ranks_do_not_depend_on_the_order_of_methods(shifts: list[int], random) -> None:
    made = _contestants(*shifts)
    order = list(range(len(made)))
    random.shuffle(order)
    ranks = _ranks(made)
    assert _ranks([made[i] for i in order]) == [ranks[i] for i in order]


def _random_board(rng: np.random.Generator) -> list[Contestant]:
    """Two to eight entries near each other, of one to four seeds, some with undefined pairs."""
    common = rng.normal(20, 3, 24)
    made = []
    for _ in range(rng.integers(2, 7)):
        seeds = int(rng.integers(1, 5))
        own = rng.normal(0, 0.5) + rng.normal(0, 0.6, 24) + rng.normal(0, 0.2, (seeds, 1))
        scores = common + own + rng.normal(0, 0.3, (seeds, 24))
        scores[:, rng.random(24) < rng.choice([0.0, 0.1])] = np.nan
        made.append(Contestant(scores, is_method=seeds > 1 or rng.random() < 0.7))
    return made


def test_verdicts_do_not_depend_on_who_else_is_listed() -> None:
    rng = np.random.default_rng(12)
    for _ in range(50):
        board = _random_board(rng)
        keep = np.flatnonzero(rng.random(len(board)) < 0.7)
        before = pairwise_tests(board, "higher")
        after = pairwise_tests([board[i] for i in keep], "higher")
        assert (before.ahead[np.ix_(keep, keep)] == after.ahead).all()
        assert (before.p_values[np.ix_(keep, keep)] == after.p_values).all()


def test_removing_an_entry_never_turns_two_others_round() -> None:
    rng = np.random.default_rng(13)
    for _ in range(1000):
        board = _random_board(rng)
        gone = int(rng.integers(len(board)))
        rest = [each for i, each in enumerate(board) if i != gone]
        keep = [i for i in range(len(board)) if i != gone]
        old, new = [_ranks(board)[i] for i in keep], _ranks(rest)
        pairs = [(i, j) for i in range(len(keep)) for j in range(len(keep)) if new[i] and new[j]]
        for i, j in pairs:
            if old[i].worst < old[j].best:
                assert new[i].worst <= new[j].best
            for end in ("best", "worst"):
                if getattr(old[i], end) < getattr(old[j], end):
                    assert getattr(new[i], end) <= getattr(new[j], end)


@pytest.mark.parametrize("loss", ["no scores", "too few units"])
def test_an_entry_without_scores_affects_itself_alone(loss: str) -> None:
    board = _contestants(0, 0.5, 0.05, 1)
    gone = None if loss == "no scores" else np.where(np.arange(80) < 70, np.nan, board[1].scores)
    torn = [board[0], Contestant(gone), *board[2:]]
    found = rank_column(torn, "higher")
    assert found[1].rank is None
    assert found[1].claim is None
    others = rank_column([board[0], *board[2:]], "higher")
    assert [found[0], *found[2:]] == others


def test_undefined_pairs_are_left_out_of_a_difference() -> None:
    first, second = _contestants(0, 0.1)
    holes = second.scores.copy()
    holes[0, :30] = np.nan
    found = pairwise_tests([first, Contestant(holes)], "higher").p_values[0, 1]
    expected = stats.ttest_rel(first.scores[0, 30:], second.scores[0, 30:]).pvalue
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_method_without_any_error_ranks_before_all_others() -> None:
    other = Contestant(np.random.default_rng(0).normal(20, 1, (1, 40)))
    perfect = Contestant(np.full((1, 40), np.inf))
    assert _ranks([other, perfect]) == [(2, 2), (1, 1)]
    assert _ranks([perfect, perfect]) == [(1, 2), (1, 2)]


def test_a_standing_names_those_it_is_surely_better_than() -> None:
    found = rank_column([*_contestants(0, 5), _trained(10, 1, 4)], "higher")
    assert [standing.ahead_of for standing in found] == [(), (0,), (0, 1)]
    assert [len(each.ahead_of) for each in found] == [0, 1, found[2].claim.better]
