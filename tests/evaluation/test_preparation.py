"""Preparation equals what the official test path does through torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import (
    InterpolationMode,
    center_crop,
    normalize,
    resize,
    to_tensor,
)

from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError
from i2ibench.models.policy import InferencePolicy
from i2ibench.translation.translate_image import quantize

OFFICIAL = Preparation(scale_width=320, centre_crop=256)


def _image(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_official_resize_and_crop_equal_torchvision():
    image = _image(1024, 1024)
    reference = resize(Image.fromarray(image), [320, 320], InterpolationMode.BICUBIC)
    expected = np.asarray(reference)[32:288, 32:288]
    assert np.array_equal(OFFICIAL.apply(image), expected)
    assert np.array_equal(np.asarray(center_crop(reference, [256, 256])), expected)


@pytest.mark.parametrize("size", [(1024, 1024), (600, 1200), (333, 500), (320, 320), (900, 320)])
def test_the_announced_size_is_the_real_one(size):
    prepared = OFFICIAL.apply(_image(*size))
    assert (prepared.shape[1], prepared.shape[0]) == OFFICIAL.size(size[1], size[0])
    assert prepared.shape == (256, 256, 3)


def test_native_images_pass_untouched():
    image = _image(50, 60)
    assert Preparation().apply(image) is image
    assert Preparation().is_native


def test_targets_pass_the_official_conversion_at_every_grey_level():
    """ToTensor, Normalize and tensor2im of the official code, with torchvision and written out."""
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    converted = Preparation(target_conversion="official-float").apply_target(levels)
    tensor = normalize(to_tensor(Image.fromarray(levels)), (0.5,) * 3, (0.5,) * 3).numpy()
    assert tensor.dtype == np.float32
    official = ((np.transpose(tensor, (1, 2, 0)) + 1) / 2.0 * 255.0).astype(np.uint8)
    assert np.array_equal(converted, official)
    lost = levels.astype(int) - converted
    assert np.array_equal(np.unique(levels[lost == 1]), np.arange(1, 64))
    assert lost.sum() == 3 * 63
    policy = InferencePolicy(quantization="truncate")
    assert np.array_equal(quantize(torch.tensor(tensor), policy), official), "predictions alike"


def test_the_conversion_is_of_targets_alone_after_the_resize():
    image = _image(640, 640) // 4
    both = OFFICIAL.model_copy(update={"target_conversion": "official-float"})
    assert np.array_equal(both.apply(image), OFFICIAL.apply(image))
    levels = Preparation(target_conversion="official-float")
    assert np.array_equal(both.apply_target(image), levels.apply_target(OFFICIAL.apply(image)))
    assert OFFICIAL.apply_target(image).tolist() == OFFICIAL.apply(image).tolist()
    assert "target_conversion" not in OFFICIAL.model_dump(), "older hashes and manifests stay"


def test_an_image_below_the_crop_is_refused():
    with pytest.raises(DataError, match="60 x 50 is smaller than the protocol's crop of 256"):
        Preparation(centre_crop=256).apply(_image(50, 60))
