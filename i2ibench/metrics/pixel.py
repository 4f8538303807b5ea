"""Pixel metrics: exact integer sums over uint8, so that no rounding depends on the order."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from i2ibench.metrics.interface import PairImages, PairMetric, Signature


class PSNR(PairMetric):
    """Peak signal-to-noise ratio of one image pair, mean over pairs.

    ``10 log10(255^2 / MSE)`` in dB, the mean squared error over all pixels and channels of the
    uint8 RGB images. Infinite for equal images; infinite pairs are kept and counted.
    """

    name = "psnr"
    trap = "Rewards blur: a plain U-Net regression leads in it."
    range = (0.0, math.inf)
    title = "PSNR"
    digits = 2
    position = 10
    unit = "dB"
    better = "higher"
    infinite_when_equal = True
    infinite_means = "predictions equal their targets"

    def signature(self) -> Signature:
        """Return ``psnr|rgb|range:255|mean:image|v:1``."""
        return self._signature("rgb", ("range", 255), ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the PSNR in dB; ``inf`` for equal images."""
        return psnr_of(squared_error(pair.prediction, pair.target), pair.target.size)


class MAE(PairMetric):
    """Mean absolute error of one image pair in grey levels (0 to 255), mean over pairs."""

    name = "mae"
    trap = "Rewards blur: a plain U-Net regression leads in it."
    range = (0.0, 255.0)
    title = "MAE"
    position = 110
    unit = "grey levels"
    better = "lower"

    def signature(self) -> Signature:
        """Return ``mae|rgb|range:255|mean:image|v:1``."""
        return self._signature("rgb", ("range", 255), ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the mean of ``|prediction - target|`` over pixels and channels."""
        total: float = cv2.norm(pair.prediction, pair.target, cv2.NORM_L1)
        return total / pair.target.size


def squared_error(prediction: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8]) -> int:
    """Return the sum of squared differences of two uint8 images, exactly."""
    # OpenCV takes the root and squares it again; the integer is recovered by rounding.
    return round(cv2.norm(prediction, target, cv2.NORM_L2SQR))


def psnr_of(error: int, count: int) -> float:
    """Return the PSNR in dB of a sum of squared uint8 errors over ``count`` values."""
    if error == 0:
        return math.inf
    return 10 * math.log10(255**2 * count / error)
