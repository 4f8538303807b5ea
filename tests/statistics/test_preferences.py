"""Strengths of maximum likelihood are those of choix, and exist where Ford says that they do."""

from __future__ import annotations

import numpy as np
import pytest

from i2ibench.statistics.preferences import (
    bradley_terry,
    resampled_tables,
    strength_intervals,
    strengths_of_tables,
)


def _played(strengths: np.ndarray, games: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    size = len(strengths)
    wins = np.zeros((size, size))
    for i in range(size):
        for j in range(i):
            won = draw.binomial(games, 1 / (1 + np.exp(strengths[j] - strengths[i])))
            wins[i, j], wins[j, i] = won, games - won
    return wins


def test_two_have_the_logarithm_of_their_odds() -> None:
    found = bradley_terry(np.array([[0.0, 30.0], [10.0, 0.0]]))
    assert found == pytest.approx([np.log(3) / 2, -np.log(3) / 2], abs=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_strengths_equal_those_of_choix(seed: int) -> None:
    choix = pytest.importorskip("choix")
    wins = _played(np.array([1.5, 0.2, 0.0, -0.4, -1.3]), 40, seed)
    wins[0, 1] += 0.5
    wins[1, 0] += 0.5
    expected = choix.ilsr_pairwise_dense(wins, alpha=0.0, tol=1e-12)
    assert bradley_terry(wins) == pytest.approx(expected - expected.mean(), abs=1e-8)


def test_a_lead_of_many_wins_still_converges() -> None:
    found = bradley_terry(np.array([[0, 5000, 9999], [1, 0, 70], [1, 30, 0]], dtype=float))
    assert found is not None
    assert found[0] - found[1] == pytest.approx(np.log(5000), rel=0.05)


@pytest.mark.parametrize(
    "wins",
    [
        [[0, 5, 5], [0, 0, 3], [0, 2, 0]],  # one that never lost
        [[0, 4, 0, 0], [3, 0, 0, 0], [0, 0, 0, 2], [0, 0, 2, 0]],  # two that never met the others
        [[0, 0], [0, 0]],
    ],
)
def test_there_are_no_strengths_where_likelihood_has_no_greatest(wins: list[list[int]]) -> None:
    assert bradley_terry(np.array(wins, dtype=float)) is None
    both = np.stack([np.array(wins, dtype=float), np.ones((len(wins), len(wins)))])
    found = strengths_of_tables(both)
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx(0, abs=1e-12)


def test_clusters_make_intervals_wider_that_hold_the_truth() -> None:
    draw = np.random.default_rng(1)
    truth = np.array([0.6, 0.0, -0.6])
    games = []
    for _ in range(60):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            won = draw.random() < 1 / (1 + np.exp(truth[j] - truth[i]))
            table = np.zeros((3, 3))
            table[(i, j) if won else (j, i)] = 1
            games += [table, table]  # the second answer of a cluster is its first
    winners = np.array(games)
    strengths = bradley_terry(winners.sum(0))
    clusters = np.repeat(np.arange(len(games) // 2), 2)
    alone = strength_intervals(strengths, *resampled_tables(winners, None, 0))
    joined = strength_intervals(strengths, *resampled_tables(winners, clusters, 0))
    for k in range(3):
        assert joined[k][0] < truth[k] < joined[k][1]
        ratio = (joined[k][1] - joined[k][0]) / (alone[k][1] - alone[k][0])
        assert ratio == pytest.approx(np.sqrt(2), rel=0.15)
