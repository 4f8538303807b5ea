"""PSNR, MAE and the SSIM family equal scikit-image and piq, and obey their laws."""

from __future__ import annotations

import math

import numpy as np
import piq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from i2ibench.metrics.interface import PairImages
from i2ibench.metrics.pixel import MAE, PSNR
from i2ibench.metrics.structural import MSSSIM, SSIM, SSIMGaussian

SIZES = [(11, 11), (64, 64), (97, 131), (300, 40)]
GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


@pytest.mark.parametrize("size", SIZES)
def test_psnr_equals_scikit_image(make_pair, size):
    pair = make_pair(*size)
    expected = peak_signal_noise_ratio(pair.target, pair.prediction)
    assert PSNR().score_pair(pair) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("size", SIZES)
def test_mae_equals_numpy(make_pair, size):
    pair = make_pair(*size)
    expected = np.abs(pair.prediction.astype(float) - pair.target).mean()
    assert MAE().score_pair(pair) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("size", SIZES)
def test_ssim_equals_scikit_image_default(make_pair, size):
    pair = make_pair(*size)
    expected = structural_similarity(pair.prediction, pair.target, channel_axis=2)
    assert SSIM().score_pair(pair) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("size", SIZES)
def test_gaussian_ssim_equals_scikit_image(make_pair, size):
    pair = make_pair(*size)
    expected = structural_similarity(pair.prediction, pair.target, channel_axis=2, **GAUSSIAN)
    assert SSIMGaussian().score_pair(pair) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("noise", [5, 200])
def test_ssim_equals_scikit_image_on_noise_and_on_near_copies(make_pair, noise):
    pair = make_pair(70, 70, noise=noise)
    expected = structural_similarity(pair.prediction, pair.target, channel_axis=2)
    assert SSIM().score_pair(pair) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("size", [(176, 176), (208, 256)])
def test_ms_ssim_equals_piq(make_pair, size):
    pair = make_pair(*size)
    a, b = (
        torch.tensor(image).permute(2, 0, 1)[None].double()
        for image in (pair.prediction, pair.target)
    )
    expected = piq.multi_scale_ssim(a, b, data_range=255.0).item()
    assert MSSSIM().score_pair(pair) == pytest.approx(expected, abs=1e-10)


def test_ms_ssim_says_its_smallest_size():
    assert MSSSIM.minimum_size == 176


@pytest.mark.parametrize("metric", [SSIM(), SSIMGaussian(), MSSSIM()], ids=lambda m: m.name)
def test_equal_images_have_similarity_one(make_pair, metric):
    target = make_pair(176, 176).target
    assert metric.score_pair(PairImages("x", target, target.copy())) == pytest.approx(1, abs=1e-12)


def test_equal_images_have_infinite_psnr_and_no_error(make_pair):
    target = make_pair().target
    pair = PairImages("x", target, target.copy())
    assert PSNR().score_pair(pair) == math.inf
    assert MAE().score_pair(pair) == 0


def test_constant_images_do_not_divide_by_zero():
    black, white = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    assert 0 <= SSIM().score_pair(PairImages("x", black, white)) < 1e-3
    assert PSNR().score_pair(PairImages("x", black, white)) == 0


IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(11, 24), st.integers(11, 24), st.just(3)))


@settings(max_examples=60, deadline=None)
@given(image=IMAGES, seed=st.integers(0, 2**32 - 1), order=st.permutations([0, 1, 2]))
def test_laws_of_pixel_and_structural_metrics(image, seed, order):
    other = np.random.default_rng(seed).integers(0, 256, image.shape, dtype=np.uint8)
    pair, swapped = PairImages("x", image, other), PairImages("x", other, image)
    for metric in (PSNR(), MAE(), SSIM(), SSIMGaussian()):
        value = metric.score_pair(pair)
        assert value == pytest.approx(metric.score_pair(swapped), abs=1e-9), "symmetric"
        permuted = PairImages("x", image[:, :, order], other[:, :, order])
        assert value == pytest.approx(metric.score_pair(permuted), abs=1e-9), "channels"
        flipped = PairImages("x", image[::-1, ::-1], other[::-1, ::-1])
        assert value == pytest.approx(metric.score_pair(flipped), abs=1e-9), "flip"
    assert -1 <= SSIM().score_pair(pair) <= 1
    expected = structural_similarity(image, other, channel_axis=2)
    assert SSIM().score_pair(pair) == pytest.approx(expected, abs=1e-10)


def test_batches_score_as_single_pairs(make_pair):
    pairs = [make_pair(seed=seed) for seed in range(3)]
    batch = SSIM().score(
        np.stack([p.prediction for p in pairs]), np.stack([p.target for p in pairs])
    )
    assert batch.dtype == np.float64
    assert batch.tolist() == [SSIM().score_pair(p) for p in pairs]
