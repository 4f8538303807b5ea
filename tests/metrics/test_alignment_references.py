"""Alignment against scikit-image and its definitions written out in numpy: none of our helpers."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.registration import phase_cross_correlation

from i2ibench.metrics.alignment import (
    AlignmentSettings,
    PSNRAligned,
    ShiftConfidence,
    ShiftDistance,
    ShiftSettings,
    SSIMAligned,
)
from i2ibench.metrics.interface import PairImages

DRAWN_SHIFTS = [(0, 0), (5, -3), (-7, 2), (12, 9), (-20, -14)]


def _windowed(image):
    """The grey image under OpenCV's Hanning window: the root of the product of two Hann windows."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    return grey * np.sqrt(np.outer(*(np.hanning(side) for side in grey.shape)))


def _by_numpy(pair):
    """Return the shift (rows, columns) and the mass around the peak of the phase correlation.

    Both from the 5 x 5 values around the peak, the shift being their centre of mass.
    """
    prediction, target = _windowed(pair.prediction), _windowed(pair.target)
    shape = [2 * cv2.getOptimalDFTSize((side + 1) // 2) for side in target.shape]
    cross = np.conj(np.fft.fft2(prediction, shape)) * np.fft.fft2(target, shape)
    found = np.fft.fftshift(np.fft.ifft2(cross / np.abs(cross)).real)
    peak = np.unravel_index(found.argmax(), found.shape)
    rows, columns = (
        np.arange(max(0, place - 2), min(size, place + 3))
        for place, size in zip(peak, shape, strict=True)
    )
    values = found[np.ix_(rows, columns)]
    centre = (values.sum(axis=1) @ rows, values.sum(axis=0) @ columns) / values.sum()
    return centre - [size // 2 for size in shape], values.sum()


def _shifted(make_pair, dy, dx):
    scene = make_pair(200, 210, seed=3, noise=5)
    target = scene.target[40 : 40 + 120, 40 : 40 + 130]
    return PairImages("x", scene.prediction[40 - dy :, 40 - dx :][:120, :130], target)


def _thumbnails(shared):
    """Published predictions and sources of real sections, each against its target."""
    folder = shared / "data" / "bci_thumbnails"
    for path in sorted((folder / "IHC" / "test").iterdir()):
        for side in ("published_predictions", "HE"):
            images = (
                cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
                for file in (folder / side / "test" / path.name, path)
            )
            yield PairImages(f"{side}/{path.name}", *images)


def _skimage_distance(pair):
    shift, _, _ = phase_cross_correlation(
        _windowed(pair.target), _windowed(pair.prediction), upsample_factor=50
    )
    return math.hypot(*shift)


@pytest.mark.parametrize(("dy", "dx"), DRAWN_SHIFTS)
def test_drawn_shifts_equal_scikit_image_and_numpy(make_pair, dy, dx):
    pair = _shifted(make_pair, dy, dx)
    found = ShiftDistance().score_pair(pair)
    # The centre of mass is drawn to where its neighbours are; upsampling is not.
    assert found == pytest.approx(_skimage_distance(pair), abs=0.5)
    shift, mass = _by_numpy(pair)
    assert found == pytest.approx(math.hypot(*shift), abs=1e-6)
    assert ShiftConfidence().score_pair(pair) == pytest.approx(min(1, mass), abs=1e-6)


def test_real_sections_equal_scikit_image_where_confidence_is_high(shared):
    confident = 0
    for pair in _thumbnails(shared):
        shift, mass = _by_numpy(pair)
        found = ShiftConfidence().score_pair(pair)
        assert found == pytest.approx(min(1, max(0, mass)), abs=1e-6), pair.id
        if found > 0.01:
            distance = ShiftDistance(ShiftSettings(least_confidence=0)).score_pair(pair)
            assert distance == pytest.approx(math.hypot(*shift), abs=1e-3), pair.id
        if found > 0.2:
            confident += 1
            assert distance == pytest.approx(_skimage_distance(pair), abs=0.75), pair.id
    assert confident >= 6


def _moved(pair, dy, dx):
    """Return both images where prediction pixel (y - dy, x - dx) lies on target pixel (y, x)."""
    height, width = pair.target.shape[:2]
    rows = [y for y in range(height) if 0 <= y - dy < height]
    columns = [x for x in range(width) if 0 <= x - dx < width]
    moved = pair.prediction[np.ix_([y - dy for y in rows], [x - dx for x in columns])]
    return moved, pair.target[np.ix_(rows, columns)]


@pytest.mark.parametrize("size", [(130, 75), (121, 16), (45, 225)])
def test_equal_images_have_no_shift_at_any_size(make_pair, size):
    """OpenCV's own centre is half a pixel off where it pads to an odd size."""
    target = make_pair(*size).target
    pair = PairImages("x", target, target.copy())
    assert ShiftDistance().score_pair(pair) == pytest.approx(0, abs=1e-9)
    assert ShiftConfidence().score_pair(pair) == pytest.approx(1, abs=1e-9)


def _uneven(seed):
    """A pair shifted by up to 4 pixels; in two of three the light moves the shift of least error.

    In every third the prediction is a noisy copy of a target with a strong gradient.
    """
    draw = np.random.default_rng(seed)
    scene = cv2.GaussianBlur(draw.integers(0, 256, (60, 60, 3)).astype(np.float64), (0, 0), 1.5)
    target = scene[10:42, 10:46]
    dy, dx = draw.integers(-4, 5, 2)
    ramp = np.linspace(-60, 60, 36)[None, :, None] * (seed % 3)
    prediction = 0.7 * scene[10 - dy : 42 - dy, 10 - dx : 46 - dx] + ramp
    images = (np.rint(image).clip(0, 255).astype(np.uint8) for image in (prediction, target + ramp))
    return PairImages(f"{seed}", *images)


def test_aligned_scores_equal_scikit_image_at_shifts_tried_one_by_one():
    radius, winners = 5, set()
    narrow = AlignmentSettings(radius=radius)
    for seed in range(12):
        pair = _uneven(seed)
        tried = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
        errors = {shift: np.subtract(*map(np.float64, _moved(pair, *shift))) for shift in tried}
        least = min(tried, key=lambda shift: np.square(errors[shift]).mean())
        best = peak_signal_noise_ratio(*_moved(pair, *least))
        assert PSNRAligned(narrow).score_pair(pair) == pytest.approx(best, abs=1e-10)

        phase = tuple(round(float(part)) for part in _by_numpy(pair)[0])
        candidates = {"none": (0, 0), "mse": least}
        if max(map(abs, phase)) <= radius:
            candidates["phase"] = phase
        similarities = {
            name: structural_similarity(*_moved(pair, *shift), channel_axis=2)
            for name, shift in candidates.items()
        }
        winners.add(max(similarities, key=similarities.__getitem__))
        expected = max(similarities.values())
        assert SSIMAligned(narrow).score_pair(pair) == pytest.approx(expected, abs=1e-10)
    assert winners == {"none", "mse", "phase"}, "each of the three shifts is the best of some pair"
