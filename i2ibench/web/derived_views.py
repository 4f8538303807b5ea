"""What an explorer shows beside the images of a pair: difference, DAB density, DAB mask outlines.

Colours have one scale for all pairs, so that two pairs can be compared by eye.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.metrics.stain import dab_density
from i2ibench.metrics.stain_masks import dab_mask

Picture = NDArray[np.uint8]  # RGB, (H, W, 3)

# A difference of this many grey levels, and more, has the last colour.
DIFFERENCE_END = 128
# So has a DAB density of this many decades. A strong 3+ membrane is near 1.
DENSITY_END = 1.5
_WHITE, _BROWN, _DARK = (255, 255, 255), (150, 90, 40), (45, 20, 5)
TARGET_LINE, PREDICTION_LINE = (0, 150, 60), (225, 20, 180)


def difference_view(prediction: Picture, target: Picture) -> Picture:
    """Return the mean absolute difference over channels, black for 0, yellow for the largest."""
    difference = cv2.absdiff(prediction, target).astype(np.float32).mean(axis=2)
    levels = np.minimum(difference * (255 / DIFFERENCE_END), 255).astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), np.uint8)


def density_view(image: Picture) -> Picture:
    """Return the DAB optical density of ``metrics.stain``, from white over brown to black."""
    levels = np.minimum(dab_density(image) * (255 / DENSITY_END), 255).astype(np.uint8)
    return np.asarray(_browns()[levels], np.uint8)


def outline_view(prediction: Picture, target: Picture, shown: int) -> Picture:
    """Return the prediction with the outlines of both DAB masks of ``metrics.stain_masks``.

    The target's is green, the prediction's is magenta.

    Args:
        prediction: RGB ``(H, W, 3)``.
        target: of the same size.
        shown: the longer side at which the picture is shown; lines are about 1 px wide there.
    """
    drawn: Picture = prediction.copy()
    width = max(1, round(max(prediction.shape[:2]) / max(1, shown)))
    for image, colour in ((target, TARGET_LINE), (prediction, PREDICTION_LINE)):
        contours, _ = cv2.findContours(dab_mask(image), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, colour, width)
    return drawn


def _browns() -> Picture:
    """Return the colour of each of 256 levels, (256, 3)."""
    places = [0, 110, 255]
    return np.stack(
        [
            np.interp(np.arange(256), places, [first, middle, last])
            for first, middle, last in zip(_WHITE, _BROWN, _DARK, strict=True)
        ],
        axis=1,
    ).astype(np.uint8)
