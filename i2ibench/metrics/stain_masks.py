"""Where the DAB stain is: overlap and distance of the positive areas of prediction and target.

The mask is that of arXiv:2511.04615: scikit-image's ``hed`` DAB channel above 0.07, closed with a
3x3 square (two dilations, then two erosions), then a median filter of 5 px. Where a measure is
undefined, because a mask is empty, the pair is left out and counted; the published code counts it
as 0, which makes distances look better and overlaps worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.interface import MetricSettings, PairImages, PairMetric, Signature
from i2ibench.metrics.pair_images import UInt8Image
from i2ibench.metrics.stain import DECADES, DECONVOLUTION, SKIMAGE_FLOOR, dab_density

Mask = npt.NDArray[np.uint8]  # (H, W), 0 or 1
Float64 = npt.NDArray[np.float64]

_THRESHOLD = 0.07  # in scikit-image's unit, a sixth of a decade
_SQUARE = np.ones((3, 3), np.uint8)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_ROWS = 128


class _MaskMetric(PairMetric):
    """What the metrics of the mask share; higher is better in the range 0 to 1 unless said."""

    better: ClassVar[Literal["higher", "lower"] | None] = "higher"
    range = (0.0, 1.0)
    digits = 4
    undefined_means = "targets have no positive area"
    # What follows the definition of the mask in the signature.
    _settings: ClassVar[tuple[str, ...]] = ()

    def signature(self) -> Signature:
        """Return ``NAME|deconvolution:skimage-hed|floor:1e-6|mask:hed-dab-above-0.07|...``."""
        return self._signature(*_MASK, *self._settings, ("mean", "image"))


class DABDice(_MaskMetric):
    """Dice coefficient of the DAB-positive areas of one pair, mean over pairs.

    ``2 |P and T| / (|P| + |T|)`` of the masks P of the prediction and T of the target
    (arXiv:2511.04615). Undefined where T is empty. Sensitive to the offset of adjacent sections:
    see ``dab-dice-tolerant``.
    """

    name = "dab-dice"
    trap = "Punishes the offset of adjacent sections; read dab-dice-tolerant beside it."
    title = "DAB-Dice"
    position = 302

    def score_pair(self, pair: PairImages) -> float:
        """Return the coefficient in [0, 1], or NaN."""
        both, predicted, positive, _ = pair.once(counts_of)
        return 2 * both / (predicted + positive) if positive else math.nan


class DABIoU(_MaskMetric):
    """Intersection over union of the DAB-positive areas of one pair, mean over pairs.

    Masks as in arXiv:2511.04615. Undefined where the target's mask is empty.
    """

    name = "dab-iou"
    trap = "Punishes the offset of adjacent sections; read dab-dice-tolerant beside it."
    title = "DAB-IoU"
    position = 303

    def score_pair(self, pair: PairImages) -> float:
        """Return the ratio in [0, 1], or NaN."""
        both, predicted, positive, _ = pair.once(counts_of)
        return both / (predicted + positive - both) if positive else math.nan


class DABSensitivity(_MaskMetric):
    """Share of the target's DAB-positive pixels that are positive in the prediction.

    Sensitivity, or true positive rate, of the masks of arXiv:2511.04615; mean over pairs. Undefined
    where the target's mask is empty.
    """

    name = "dab-tpr"
    title = "DAB-TPR"
    position = 304
    # A method that stains less than a hundredth of what is stained has translated nothing.
    sign_below = (0.01, "unstained")

    def score_pair(self, pair: PairImages) -> float:
        """Return the share in [0, 1], or NaN."""
        both, _, positive, _ = pair.once(counts_of)
        return both / positive if positive else math.nan


class DABSpecificity(_MaskMetric):
    """Share of the target's DAB-negative pixels that are negative in the prediction.

    Specificity, or true negative rate, of the masks of arXiv:2511.04615; mean over pairs. It guards
    unstained targets, on which the overlaps are undefined. A prediction without stain always has 1,
    so it is read beside an overlap, never alone. Undefined where the target is positive everywhere.
    """

    name = "dab-tnr"
    trap = "Never alone: an image without any stain has 1."
    title = "DAB-TNR"
    position = 305
    undefined_means = "targets are positive everywhere"
    # The tolerant overlap forgives stain that lies anywhere near the right place: whoever paints a
    # tenth of what is unstained may score high there.
    sign_below = (0.9, "overstained")

    def score_pair(self, pair: PairImages) -> float:
        """Return the share in [0, 1], or NaN."""
        both, predicted, positive, pixels = pair.once(counts_of)
        negative = pixels - positive
        return (negative - (predicted - both)) / negative if negative else math.nan


class _SurfaceMetric(_MaskMetric):
    """What the distances of surfaces share: in pixels, lower is better."""

    unit = "px"
    better = "lower"
    digits = 2
    undefined_means = "pairs have no positive area in prediction or target"


class DABHausdorff95(_SurfaceMetric):
    """95th percentile of the distances between the surfaces of the DAB masks, mean over pairs.

    Over the distances from each surface pixel of the prediction's mask to the target's surface and
    back, as in MedPy's ``hd95`` (arXiv:2511.04615). In pixels of the images that are compared; a
    surface pixel has a neighbour across an edge, or the border of the image, that is not positive.
    Undefined where one of the masks is empty.
    """

    name = "dab-hd95"
    trap = (
        "Undefined where a mask is empty: read it with the number of pairs; a prediction "
        "without stain has none."
    )
    range = (0.0, math.inf)
    title = "DAB-HD95"
    position = 306

    def score_pair(self, pair: PairImages) -> float:
        """Return the distance in pixels, or NaN."""
        there, back = pair.once(surface_distances)
        both = np.concatenate([there, back])
        return float(np.percentile(both, 95)) if len(there) else math.nan


class DABSurfaceDistance(_SurfaceMetric):
    """Mean distance from the surface of the prediction's DAB mask to the target's, over pairs.

    One-sided, from prediction to target, as in MedPy's ``asd`` (arXiv:2511.04615): what the
    prediction leaves unstained costs nothing here. In pixels. Undefined where one of the masks is
    empty.
    """

    name = "dab-asd"
    trap = (
        "Undefined where a mask is empty: read it with the number of pairs; a prediction "
        "without stain has none."
    )
    range = (0.0, math.inf)
    title = "DAB-ASD"
    position = 307
    _settings = ("from-prediction",)

    def score_pair(self, pair: PairImages) -> float:
        """Return the distance in pixels, or NaN."""
        there, _ = pair.once(surface_distances)
        return float(there.mean()) if len(there) else math.nan


class TolerantDiceSettings(MetricSettings):
    """Settings: the ``radius`` in pixels within which a positive pixel is found, 0 to 100."""

    radius: int = pydantic.Field(default=12, ge=0, le=100)


class TolerantDice(_MaskMetric):
    """Dice coefficient of the DAB-positive areas with a tolerance in pixels, for adjacent sections.

    Precision P is the share of the prediction's positive pixels within ``radius`` (Euclidean) of a
    positive pixel of the target, recall R the share of the target's within it of a positive pixel
    of the prediction; the score is ``2 P R / (P + R)``, 0 where both are 0 or the prediction has no
    positive pixel. Equals ``dab-dice`` at radius 0, never falls as the radius grows, and is
    symmetric. Masks as in arXiv:2511.04615. Undefined where the target's mask is empty. The macro
    mean is over the groups with at least 16 defined pairs.
    """

    name = "dab-dice-tolerant"
    title = "DAB-Dice (tolerant)"
    position = 301
    least_pairs_of_group = 16
    Settings = TolerantDiceSettings

    def signature(self) -> Signature:
        """Return the definition of the mask with ``radius:12|mean:image``."""
        return self._signature(*_MASK, ("radius", self.settings.radius), ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the coefficient in [0, 1], or NaN."""
        radius = self.settings.radius
        prediction, target = pair.once(masks_of)
        _, predicted, positive, _ = pair.once(counts_of)
        if not positive or not predicted:
            return 0.0 if positive else math.nan
        near_target = pair.once_of_target(
            lambda image: dilated(target, radius), ("dab-mask dilated", radius)
        )
        precision = cv2.countNonZero(prediction & near_target) / predicted
        recall = cv2.countNonZero(target & dilated(prediction, radius)) / positive
        total = precision + recall
        return 2 * precision * recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class _Surface:
    """The surface of a mask: its pixels, and of every pixel the distance to the nearest of them."""

    pixels: npt.NDArray[np.bool_]
    distance: npt.NDArray[np.float32]


