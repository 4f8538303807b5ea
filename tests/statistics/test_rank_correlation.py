"""Rank correlations are scipy's, and their resamples are those that indices would make."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from i2ibench.statistics.rank_correlation import (
    _pearson,
    _ranks_in,
    spearman,
    spearman_interval,
    spearman_of_rows,
)


@pytest.fixture
def columns() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    first = draw.integers(0, 12, 60).astype(float)  # with ties
    return first, first + draw.normal(0, 4, 60).round()


def test_a_correlation_is_that_of_scipy(columns: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = columns
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second)[0], abs=1e-12)
    rows = np.stack([second, -second, first])
    expected = [stats.spearmanr(first, row)[0] for row in rows]
    assert spearman_of_rows(first, rows) == pytest.approx(expected, abs=1e-12)


def test_ranks_within_a_resample_are_those_of_its_indices(
    columns: tuple[np.ndarray, np.ndarray],
) -> None:
    first, second = columns
    chosen = np.random.default_rng(3).integers(60, size=60)
    counts = np.bincount(chosen, minlength=60)[None].astype(float)
    found = _pearson(_ranks_in(first)(counts), _ranks_in(second)(counts), counts)[0]
    assert found == pytest.approx(stats.spearmanr(first[chosen], second[chosen])[0], abs=1e-12)


def test_an_interval_is_about_fishers_and_wider_over_clusters(
    columns: tuple[np.ndarray, np.ndarray],
) -> None:
    first, second = columns
    rho, (low, high) = spearman(first, second), spearman_interval(first, second)
    z = np.arctanh(rho) + np.array([-1, 1]) * 1.96 * np.sqrt((1 + rho**2 / 2) / 57)
    assert (low, high) == pytest.approx(np.tanh(z), abs=0.06)
    twice = spearman_interval(
        np.repeat(first, 2), np.repeat(second, 2), np.repeat(np.arange(60), 2)
    )
    assert twice == pytest.approx((low, high), abs=0.02)


def test_nothing_is_said_where_nothing_can_be() -> None:
    assert spearman(np.ones(20), np.arange(20.0)) is None
    assert spearman(np.ones(1), np.ones(1)) is None
    assert spearman_interval(np.arange(9.0), np.arange(9.0) ** 2) is None
