"""Masks of the DAB stain: the published code's numbers, and what follows from their definitions."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from factories import stained
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.spatial.distance import cdist
from skimage.color import rgb2hed

from i2ibench.metrics.interface import PairImages, build_metric
from i2ibench.metrics.stain_masks import counts_of, dab_mask, masks_of

MEASURES = ("dice", "iou", "tpr", "tnr", "hd95", "asd")
EMPTY, FULL = np.zeros((9, 9), np.uint8), np.ones((9, 9), np.uint8)


def _score(measure, pair, **chosen):
    return build_metric(f"dab-{measure}", chosen).score_pair(pair)


def _pair_of_masks(prediction, target):
    """A pair whose images have these masks: what reads the images finds them at hand."""
    image = np.zeros((*target.shape, 3), np.uint8)
    pair = PairImages("x", image, image)
    pair.once(lambda _: (prediction, target), masks_of)
    return pair


def test_masks_have_as_many_pixels_as_those_of_the_published_code(thumbnails):
    assert len(thumbnails) == 24
    for pair, facts in thumbnails:
        _, predicted, positive, _ = counts_of(pair)
        known = (facts["positive_prediction_px"], facts["positive_target_px"])
        assert (predicted, positive) == known, pair.id


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_equal_those_of_the_published_code(thumbnails, measure):
    for pair, facts in thumbnails:
        expected = facts.get(measure, math.nan)
        found = _score(measure, pair)
        assert found == pytest.approx(expected, abs=1e-6, nan_ok=True), pair.id


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), amount=st.floats(0.2, 0.6))
def test_a_mask_is_what_scikit_image_and_opencv_make_of_an_image(seed, amount):
    image = stained(np.random.default_rng(seed), amount, 40)
    mask = (rgb2hed(image)[:, :, 2] > 0.07).astype(np.uint8)
    for _ in range(2):
        mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    for _ in range(2):
        mask = cv2.erode(mask, np.ones((3, 3), np.uint8))
    assert np.array_equal(dab_mask(image), cv2.medianBlur(mask, 5))


@st.composite
def masks(draw):
    """Two blobs, or noise, of one shape; never empty."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(6, 30), st.integers(6, 30)))
    sigma = draw(st.sampled_from([0.1, 2.0]))
    fields = [cv2.GaussianBlur(random.normal(size=shape), (0, 0), sigma) for _ in range(2)]
    return tuple((field >= np.quantile(field, 0.7)).astype(np.uint8) for field in fields)


