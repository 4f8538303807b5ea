"""Intervals of agreement: against the closed form of a share, and simulated."""

from __future__ import annotations

import numpy as np
import pytest

from i2ibench.statistics.agreement import (
    _accuracies,
    _kappas,
    agreement_interval,
    confusion,
    quadratic_kappa,
)


def _readings(
    rng: np.random.Generator, units: int, pairs_a_unit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and found levels of four, of clusters that are read wrongly together or pair by pair."""
    truth = np.repeat(rng.integers(4, size=units), pairs_a_unit)
    wrong = np.repeat(rng.random(units) < 0.15, pairs_a_unit) | (rng.random(len(truth)) < 0.2)
    moved = np.clip(truth + rng.choice([-1, 1, 2], size=len(truth)), 0, 3)
    return truth, np.where(wrong, moved, truth), np.repeat(np.arange(units), pairs_a_unit)


def test_tables_give_the_agreement_of_the_readings() -> None:
    truth, found, _ = _readings(np.random.default_rng(0), 60, 1)
    table = confusion(truth, found, 4)[None].astype(float)
    assert _kappas(table)[0] == pytest.approx(quadratic_kappa(truth, found, 4), rel=1e-12)
    assert _accuracies(table)[0] == np.mean(truth == found)
    alone = np.zeros((1, 4, 4))
    alone[0, 1] = 5
    assert np.isnan(_kappas(alone)[0]), "one true group"


def test_the_interval_of_accuracy_is_about_wilsons() -> None:
    judge = pytest.importorskip("statsmodels.stats.proportion", reason="needs the extra dev")
    truth, found, _ = _readings(np.random.default_rng(1), 200, 1)
    hits = int((truth == found).sum())
    expected = judge.proportion_confint(hits, 200, method="wilson")
    assert agreement_interval(truth, found, 4, statistic="accuracy") == pytest.approx(
        expected, abs=0.015
    )


@pytest.mark.parametrize("statistic", ["accuracy", "quadratic-kappa"])
@pytest.mark.parametrize(("units", "pairs_a_unit"), [(16, 4), (51, 2)])
def test_intervals_of_agreement_contain_the_truth(
    statistic: str, units: int, pairs_a_unit: int
) -> None:
    large = _readings(np.random.default_rng(9), 200_000, 1)
    compute = {"accuracy": _accuracies, "quadratic-kappa": _kappas}[statistic]
    truth = compute(confusion(large[0], large[1], 4)[None].astype(float))[0]
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(300):
        low, high = agreement_interval(
            *_as_arguments(_readings(rng, units, pairs_a_unit)), statistic
        )
        inside += low <= truth <= high
    # 0.93 less three standard errors of 300 simulations.
    assert inside / 300 >= 0.886


def _as_arguments(readings: tuple[np.ndarray, ...]) -> tuple:
    truth, found, clusters = readings
    return truth, found, 4, clusters


def test_clusters_widen_the_interval() -> None:
    truth, found, clusters = _readings(np.random.default_rng(2), 20, 10)
    alone = agreement_interval(truth, found, 4)
    together = agreement_interval(truth, found, 4, clusters)
    assert together[1] - together[0] > alone[1] - alone[0]


def test_no_interval_of_too_few_units_or_of_no_disagreement() -> None:
    truth, found, clusters = _readings(np.random.default_rng(2), 15, 10)
    assert agreement_interval(truth, found, 4, clusters) is None
    assert agreement_interval(truth, truth, 4) is None
