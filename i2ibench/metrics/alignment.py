"""Alignment: how far predictions are shifted against their targets, and scores without the shift.

Targets of adjacent sections are offset by tens of pixels against their sources. These metrics show
the offset instead of leaving it hidden in the scores.
"""

from __future__ import annotations

import math
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.interface import MetricSettings, PairImages, PairMetric, Signature
from i2ibench.metrics.pixel import psnr_of, squared_error
from i2ibench.metrics.uniform_ssim import uniform_ssim

# Rows and columns by which the prediction has to be moved onto the target.
Shift = tuple[int, int]
UInt8Image = npt.NDArray[np.uint8]

# No shift may leave less than this share of a side.
_LEAST_OVERLAP = 0.5


class AlignmentSettings(MetricSettings):
    """Settings: the largest shift searched, in pixels along each axis, from 0.

    A shift leaves at least half of each side: on 166 pixels a radius of 500 searches no further
    than one of 83, though signatures tell the two apart.
    """

    radius: int = pydantic.Field(default=32, ge=0)


class ShiftSettings(MetricSettings):
    """Settings: the ``shift-confidence`` from which a pair has a shift, in [0, 1]."""

    least_confidence: float = pydantic.Field(default=0.2, ge=0, le=1)


class ShiftDistance(PairMetric):
    """Distance in pixels between a prediction and its target by phase correlation, mean over pairs.

    Of the grey images under OpenCV's Hanning window, the root of Hann's, subpixel. Undefined (NaN)
    on pairs whose ``shift-confidence`` is below 0.2: their peak lies anywhere, and their mean would
    be one of noise. Zero for equal images; a description, not a quality.
    """

    name = "shift"
    trap = "Means nothing where shift-confidence is below 0.2."
    range = (0.0, math.inf)
    position = 510
    unit = "px"
    better = None
    # 1 was half a pixel off where a side's transform had an odd length, 2 defined on all pairs.
    version = 3
    undefined_means: ClassVar[str] = "pairs correlate too little to tell a shift"
    minimum_size = 16
    Settings = ShiftSettings

    def signature(self) -> Signature:
        """Return ``shift|phase-correlation|grey|root-hann|least-confidence:0.2|mean:image|v:3``."""
        least = ("least-confidence", f"{self.settings.least_confidence:g}")
        return self._signature("phase-correlation", "grey", "root-hann", least, ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the length of the shift; NaN where the images do not tell it."""
        (x, y), confidence = pair.once(_phase_correlation)
        return math.hypot(x, y) if confidence >= self.settings.least_confidence else math.nan


class ShiftConfidence(PairMetric):
    """Height of the phase correlation's peak behind ``shift``, mean over pairs.

    1 for an exact copy, near 0 where the images share no structure and ``shift`` means nothing.
    """

    name = "shift-confidence"
    range = (0.0, 1.0)
    position = 520
    better = None
    version = 2  # 1 followed version 1 of ``shift``
    minimum_size = 16

    def signature(self) -> Signature:
        """Return ``shift-confidence|phase-correlation|grey|root-hann|mean:image|v:2``."""
        return self._signature("phase-correlation", "grey", "root-hann", ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the peak's share, in [0, 1]."""
        _, confidence = pair.once(_phase_correlation)
        return confidence


class PSNRAligned(PairMetric):
    """Highest PSNR over all shifts within a radius of 32 pixels, mean over pairs.

    Over the region where the shifted prediction and the target overlap, at whole pixels. Never
    below ``psnr``. Its gain over ``psnr`` is the price of the misalignment.
    """

    name = "psnr-aligned"
    trap = "Rewards blur as PSNR does; only the offset of the sections is taken out."
    range = (0.0, math.inf)
    title = "PSNR-aligned"
    digits = 2
    position = 530
    unit = "dB"
    better = "higher"
    infinite_when_equal = True
    infinite_means = "predictions, shifted, equal their targets where they overlap"
    minimum_size = 16
    Settings = AlignmentSettings

    def signature(self) -> Signature:
        """Return ``psnr-aligned|rgb|range:255|radius:32|mean:image|v:1``."""
        radius = ("radius", self.settings.radius)
        return self._signature("rgb", ("range", 255), radius, ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the PSNR in dB at the best shift; ``inf`` where the overlap is equal."""
        shift = _best_shift(pair, self.settings.radius)
        prediction, target = overlap(pair.prediction, pair.target, shift)
        return psnr_of(squared_error(prediction, target), target.size)


class SSIMAligned(PairMetric):
    """Highest SSIM of three shifts within a radius of 32 pixels, mean over pairs.

    Of no shift, the shift of highest PSNR, and that of the phase correlation; ``ssim`` over the
    overlap. Never below ``ssim``.
    """

    name = "ssim-aligned"
    trap = "Rewards blur as SSIM does; only the offset of the sections is taken out."
    range = (-1.0, 1.0)
    title = "SSIM-aligned"
    digits = 4
    position = 540
    better = "higher"
    version = 2  # 1 followed version 1 of ``shift``
    minimum_size = 16
    Settings = AlignmentSettings

    def signature(self) -> Signature:
        """Return ``ssim-aligned|rgb|range:255|window:uniform7|...|radius:32|...|v:2``."""
        return self._signature(
            "rgb",
            ("range", 255),
            ("window", "uniform7"),
            ("covariance", "sample"),
            ("border", "crop3"),
            ("radius", self.settings.radius),
            ("shifts", "none+mse+phase"),
            ("mean", "image"),
        )

    def score_pair(self, pair: PairImages) -> float:
        """Return the highest of the three SSIMs."""
        radius = self.settings.radius
        (x, y), _ = pair.once(_phase_correlation)
        shifts = {(0, 0), _best_shift(pair, radius)}
        limit = [min(radius, most) for most in _limits(pair.target)]
        if abs(round(y)) <= limit[0] and abs(round(x)) <= limit[1]:
            shifts.add((round(y), round(x)))
        return max(uniform_ssim(*overlap(pair.prediction, pair.target, shift)) for shift in shifts)


def overlap(
    prediction: UInt8Image, target: UInt8Image, shift: Shift
) -> tuple[UInt8Image, UInt8Image]:
    """Return both images' common region once the prediction is moved by ``(rows, columns)``."""
    height, width = target.shape[:2]
    dy, dx = shift
    rows_t = slice(max(0, dy), min(height, height + dy))
    cols_t = slice(max(0, dx), min(width, width + dx))
    rows_p = slice(max(0, -dy), min(height, height - dy))
    cols_p = slice(max(0, -dx), min(width, width - dx))
    cut = prediction[rows_p, cols_p], target[rows_t, cols_t]
    return np.ascontiguousarray(cut[0]), np.ascontiguousarray(cut[1])


def mean_squared_errors(
    prediction: UInt8Image, target: UInt8Image, radius: Shift
) -> npt.NDArray[np.float64]:
    """Return the mean squared error over the overlap of every shift: (2 ry + 1, 2 rx + 1).

    ``sum (p - t)^2 = sum p^2 + sum t^2 - 2 sum p t``: the first two from summed-area tables, the
    last for all shifts at once by Fourier transform; all are integers, so rounding is exact.
    """
    ry, rx = radius
    height, width = target.shape[:2]
    shape = cv2.getOptimalDFTSize(height + ry), cv2.getOptimalDFTSize(width + rx)
    spectrum = np.zeros((shape[0], shape[1] // 2 + 1), dtype=np.complex128)
    for channel in range(3):
        moved = np.fft.rfft2(prediction[:, :, channel].astype(np.float64), shape)
        fixed = np.fft.rfft2(target[:, :, channel].astype(np.float64), shape)
        spectrum += np.conj(moved) * fixed
    rows, columns = np.arange(-ry, ry + 1), np.arange(-rx, rx + 1)
    cross = np.rint(np.fft.irfft2(spectrum, shape)[np.ix_(rows, columns)])
    power = _overlap_power(target, rows, columns) + _overlap_power(prediction, -rows, -columns)
    counts = 3 * np.outer(height - np.abs(rows), width - np.abs(columns))
    found: npt.NDArray[np.float64] = (power - 2 * cross) / counts
    return found


def _best_shift(pair: PairImages, radius: int) -> Shift:
    def search(images: PairImages) -> Shift:
        most = _limits(images.target)
        ry, rx = (min(radius, limit) for limit in most)
        errors = mean_squared_errors(images.prediction, images.target, (ry, rx))
        # Of equal errors the shortest shift wins, so that constant images stay where they are.
        distance = np.hypot(
            *np.meshgrid(np.arange(-ry, ry + 1), np.arange(-rx, rx + 1), indexing="ij")
        )
        best = np.lexsort((distance.ravel(), errors.ravel()))[0]
        row, column = divmod(int(best), errors.shape[1])
        return row - ry, column - rx

    return pair.once(search, key=("best-shift", radius))


def _limits(image: UInt8Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    return int(height * (1 - _LEAST_OVERLAP)), int(width * (1 - _LEAST_OVERLAP))


def _phase_correlation(pair: PairImages) -> tuple[tuple[float, float], float]:
    """Return ``(x, y)`` by which the prediction has to be moved, and the peak's share."""
    grey = [
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
        for image in (pair.prediction, pair.target)
    ]
    if min(float(np.ptp(image)) for image in grey) == 0:
        return (0.0, 0.0), 0.0  # a constant image has no structure to correlate
    # OpenCV's window is the root of the product of two Hann windows.
    window = cv2.createHanningWindow((grey[0].shape[1], grey[0].shape[0]), cv2.CV_64F)
    padded = [_padded_to_even(image * window) for image in grey]
    (x, y), response = cv2.phaseCorrelate(*padded)
    return (float(x), float(y)), min(1.0, max(0.0, float(response)))


def _padded_to_even(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pad with zeros to sizes of fast transforms; of an odd one OpenCV's centre is half off."""
    height, width = (2 * cv2.getOptimalDFTSize((side + 1) // 2) for side in image.shape)
    padded = np.zeros((height, width))
    padded[: image.shape[0], : image.shape[1]] = image
    return padded


def _overlap_power(
    image: UInt8Image, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Return the sum of squares over the part of a fixed image that a shifted one covers."""
    squares = np.square(image.astype(np.float64)).sum(axis=2)
    table = cv2.integral(squares, sdepth=cv2.CV_64F)  # (H + 1, W + 1)
    height, width = image.shape[:2]
    top, bottom = np.maximum(0, rows), np.minimum(height, height + rows)
    left, right = np.maximum(0, columns), np.minimum(width, width + columns)
    covered: npt.NDArray[np.float64] = (
        table[np.ix_(bottom, right)]
        - table[np.ix_(top, right)]
        - table[np.ix_(bottom, left)]
        + table[np.ix_(top, left)]
    )
    return covered
