"""Preparation equals what the official test path does through torchvision."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms.functional import InterpolationMode, center_crop, resize

from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError

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


def test_an_image_below_the_crop_is_refused():
    with pytest.raises(DataError, match="60 x 50 is smaller than the protocol's crop of 256"):
        Preparation(centre_crop=256).apply(_image(50, 60))
