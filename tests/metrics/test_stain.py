"""Stain metrics stand on scikit-image's colour deconvolution and say what they measure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import pearsonr, wasserstein_distance
from skimage.color import rgb2hed

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.metrics.agreement import (
    GroupAccuracy,
    GroupKappa,
    discriminant,
    quadratic_kappa,
    stain_features,
)
from i2ibench.metrics.interface import Context, PairImages, TrainingTarget, Unavailable
from i2ibench.metrics.stain import (
    BIN_WIDTH,
    BINS,
    SKIMAGE_FLOOR,
    DABAreaError,
    DABDensityError,
    DABHistogramDistance,
    IntegratedDensityCorrelation,
    MeanDensityCorrelation,
    dab_density,
    stain_of,
)

IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(3, 20), st.integers(3, 20), st.just(3)))


def _density(image):
    """Decadic DAB density by scikit-image, whose unit is six decades; light is 1/255 at least."""
    return rgb2hed(np.maximum(image, 1))[:, :, 2] * 6


def stained(amount, seed=0, size=32):
    """An image whose DAB density is about ``amount``, in blobs."""
    draw = np.random.default_rng(seed)
    field = np.clip(draw.normal(amount, 0.3 * amount + 0.01, (size, size, 1)), 0, None)
    brown = np.array([0.27, 0.57, 0.78]) / np.linalg.norm([0.27, 0.57, 0.78])
    light = 10.0 ** -(field * brown)
    return np.rint(255 * light).clip(0, 255).astype(np.uint8)


@settings(max_examples=50, deadline=None)
@given(image=IMAGES)
def test_density_equals_scikit_image(image):
    assert np.abs(dab_density(image) - _density(image)).max() < 1e-10
    stain = stain_of(image)
    assert stain.mean == pytest.approx(_density(image).mean(), abs=1e-10)
    assert stain.histogram.sum() == stain.pixels


@settings(max_examples=50, deadline=None)
@given(image=IMAGES)
def test_density_with_the_floor_of_scikit_image_equals_scikit_image(image):
    density = dab_density(image, SKIMAGE_FLOOR)
    assert np.abs(density - rgb2hed(image)[:, :, 2] * 6).max() < 1e-10


def test_the_histogram_holds_the_largest_density_that_8_bits_can_have():
    corners = np.stack(np.meshgrid([0, 255], [0, 255], [0, 255]), axis=-1).astype(np.uint8)
    largest = dab_density(corners.reshape(2, 4, 3)).max()
    assert 2.56 < largest < BINS * BIN_WIDTH
    black, darkest = (dab_density(np.full((1, 1, 3), level, np.uint8)) for level in (0, 1))
    assert black == darkest


def test_density_of_a_known_stain_is_its_amount():
    assert stain_of(stained(0.5)).mean == pytest.approx(0.5, abs=0.02)


def test_pair_metrics_equal_what_scikit_image_and_scipy_give(make_pair):
    pair = make_pair(64, 80)
    x, y = _density(pair.prediction), _density(pair.target)
    assert DABDensityError().score_pair(pair) == pytest.approx(abs(x.mean() - y.mean()), abs=1e-10)
    area = abs((x >= 0.2).mean() - (y >= 0.2).mean())
    assert DABAreaError().score_pair(pair) == pytest.approx(area, abs=1e-10)
    distance = DABHistogramDistance().score_pair(pair)
    assert distance == pytest.approx(wasserstein_distance(x.ravel(), y.ravel()), abs=1e-10)


@pytest.mark.parametrize("sides", ["thumbnails", "facades"])
def test_the_histogram_distance_of_real_images_equals_scipys(shared, sides):
    """Facades have densities beyond 2.56, where the first version cut them."""
    data = shared / "data"
    if sides == "facades":
        files = sorted((data / "facades" / "test").iterdir())[:6]
        images = [np.hsplit(read_image(ImageRef(file)), 2) for file in files]
    else:
        files = sorted((data / "bci_thumbnails" / "IHC" / "test").iterdir())[:6]
        made = data / "bci_thumbnails" / "published_predictions" / "test"
        images = [
            [read_image(ImageRef(made / file.name)), read_image(ImageRef(file))] for file in files
        ]
    largest = 0
    for prediction, target in images:
        pair = PairImages("x", np.ascontiguousarray(prediction), np.ascontiguousarray(target))
        x, y = _density(prediction).ravel(), _density(target).ravel()
        largest = max(largest, x.max(), y.max())
        found = DABHistogramDistance().score_pair(pair)
        assert found == pytest.approx(wasserstein_distance(x, y), abs=1e-10)
    assert sides == "thumbnails" or largest > 2.56


def test_equal_images_have_no_error(make_pair):
    target = make_pair().target
    pair = PairImages("x", target, target.copy())
    for metric in (DABDensityError(), DABAreaError(), DABHistogramDistance()):
        assert metric.score_pair(pair) == 0


def _correlation_state(metric, pairs):
    state = metric.new_state()
    for pair in pairs:
        metric.update(state, pair.id, metric.describe(pair))
    return state


def test_correlations_are_across_images_and_differ_with_their_sizes():
    sizes, amounts = (24, 40, 32, 48), (0.1, 0.5, 0.3, 0.2)
    pairs = [
        PairImages(f"{i}", stained(a * 0.8, i + 9, n), stained(a, i, n))
        for i, (n, a) in enumerate(zip(sizes, amounts, strict=True))
    ]
    integrated, mean = IntegratedDensityCorrelation(), MeanDensityCorrelation()
    x = [_density(p.prediction).sum() for p in pairs]
    y = [_density(p.target).sum() for p in pairs]
    state = _correlation_state(integrated, pairs)
    assert integrated.compute(state).value == pytest.approx(pearsonr(x, y).statistic, abs=1e-10)
    x = [_density(p.prediction).mean() for p in pairs]
    y = [_density(p.target).mean() for p in pairs]
    assert mean.compute(state).value == pytest.approx(pearsonr(x, y).statistic, abs=1e-10)


def test_constant_predictions_have_no_correlation_but_a_reason():
    grey = np.full((16, 16, 3), 200, np.uint8)
    pairs = [PairImages(f"{i}", grey, stained(0.1 * i, i, 16)) for i in range(1, 5)]
    metric = IntegratedDensityCorrelation()
    score = metric.compute(_correlation_state(metric, pairs))
    assert score.value is None
    assert "same density" in score.unavailable


LEVELS = {"0": 0.02, "1+": 0.12, "2+": 0.3, "3+": 0.6}


def _context(per_group=6):
    targets = [
        TrainingTarget(f"{level}-{i}", level, lambda a=amount, i=i: stained(a, 100 + i))
        for level, amount in LEVELS.items()
        for i in range(per_group)
    ]
    return Context(training_targets=targets, group_order=tuple(LEVELS))


def _agreement(metric, predicted):
    metric.prepare(_context())
    state = metric.new_state()
    for i, (level, amount) in enumerate(predicted):
        pair = PairImages(f"{i}", stained(amount, i), stained(LEVELS[level], 50 + i), group=level)
        metric.update(state, pair.id, metric.describe(pair))
    return metric.compute(state)


def test_right_staining_agrees_and_stands_beside_its_ceiling():
    score = _agreement(GroupAccuracy(), [*LEVELS.items()] * 2)
    assert score.value == 1
    assert score.details["ceiling"] == 1
    assert score.notes == ("ceiling 1.000: real test targets",)
    assert np.array(score.details["confusion"]).tolist() == np.diag([2, 2, 2, 2]).tolist()


def test_collapse_onto_one_level_loses_all_but_that_level():
    collapsed = [(level, LEVELS["1+"]) for level in LEVELS]
    assert _agreement(GroupAccuracy(), collapsed).value == 0.25
    kappa = _agreement(GroupKappa(), collapsed)
    assert kappa.value == pytest.approx(0, abs=1e-12)
    assert kappa.details["ceiling"] == 1


def test_a_neighbouring_level_costs_less_than_a_distant_one():
    order = [*LEVELS]
    near = [(level, LEVELS[order[min(3, i + 1)]]) for i, level in enumerate(order)]
    far = [(level, LEVELS[order[3 - i]]) for i, level in enumerate(order)]
    assert _agreement(GroupKappa(), near).value > 0 > _agreement(GroupKappa(), far).value


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(10, 60), groups=st.integers(2, 5))
def test_kappa_equals_torchmetrics(seed, n, groups):
    import torch
    from torchmetrics.functional.classification import multiclass_cohen_kappa

    draw = np.random.default_rng(seed)
    truth, found = draw.integers(0, groups, (2, n))
    expected = multiclass_cohen_kappa(
        torch.tensor(found), torch.tensor(truth), groups, weights="quadratic"
    ).item()
    value = quadratic_kappa(truth, found, groups)
    assert value is None or value == pytest.approx(expected, abs=1e-5)


def test_discriminant_separates_as_bayes_does():
    """For two Gaussians of one covariance the boundary passes through the middle of the means."""
    draw = np.random.default_rng(0)
    samples = [draw.normal(centre, 1, (4000, 2)) for centre in ([0, 0], [4, 0])]
    reader = discriminant(samples, ("low", "high"))
    assert reader.classify(np.array([[1.7, 0.0], [2.3, 0.0]])).tolist() == [0, 1]


def test_without_training_targets_agreement_is_unavailable():
    with pytest.raises(Unavailable, match="training targets"):
        GroupAccuracy().prepare(Context())


def test_kappa_within_one_group_is_undefined_and_accuracy_is_not():
    only = [("3+", LEVELS["3+"])] * 3
    assert "2 groups" in _agreement(GroupKappa(), only).unavailable
    assert _agreement(GroupAccuracy(), only).value == 1


def test_features_are_finite_on_black_and_white():
    for level in (0, 255):
        features = stain_features(stain_of(np.full((9, 9, 3), level, np.uint8)))
        assert np.isfinite(features).all()
