"""DAB p90: the published code's numbers, its correlations, and the order of levels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import pearsonr

from i2ibench.metrics.interface import Context, PairImages, build_metric
from i2ibench.metrics.stain_p90 import p90, strengths_of

LEVELS = ("0", "1+", "2+", "3+")


def test_p90_equals_that_of_the_published_code(thumbnails):
    error = build_metric("dab-p90-error")
    for pair, facts in thumbnails:
        expected = facts["p90_prediction"], facts["p90_target"]
        assert strengths_of(pair) == pytest.approx(expected, abs=1e-6), pair.id
        assert error.score_pair(pair) == pytest.approx(abs(expected[0] - expected[1]), abs=2e-6)


@settings(max_examples=40, deadline=None)
@given(image=hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))))
def test_p90_is_what_numpy_and_torch_make_of_the_definition(image):
    light = np.clip(image / 255, 1e-6, 1)
    vectors = np.array([[0.268, 0.570, 0.776], [0.650, 0.704, 0.286]])
    amounts = (-np.log10(light + 1e-6) @ np.linalg.pinv(vectors))[:, :, 0]
    soft = torch.nn.functional.softplus(torch.tensor(amounts), beta=5, threshold=1e9).numpy()
    # Rounding may put the percentile of equal values above all of them.
    expected = soft[soft >= np.percentile(soft, 90) - 1e-12].mean()
    assert p90(image) == pytest.approx(expected, abs=1e-9)


def test_a_white_image_has_the_softplus_of_no_stain():
    assert p90(np.full((5, 7, 3), 255, np.uint8)) == pytest.approx(np.log(2) / 5, abs=1e-6)


def _scored(name, rows, order=LEVELS):
    """Return the score of pairs whose images have these strengths: (prediction, target, level)."""
    metric = build_metric(name)
    metric.prepare(Context(group_order=order))
    state = metric.new_state()
    blank = np.zeros((1, 1, 3), np.uint8)
    for index, (predicted, real, level) in enumerate(rows):
        pair = PairImages(f"{index:03d}", blank, blank, group=level)
        pair.once(lambda _, both=(predicted, real): both, strengths_of)
        metric.update(state, pair.id, metric.describe(pair))
    return metric.compute(state)


def _of_thumbnails(thumbnails):
    return [(*strengths_of(pair), pair.group) for pair, _ in thumbnails]


def test_correlations_equal_scipys_over_all_images_and_within_levels(thumbnails):
    rows = _of_thumbnails(thumbnails)
    score = _scored("dab-p90-correlation", rows)
    expected = pearsonr(*np.array([row[:2] for row in rows]).T).statistic
    assert score.value == pytest.approx(expected, abs=1e-10)
    # Levels 0 and 1+ have 1 and 4 thumbnails: too few.
    assert [*score.details["within"]] == ["2+", "3+"]
    for level, found in score.details["within"].items():
        members = np.array([row[:2] for row in rows if row[2] == level])
        assert found == pytest.approx(pearsonr(*members.T).statistic, abs=1e-10)


def test_constant_predictions_have_a_reason_and_no_correlation():
    rows = [(0.2, 0.1 * index, "0") for index in range(7)]
    assert "no correlation" in _scored("dab-p90-correlation", rows).unavailable
    assert "3 pairs" in _scored("dab-p90-correlation", rows[:2]).unavailable


def test_the_order_is_counted_over_all_pairs_of_levels():
    real = (0.2, 0.3, 0.4, 0.5)
    for predicted in product((0.1, 0.2, 0.3), repeat=4):
        rows = [*zip(predicted, real, LEVELS, strict=True)] * 2
        wrong = sum(predicted[low] >= predicted[high] for high in range(4) for low in range(high))
        score = _scored("dab-p90-order", rows)
        assert (score.value, score.details["targets"]) == (wrong, 0)
        assert (score.details["pairs_of_levels"], score.notes[0][:4]) == (6, "of 6")


def test_the_order_of_thumbnails_is_that_of_their_mean_p90(thumbnails):
    rows = _of_thumbnails(thumbnails)
    score = _scored("dab-p90-order", rows)
    means = [np.mean([row[0] for row in rows if row[2] == level]) for level in LEVELS]
    wrong = sum(means[low] >= means[high] for high in range(4) for low in range(high))
    assert score.value == wrong
    assert score.details["means"]["predictions"] == pytest.approx(means)


@pytest.mark.parametrize(
    ("rows", "order", "reason"),
    [
        ([(0.1, 0.1, "0"), (0.2, 0.2, "3+")], (), "order"),
        ([(0.1, 0.1, "0")] * 3, LEVELS, "2 groups"),
        ([(0.1, 0.1, None)] * 3, LEVELS, "2 groups"),
    ],
)
def test_without_levels_in_order_there_is_a_reason_and_no_number(rows, order, reason):
    score = _scored("dab-p90-order", rows, order)
    assert score.value is None
    assert reason in score.unavailable