def masks_of(pair: PairImages) -> tuple[Mask, Mask]:
    """Return the masks of prediction and target."""
    return dab_mask(pair.prediction), pair.once_of_target(dab_mask)


def counts_of(pair: PairImages) -> tuple[int, int, int, int]:
    """Return the pixels that are positive in both, in the prediction, in the target, and all."""
    prediction, target = pair.once(masks_of)
    both = cv2.countNonZero(prediction & target)
    return both, cv2.countNonZero(prediction), cv2.countNonZero(target), target.size


def surface_distances(pair: PairImages) -> tuple[Float64, Float64]:
    """Return the distances in pixels from prediction's to target's surface pixels, and back.

    Both are empty where one of the masks is.
    """
    prediction, target = pair.once(masks_of)
    if not prediction.any() or not target.any():
        return np.empty(0), np.empty(0)
    mine = _surface(prediction)
    theirs = pair.once_of_target(lambda image: _surface(target), "dab-mask surface")
    return _whole(theirs.distance[mine.pixels]), _whole(mine.distance[theirs.pixels])


def dab_mask(image: UInt8Image) -> Mask:
    """Return the DAB-positive pixels (H, W) of uint8 RGB (H, W, 3) as in arXiv:2511.04615."""
    positive = np.empty(image.shape[:2], np.uint8)
    for top in range(0, len(image), _ROWS):
        density = dab_density(image[top : top + _ROWS], SKIMAGE_FLOOR)
        positive[top : top + _ROWS] = density > _THRESHOLD * DECADES
    closed = cv2.erode(cv2.dilate(positive, _SQUARE, iterations=2), _SQUARE, iterations=2)
    mask: Mask = cv2.medianBlur(closed, 5)
    return mask


def dilated(mask: Mask, radius: int) -> Mask:
    """Return the pixels within ``radius`` (Euclidean) of a pixel of ``mask``; both (H, W)."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    grown: Mask = cv2.dilate(mask, (x * x + y * y <= radius * radius).astype(np.uint8))
    return grown


def _surface(mask: Mask) -> _Surface:
    inner = cv2.erode(mask, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    pixels = mask > inner
    distance = cv2.distanceTransform((~pixels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return _Surface(pixels, distance)


def _whole(distances: npt.NDArray[np.float32]) -> Float64:
    """Return distances without the rounding of float32: their squares are whole numbers.

    Exact to 2000 px, and beyond to 0.001 px.
    """
    return np.sqrt(np.rint(distances.astype(np.float64) ** 2))


_MASK = (
    *DECONVOLUTION[:1],
    ("floor", "1e-6"),
    ("mask", f"hed-dab-above-{_THRESHOLD}"),
    ("closed", "3x3-twice"),
    ("median", "5"),
)
