"""Accuracy and kappa follow from what was read of each pair, and get intervals from it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from factories import evaluation, pair_scores, result

from i2ibench.evaluation.scores import MetricValue
from i2ibench.results.agreement_intervals import agreement_intervals, agreements
from i2ibench.results.consistency import contradictions
from i2ibench.statistics.agreement import agreement_interval, quadratic_kappa

LEVELS = ("0", "1+", "2+", "3+")
NAMES = dict.fromkeys(("group-accuracy", "group-kappa", "psnr"))


def _read(seed: int = 0, pairs: int = 64) -> tuple[np.ndarray, np.ndarray]:
    truth = np.arange(pairs) % 4
    found = np.clip(truth + np.random.default_rng(seed).integers(-1, 2, pairs), 0, 3)
    return truth, found


def _scores(truth: np.ndarray, found: np.ndarray) -> pd.DataFrame:
    columns = {
        "group-read": found.astype(float),
        "group-error": np.abs(found - truth).astype(float),
    }
    slides = [f"slide {index // 4 // 2}-{index % 4}" for index in range(len(truth))]
    return pair_scores(columns, [LEVELS[each] for each in truth], slides)


def test_values_follow_from_what_was_read() -> None:
    truth, found = _read()
    values = agreements(NAMES, _scores(truth, found))
    assert values["group-accuracy"] == (truth == found).mean()
    assert values["group-kappa"] == pytest.approx(quadratic_kappa(truth, found, 4), abs=1e-12)
    assert "psnr" not in values


def test_intervals_are_those_of_resampled_slides() -> None:
    truth, found = _read()
    scores = _scores(truth, found)
    made = agreement_intervals(NAMES, scores, seed=3)
    codes = pd.factorize(scores["cluster"])[0]
    for name, statistic in (("group-accuracy", "accuracy"), ("group-kappa", "quadratic-kappa")):
        assert made[name] == agreement_interval(truth, found, 4, codes, statistic, 3)


def test_groups_whose_number_the_scores_do_not_tell_have_no_interval() -> None:
    truth, found = np.zeros(32, int), np.full(32, 1)
    scores = _scores(truth, found)
    assert agreement_intervals(NAMES, scores, seed=0) == {}  # read 1, one off: from 0 or from 2
    assert agreements(NAMES, scores) == {}


def test_a_record_holds_them_and_a_value_that_does_not_follow_is_refused() -> None:
    truth, found = _read()
    scores = _scores(truth, found)
    kappa = MetricValue(quadratic_kappa(truth, found, 4), 64, "", "higher", "group-kappa|v:2")
    made = result(scores, evaluation=evaluation(scores, **{"group-kappa": kappa}))
    low, high = made.metrics["group-kappa"].ci95
    assert low < kappa.value < high
    wrong = [
        each for each in contradictions(made, scores) if each.subject.startswith("group-kappa")
    ]
    assert not wrong
    better = made.metrics["group-kappa"].model_copy(update={"value": high - 1e-6})
    lying = made.model_copy(update={"metrics": {**made.metrics, "group-kappa": better}})
    assert any(each.subject == "group-kappa" for each in contradictions(lying, scores))
    narrow = made.metrics["group-kappa"].model_copy(update={"ci95": (kappa.value, kappa.value)})
    lying = made.model_copy(update={"metrics": {**made.metrics, "group-kappa": narrow}})
    assert any(each.subject == "group-kappa" for each in contradictions(lying, scores))


def test_a_reader_that_finds_one_group_everywhere_has_no_interval_of_kappa() -> None:
    truth = np.arange(64) % 4
    made = agreement_intervals(NAMES, _scores(truth, np.zeros(64, int)), seed=0)
    assert made["group-kappa"] is None, "resampled, it is 0 again and again"
