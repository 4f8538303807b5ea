"""Closed-form methods against independent computations of the same thing."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb_from_hdx

from i2ibench.errors import DataError, UsageError
from i2ibench.models.closed_form import (
    BlurredTarget,
    BlurredTargetConfig,
    CopySource,
    FittedModel,
    MeanColour,
)
from i2ibench.models.colour_transfer import Macenko, Reinhard
from i2ibench.models.interface import ModelConfig, build_model

# The published optical densities of hematoxylin and DAB, as scikit-image holds them.
STAINS = rgb_from_hdx[:2] / np.linalg.norm(rgb_from_hdx[:2], axis=1, keepdims=True)

FITTED = [MeanColour, Reinhard, Macenko]


def _images(count: int, size: int = 24, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(20, 236, (size, size, 3), dtype=np.uint8) for _ in range(count)]


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1


def _uint8(tensor: torch.Tensor) -> np.ndarray:
    return ((tensor[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()


def _stained(seed: int) -> np.ndarray:
    """Draw hematoxylin and DAB by Beer and Lambert's law, some pixels with one of them only."""
    hematoxylin, dab = np.random.default_rng(seed).uniform(0.25, 0.9, (2, 96, 96))
    hematoxylin[::8], dab[4::8] = 0, 0
    density = hematoxylin[..., None] * STAINS[0] + dab[..., None] * STAINS[1]
    return (255 * 10**-density).round().astype(np.uint8)


def test_copy_source_returns_the_source() -> None:
    source = torch.rand(2, 3, 8, 8)
    assert torch.equal(CopySource(ModelConfig()).translate(source), source)


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_mean_colour_is_the_mean_of_all_target_pixels(count: int, seed: int) -> None:
    targets = _images(count, 8, seed)
    model = MeanColour(ModelConfig())
    model.fit((target, target) for target in targets)
    expected = np.mean(np.concatenate([t.reshape(-1, 3) for t in targets]), axis=0) / 127.5 - 1
    predicted = model.translate(torch.zeros(2, 3, 4, 5))
    assert predicted.shape == (2, 3, 4, 5)
    np.testing.assert_allclose(predicted[1, :, 3, 4], expected, atol=1e-6)


def test_reinhard_gives_the_source_the_colour_statistics_of_the_target() -> None:
    source, target = _images(2)
    model = Reinhard(ModelConfig())
    model.fit([(source, target)])
    moved = (model.translate(_tensor(source))[0].permute(1, 2, 0).double().numpy() + 1) / 2

    def lab(rgb: np.ndarray) -> np.ndarray:  # Reinhard et al. 2001, written out
        l_, m, s = np.log10(
            np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
            @ np.maximum(rgb.reshape(-1, 3).T, 0.5 / 255)
        )
        parts = ((l_ + m + s) / 3**0.5, (l_ + m - 2 * s) / 6**0.5, (l_ - m) / 2**0.5)
        return np.stack(parts, axis=1)

    inside = ((moved > 0) & (moved < 1)).all()
    assert inside, "the example must not clip, or the statistics cannot be equal"
    np.testing.assert_allclose(lab(moved).mean(0), lab(target / 255).mean(0), atol=1e-4)
    np.testing.assert_allclose(lab(moved).std(0), lab(target / 255).std(0), atol=1e-4)


def test_macenko_finds_the_stains_an_image_was_made_of() -> None:
    image = _stained(0)
    model = Macenko(ModelConfig())
    model.fit([(image, image)])
    cosines = (model.target_stains.numpy() * STAINS).sum(axis=1)
    assert (cosines > np.cos(np.deg2rad(3))).all(), f"off by {np.rad2deg(np.arccos(cosines))}"


def test_macenko_leaves_images_of_the_training_colours_nearly_as_they_are() -> None:
    image = _stained(1)
    model = Macenko(ModelConfig())
    model.fit([(image, image)])
    moved = _uint8(model.translate(_tensor(image)))
    assert np.abs(moved.astype(int) - image).mean() < 2


@pytest.mark.parametrize("model_class", FITTED)
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_flat_images_stay_finite(model_class: type[FittedModel], grey: int) -> None:
    flat = np.full((16, 16, 3), grey, dtype=np.uint8)
    model = model_class(ModelConfig())
    model.fit([(flat, flat), *zip(_images(2, 16), _images(2, 16, 1), strict=True)])
    predicted = model.translate(_tensor(flat))
    assert predicted.isfinite().all()
    assert predicted.abs().max() <= 1


@pytest.mark.parametrize("model_class", FITTED)
def test_a_fit_to_flat_images_alone_stays_finite(model_class: type[FittedModel]) -> None:
    flat = np.full((16, 16, 3), 255, dtype=np.uint8)
    model = model_class(ModelConfig())
    model.fit([(flat, flat)])
    assert model.translate(_tensor(_images(1, 16)[0])).isfinite().all()


@pytest.mark.parametrize("model_class", FITTED)
def test_the_state_dict_holds_the_whole_fit(model_class: type[FittedModel]) -> None:
    model, loaded = model_class(ModelConfig()), model_class(ModelConfig())
    model.fit(zip(_images(3), _images(3, seed=9), strict=True))
    loaded.load_state_dict(model.state_dict())
    source = _tensor(_images(1, seed=5)[0])
    assert torch.equal(loaded.translate(source), model.translate(source))


@pytest.mark.parametrize("model_class", FITTED)
def test_a_batch_is_translated_image_by_image(model_class: type[FittedModel]) -> None:
    model = model_class(ModelConfig())
    model.fit(zip(_images(3), _images(3, seed=9), strict=True))
    batch = torch.cat([_tensor(image) for image in _images(3, seed=4)])
    alone = torch.cat([model.translate(image[None]) for image in batch])
    torch.testing.assert_close(model.translate(batch), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("model_class", FITTED)
def test_a_model_without_fit_or_pairs_is_refused(model_class: type[FittedModel]) -> None:
    model = model_class(ModelConfig())
    with pytest.raises(UsageError, match="has not been fitted"):
        model.translate(torch.zeros(1, 3, 8, 8))
    with pytest.raises(DataError, match="no pairs"):
        model.fit([])
    assert not bool(model.fitted)


def test_mixed_precision_of_the_caller_does_not_reach_the_statistics() -> None:
    model = Reinhard(ModelConfig())
    model.fit(zip(_images(2), _images(2, seed=3), strict=True))
    source = _tensor(_images(1, seed=8)[0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model.translate(source)
    assert torch.equal(mixed, model.translate(source))


def test_blurred_target_equals_scipys_gaussian() -> None:
    target = _images(1, 40)[0]
    model = BlurredTarget(BlurredTargetConfig(sigma=3))
    blurred = model.translate_with_target(_tensor(target), _tensor(target))[0].numpy()
    unit = target.transpose(2, 0, 1) / 127.5 - 1
    expected = [
        scipy.ndimage.gaussian_filter(channel, 3, mode="nearest", truncate=3) for channel in unit
    ]
    np.testing.assert_allclose(blurred, np.stack(expected), atol=1e-5)


def test_an_oracle_says_that_it_needs_the_target() -> None:
    model = build_model("blurred-target")
    assert model.uses_target
    with pytest.raises(UsageError, match="oracle"):
        model.translate(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", ["copy", "mean-colour", "reinhard", "macenko", "blurred-target"])
def test_every_closed_form_model_is_registered(name: str) -> None:
    assert build_model(name).config is not None
