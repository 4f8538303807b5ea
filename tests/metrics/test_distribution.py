"""FID, KID, precision and recall equal torch-fidelity, with seeded random Inception weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from i2ibench.errors import DataError
from i2ibench.metrics.distribution import FID, FIDClean, frechet_distance
from i2ibench.metrics.inception_features import FeatureState
from i2ibench.metrics.interface import Context, build_metric
from i2ibench.metrics.kernel_distance import KID, KIDMarginal, KIDSettings
from i2ibench.metrics.manifold import Precision, Recall, covered_share
from i2ibench.metrics.networks.inception import Inception
from i2ibench.metrics.networks.resize import pillow_bicubic, tf1_bilinear

WIDTH = 96  # features of the fast tests; the formulas do not know how many there are


def _features(seed, n, shift=0.0, width=WIDTH):
    draw = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(width, width)) / width**0.5
    return (np.abs(draw.normal(size=(n, width)) @ mixing) + shift).astype(np.float32)


def _state(predictions, targets):
    rows = zip(predictions, targets, strict=True)
    return FeatureState({f"{i:06d}": pair for i, pair in enumerate(rows)})


def _reference_fid(x, y):
    stats = [fid_features_to_statistics(torch.tensor(features)) for features in (x, y)]
    return fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]


def test_inception_features_equal_torch_fidelity(make_pair, seeded_inception, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(seeded_inception.parent))
    reference = FeatureExtractorInceptionV3(
        "reference", ["2048"], feature_extractor_weights_path=str(seeded_inception)
    )
    metric = FID()
    metric.prepare(Context(allow_unverified_weights=True))
    assert "|weights:unverified-" in str(metric.signature())
    for pair in (make_pair(200, 256), make_pair(400, 333, seed=5)):
        found = metric.describe(pair)
        for image, feature in zip((pair.prediction, pair.target), found, strict=True):
            with torch.no_grad():
                expected = reference(torch.tensor(image).permute(2, 0, 1)[None])[0][0].numpy()
            assert feature.shape == (2048,)
            assert np.abs(feature - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_feature_does_not_depend_on_the_image_beside_it(make_pair, seeded_inception, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(seeded_inception.parent))
    metric = FID()
    metric.prepare(Context(allow_unverified_weights=True))
    pair, other = make_pair(128, 128), make_pair(128, 128, seed=5)
    alone = metric._extractor.of_images(pair.prediction)[0]
    for companion in (pair.target, other.target):
        beside = metric._extractor.of_images(pair.prediction, companion)[0]
        assert np.abs(beside - alone).max() <= 1e-6 * np.abs(alone).max()


def test_tf1_resize_equals_torch_fidelity(make_pair):
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x,
    )

    for size in ((64, 64), (299, 299), (512, 301)):
        image = make_pair(*size).target
        expected = interpolate_bilinear_2d_like_tensorflow1x(
            torch.tensor(image).permute(2, 0, 1)[None].float(), (299, 299), align_corners=False
        )
        found = tf1_bilinear(image, 299)
        assert np.array_equal(found, expected[0].permute(1, 2, 0).numpy()), "to the last bit"


def test_clean_resize_equals_clean_fid(make_pair):
    resize = pytest.importorskip("cleanfid.resize", reason="clean-fid is not installed")
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 32:] = 255
    images = [edge, make_pair(512, 400).target, make_pair(299, 299).target]
    for image in images:
        expected = resize.build_resizer("clean")(image)
        assert np.array_equal(pillow_bicubic(image, 299), expected), "to the last bit"
    assert (pillow_bicubic(edge, 299).min(), pillow_bicubic(edge, 299).max()) == (0, 255)


def test_clean_resize_is_antialiased_bicubic(make_pair):
    from torch.nn.functional import interpolate

    image = make_pair(512, 400).target
    expected = interpolate(
        torch.tensor(image).permute(2, 0, 1)[None].float(),
        (299, 299),
        mode="bicubic",
        antialias=True,
        align_corners=False,
    )
    expected = expected[0].permute(1, 2, 0).clip(0, 255).numpy()
    assert np.abs(pillow_bicubic(image, 299) - expected).max() < 1e-3


@pytest.mark.parametrize(("n", "m"), [(20, 20), (150, 97), (60, 400)])
def test_fid_equals_torch_fidelity(n, m):
    x, y = _features(0, n), _features(1, m, shift=0.1)
    assert frechet_distance(x, y) == pytest.approx(_reference_fid(x, y), rel=1e-5)


def test_fid_is_right_to_thirty_digits_where_the_matrix_root_is_not():
    """Close sets with n < d: the product of covariances is singular and its root uncertain."""
    from mpmath import mp

    x = _features(0, 24)
    y = (x + np.random.default_rng(1).normal(0, 0.02, x.shape)).astype(np.float32)
    a, b = (f.astype(np.float64) - f.mean(axis=0, dtype=np.float64) for f in (x, y))
    mp.dps = 30
    roots = mp.svd_r(mp.matrix(a.tolist()) * mp.matrix(b.T.tolist()), compute_uv=False)
    means = x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)
    traces = (np.square(a).sum() + np.square(b).sum() - 2 * float(sum(roots))) / (len(x) - 1)
    exact = float(means @ means) + traces
    assert frechet_distance(x, y) == pytest.approx(exact, rel=1e-10)
    assert _reference_fid(x, y) == pytest.approx(exact, rel=1e-3)


def test_fid_marks_small_sets_and_stands_beside_its_floor():
    x, y = _features(0, 40), _features(1, 40, shift=0.2)
    score = FID().compute(_state(x, y))
    assert score.value == pytest.approx(_reference_fid(x, y), rel=1e-5)
    assert score.notes[0] == "biased: n=40 < 2048"
    assert score.details["floor"] == pytest.approx(_reference_fid(y[0::2], y[1::2]), rel=1e-5)
    assert "floor" in score.notes[1]


@pytest.mark.parametrize("metric", [FID(), FIDClean(), KID(), KIDMarginal(), Precision(), Recall()])
def test_too_few_pairs_have_a_reason_instead_of_a_number(metric):
    score = metric.compute(_state(_features(0, 1), _features(1, 1)))
    assert score.value is None
    assert "at least" in score.unavailable


def test_kid_equals_torch_fidelity_on_all_pairs():
    x, y = _features(0, 50), _features(1, 50, shift=0.3)
    expected = kid_features_to_metric(
        torch.tensor(x), torch.tensor(y), kid_subsets=1, kid_subset_size=50, verbose=False
    )["kernel_inception_distance_mean"]
    score = KID().compute(_state(x, y))
    assert score.value == pytest.approx(expected, rel=1e-5)
    assert dict(score.settings) == {"subset": "50", "subsets": "1"}
    assert score.ci95 is None, "pairing moves it, so no interval holds"


def test_kid_equals_torch_fidelity_on_random_subsets():
    x, y = _features(0, 50), _features(1, 50, shift=0.3)
    expected = kid_features_to_metric(
        torch.tensor(x), torch.tensor(y), kid_subsets=10, kid_subset_size=30, verbose=False
    )["kernel_inception_distance_mean"]
    score = KID(KIDSettings(subset=30, subsets=10)).compute(_state(x, y))
    assert score.value == pytest.approx(expected, rel=1e-5)
    assert dict(score.settings) == {"subset": "30", "subsets": "10", "seed": "2020"}


def test_kids_of_other_random_subsets_have_other_signatures():
    """Only where subsets are drawn: one estimate over all pairs depends on no seed."""
    state = _state(_features(0, 60), _features(1, 60, shift=0.3))
    drawn, whole = (
        [KID(KIDSettings(subset=n, subsets=5, seed=seed)).compute(state) for seed in (1, 2)]
        for n in (20, 60)
    )
    assert drawn[0].value != drawn[1].value and drawn[0].settings != drawn[1].settings
    assert whole[0].value == whole[1].value and whole[0].settings == whole[1].settings


def test_kid_is_unbiased_where_fid_is_not():
    """On two samples of one distribution KID averages to zero, FID does not."""
    kid, fid = [], []
    for seed in range(30):
        state = _state(_features(2 * seed, 40), _features(2 * seed + 1, 40))
        kid.append(KID().compute(state).value)
        fid.append(FID().compute(state).value)
    assert abs(np.mean(kid)) < 4 * np.std(kid) / 30**0.5
    assert np.mean(fid) > 10 * np.std(fid) / 30**0.5


def test_precision_and_recall_equal_torch_fidelity():
    x, y = _features(0, 80), _features(1, 80, shift=0.05)
    expected = prc_features_to_metric(
        torch.tensor(x), torch.tensor(y), prc_neighborhood=3, save_cpu_ram=False, verbose=False
    )
    assert 0 < expected["precision"] < 1
    state = _state(x, y)
    assert Precision().compute(state).value == pytest.approx(expected["precision"], abs=1e-6)
    assert Recall().compute(state).value == pytest.approx(expected["recall"], abs=1e-6)


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_precision_and_recall_of_few_pairs_are_unavailable(name):
    """Of two equal distributions they fall from 1 as pairs are added; not much from 64 on."""
    found = {}
    for n in (4, 64, 512):
        sets = [np.random.default_rng([n, s]).normal(size=(2, n, 32)) for s in range(256 // n + 2)]
        found[n] = np.mean([covered_share(*both.astype(np.float32), 3) for both in sets])
    assert found[4] > 0.95
    assert found[64] - found[512] < 0.1 < found[4] - found[64]
    metric = build_metric(name)
    assert "64 pairs" in metric.compute(_state(_features(0, 63), _features(1, 63))).unavailable
    assert metric.compute(_state(_features(0, 64), _features(1, 64))).value is not None
    farther = build_metric(name, {"neighbour": 5})
    assert "107 pairs" in farther.compute(_state(_features(0, 64), _features(1, 64))).unavailable


@settings(max_examples=25, deadline=None)
@given(n=st.integers(64, 80), seed=st.integers(0, 10**6), cut=st.integers(1, 4))
def test_laws_of_distribution_metrics(n, seed, cut):
    x, y = _features(seed, n, width=16), _features(seed + 1, n, shift=0.1, width=16)
    whole = _state(x, y)
    ids = list(whole.pairs)
    shards = [FeatureState({i: whole.pairs[i] for i in part}) for part in (ids[cut:], ids[:cut])]
    for metric in (FID(), KID(), KIDMarginal(), Precision(), Recall()):
        merged = metric.merge(*shards)
        assert metric.compute(merged).value == pytest.approx(metric.compute(whole).value, abs=1e-9)
    assert FID().compute(_state(x, x)).value == pytest.approx(0, abs=1e-6)
    assert KID().compute(_state(x, x)).value <= 1e-12, "unbiased: at most zero on equal sets"
    assert Precision().compute(_state(x, x)).value == 1
    assert covered_share(x.astype(float), x.astype(float), 3) == 1
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-9)


def test_a_pair_in_both_shards_is_refused():
    state = _state(_features(0, 3), _features(1, 3))
    with pytest.raises(DataError, match="pair 000000 is in both"):
        FID().merge(state, state)


def test_other_weights_are_refused_by_what_is_missing():
    with pytest.raises(DataError, match="Inception weights"):
        Inception({"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 3, 3)})


def test_large_sets_give_the_distance_of_the_small_ones_way(monkeypatch):
    x, y = _features(0, 1100, width=1200), _features(1, 1050, shift=0.1, width=1200)
    found = frechet_distance(x, list(y))
    monkeypatch.setattr("i2ibench.metrics.distribution._LARGE", 1 << 30)
    assert found == pytest.approx(frechet_distance(x, y), rel=1e-10)