@settings(max_examples=40, deadline=None)
@given(pair=masks())
def test_overlaps_are_those_of_sets_of_pixels(pair):
    p, t = ({*zip(*np.nonzero(mask), strict=True)} for mask in pair)
    every = {*np.ndindex(pair[0].shape)}
    images = _pair_of_masks(*pair)
    assert _score("dice", images) == pytest.approx(2 * len(p & t) / (len(p) + len(t)), abs=1e-12)
    assert _score("iou", images) == pytest.approx(len(p & t) / len(p | t), abs=1e-12)
    assert _score("tpr", images) == pytest.approx(len(p & t) / len(t), abs=1e-12)
    assert _score("tnr", images) == pytest.approx(
        len((every - p) & (every - t)) / len(every - t), abs=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(pair=masks())
def test_distances_are_those_of_every_pixel_of_one_surface_to_every_one_of_the_other(pair):
    p, t = (np.argwhere(mask & ~binary_erosion(mask)) for mask in pair)
    apart = cdist(p, t)
    both = [*apart.min(axis=1), *apart.min(axis=0)]
    images = _pair_of_masks(*pair)
    assert _score("asd", images) == pytest.approx(apart.min(axis=1).mean(), abs=1e-9)
    assert _score("hd95", images) == pytest.approx(np.percentile(both, 95), abs=1e-9)


def test_distances_on_images_of_usual_size_lose_nothing_to_float32():
    prediction, target = np.zeros((2, 1024, 1024), np.uint8)
    prediction[::7, 990:] = 1
    target[3:9, 2:11] = 1
    pair = _pair_of_masks(prediction, target)
    surface = target & ~binary_erosion(target)
    distances = distance_transform_edt(surface == 0)[prediction > 0]
    assert _score("asd", pair) == pytest.approx(distances.mean(), abs=1e-9)


def _tolerant(prediction, target, radius):
    """The tolerant Dice from the distance of every pixel to every other."""
    apart = cdist(np.argwhere(prediction), np.argwhere(target))
    precision, recall = (apart.min(axis=1) <= radius).mean(), (apart.min(axis=0) <= radius).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0


@settings(max_examples=40, deadline=None)
@given(pair=masks(), radius=st.integers(0, 14))
def test_the_tolerant_dice_counts_pixels_within_the_radius(pair, radius):
    images, mirrored = _pair_of_masks(*pair), _pair_of_masks(*pair[::-1])
    found = _score("dice-tolerant", images, radius=radius)
    assert found == pytest.approx(_tolerant(*pair, radius), abs=1e-12)
    assert _score("dice-tolerant", mirrored, radius=radius) == pytest.approx(found, abs=1e-12)
    assert found <= _score("dice-tolerant", images, radius=radius + 1) + 1e-12
    strict = _score("dice-tolerant", images, radius=0)
    assert strict == pytest.approx(_score("dice", images), abs=1e-12)


def test_a_shift_within_the_tolerance_costs_nothing_and_one_beyond_it_does():
    target = np.zeros((64, 64), np.uint8)
    target[10:20, 10:20] = 1
    pairs = {shift: _pair_of_masks(np.roll(target, shift, axis=1), target) for shift in (12, 30)}
    assert _score("dice", pairs[12]) == 0
    assert _score("dice-tolerant", pairs[12]) == 1
    assert _score("dice-tolerant", pairs[30]) == 0


NAN = math.nan


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        (EMPTY, EMPTY, dict.fromkeys(MEASURES, NAN) | {"tnr": 1, "dice-tolerant": NAN}),
        (FULL, EMPTY, dict.fromkeys(MEASURES, NAN) | {"tnr": 0, "dice-tolerant": NAN}),
        (
            EMPTY,
            FULL,
            dict.fromkeys(("dice", "iou", "tpr", "dice-tolerant"), 0)
            | dict.fromkeys(("tnr", "hd95", "asd"), NAN),
        ),
        (
            FULL,
            FULL,
            dict.fromkeys(("dice", "iou", "tpr", "dice-tolerant"), 1)
            | {"tnr": NAN, "hd95": 0, "asd": 0},
        ),
    ],
)
def test_what_an_empty_or_a_full_mask_leaves_undefined(prediction, target, expected):
    pair = _pair_of_masks(prediction, target)
    found = {measure: _score(measure, pair) for measure in expected}
    assert found == pytest.approx(expected, nan_ok=True)
    for measure, value in found.items():
        assert not math.isnan(value) or build_metric(f"dab-{measure}").undefined_means


def test_an_unstained_prediction_has_no_overlap_with_a_stained_target():
    """Copying the source must not tie with staining: only the guard cannot tell them apart."""
    draw = np.random.default_rng(0)
    target, white = stained(draw, 0.6, 64), np.full((64, 64, 3), 240, np.uint8)
    copied, right = (PairImages("x", image, target) for image in (white, target.copy()))
    for measure in ("dice", "iou", "tpr", "dice-tolerant"):
        assert (_score(measure, copied), _score(measure, right)) == (0, 1)
    assert _score("tnr", copied) == 1


def test_predictions_of_one_target_share_its_mask_and_change_nothing():
    draw = np.random.default_rng(1)
    target, *made = (stained(draw, amount, 64) for amount in (0.45, 0.3, 0.6))
    alone = [PairImages("x", each, target) for each in made]
    first = PairImages("x", made[0], target)
    together = [first, first.beside(made[1])]
    for measure in (*MEASURES, "dice-tolerant"):
        scores = [[_score(measure, pair) for pair in pairs] for pairs in (alone, together)]
        assert scores[0] == pytest.approx(scores[1], nan_ok=True)
