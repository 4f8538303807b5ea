"""Structural similarity, in the conventions that the literature mixes up under one name.

The uniform window has a module of its own, ``uniform_ssim``. With a Gaussian one all moments come
from four windowed sums, of x, y, xy and (x - y)^2, since ``sum x^2 + sum y^2 = sum (x - y)^2 +
2 sum xy``, in float64 on strips of rows that stay in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from i2ibench.metrics.interface import PairImages, PairMetric, Signature
from i2ibench.metrics.uniform_ssim import C1, C2, SIDE, uniform_ssim

Float64 = npt.NDArray[np.float64]

# Values of one strip: its dozen float64 arrays then fit into a second-level cache.
_STRIP_VALUES = 50_000


# The Gaussian window of Wang et al.: 11 x 11 pixels, sigma 1.5; its weights sum to 1.
_RADIUS, _SIGMA = 5, 1.5
GAUSSIAN_SIDE = 2 * _RADIUS + 1


class SSIM(PairMetric):
    """Structural similarity, 7x7 uniform window with sample covariance on RGB: BCI's convention.

    What scikit-image computes by default with ``channel_axis=2`` on uint8: the mean over all
    pixels 3 away from the border and over the channels; K1 0.01, K2 0.03, data range 255.
    Wang et al., IEEE TIP 2004, equation 13, apart from the window.
    """

    name = "ssim"
    trap = "Rewards blur, and says little where sections are misaligned."
    range = (-1.0, 1.0)
    title = "SSIM"
    digits = 4
    position = 20
    better = "higher"
    minimum_size = SIDE

    def signature(self) -> Signature:
        """Return ``ssim|rgb|range:255|window:uniform7|covariance:sample|border:crop3|...``."""
        return self._signature(
            "rgb",
            ("range", 255),
            ("window", "uniform7"),
            ("covariance", "sample"),
            ("border", "crop3"),
            ("mean", "image"),
        )

    def score_pair(self, pair: PairImages) -> float:
        """Return the mean SSIM of one pair, at most 1."""
        return uniform_ssim(pair.prediction, pair.target)


class SSIMGaussian(PairMetric):
    """Structural similarity as in its paper: Gaussian window, sigma 1.5, population covariance.

    An 11x11 window; the mean over the pixels 5 away from the border and over the RGB channels;
    no downsampling. Wang et al., IEEE TIP 2004, equation 13. Equals scikit-image with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.
    """

    name = "ssim-gaussian"
    trap = "Rewards blur, and says little where sections are misaligned."
    range = (-1.0, 1.0)
    title = "SSIM-gaussian"
    digits = 4
    position = 120
    better = "higher"
    minimum_size = GAUSSIAN_SIDE

    def signature(self) -> Signature:
        """Return ``ssim-gaussian|rgb|range:255|window:gauss11|sigma:1.5|...``."""
        return self._signature(
            "rgb",
            ("range", 255),
            ("window", "gauss11"),
            ("sigma", 1.5),
            ("covariance", "population"),
            ("border", "crop5"),
            ("mean", "image"),
        )

    def score_pair(self, pair: PairImages) -> float:
        """Return the mean SSIM of one pair, at most 1."""
        return gaussian_ssim(pair.prediction, pair.target)


class MSSSIM(PairMetric):
    """Multi-scale structural similarity over five octaves, per RGB channel, mean of channels.

    Wang et al., Asilomar 2003: contrast-structure at scales 1 to 4 and full SSIM at scale 5,
    weighted 0.0448, 0.2856, 0.3001, 0.2363, 0.1333; 11x11 Gaussian window with sigma 1.5; 2x2
    means between scales, an odd last row or column dropped. A negative term counts as 0, since a
    power of it is not real. Needs sides of at least 176 pixels.
    """

    name = "ms-ssim"
    trap = "Rewards blur, and says little where sections are misaligned."
    range = (-1.0, 1.0)
    title = "MS-SSIM"
    position = 130
    better = "higher"
    WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    minimum_size = GAUSSIAN_SIDE << (len(WEIGHTS) - 1)

    def signature(self) -> Signature:
        """Return ``ms-ssim|rgb|range:255|window:gauss11|sigma:1.5|scales:5|...``."""
        return self._signature(
            "rgb",
            ("range", 255),
            ("window", "gauss11"),
            ("sigma", 1.5),
            ("scales", 5),
            ("negative", "zero"),
            ("mean", "image"),
        )

    def score_pair(self, pair: PairImages) -> float:
        """Return the MS-SSIM of one pair, in [0, 1]."""
        product = np.ones(3)
        a: npt.NDArray[Any] = pair.prediction
        b: npt.NDArray[Any] = pair.target
        for scale, weight in enumerate(self.WEIGHTS):
            whole, contrast_structure = channel_means(a, b)
            last = scale == len(self.WEIGHTS) - 1
            term = whole if last else contrast_structure
            product *= np.maximum(term, 0.0) ** weight
            if not last:
                a, b = _halved(a), _halved(b)
        return float(product.mean())


def gaussian_ssim(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """Return the mean SSIM of two uint8 images (H, W, C) over inner pixels and channels."""
    total = sum(float(whole.sum()) for whole, _ in _strips(a, b, want_terms=False))
    inner = (a.shape[0] - 2 * _RADIUS) * (a.shape[1] - 2 * _RADIUS)
    return total / float(inner * a.shape[2])


def channel_means(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> tuple[Float64, Float64]:
    """Return the means of SSIM and of its contrast-structure term, one value a channel each."""
    whole, contrast = np.zeros(a.shape[2]), np.zeros(a.shape[2])
    for strip, strip_contrast in _strips(a, b, want_terms=True):
        whole += strip.sum(axis=(0, 1))
        contrast += strip_contrast.sum(axis=(0, 1))
    inner = (a.shape[0] - 2 * _RADIUS) * (a.shape[1] - 2 * _RADIUS)
    return whole / inner, contrast / inner


def _strips(
    a: npt.NDArray[Any], b: npt.NDArray[Any], *, want_terms: bool
) -> Iterator[tuple[Float64, Float64]]:
    """Yield the maps of SSIM and of contrast-structure (one map unless wanted), strip by strip."""
    product, difference = _products(a, b)
    height, border = a.shape[0], 2 * _RADIUS
    rows = max(8, _STRIP_VALUES // (a.shape[1] * a.shape[2]))
    for top in range(0, height - border, rows):
        strip = slice(top, min(top + rows, height - border) + border)
        sx, sy = _window_means(a[strip]), _window_means(b[strip])
        sxy, sdd = _window_means(product[strip]), _window_means(difference[strip])
        means = sx * sy
        squares = sx - sy
        squares *= squares
        squares += 2 * means  # sx^2 + sy^2
        sdd += 2 * sxy  # sum x^2 + sum y^2
        sdd -= squares
        sdd += C2  # variances
        sxy -= means
        sxy *= 2
        sxy += C2  # covariance
        sxy /= sdd
        contrast = sxy.copy() if want_terms else sxy
        means *= 2
        means += C1
        squares += C1
        means /= squares
        means *= sxy
        yield means, contrast


def _products(
    a: npt.NDArray[Any], b: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return ``a b`` and ``(a - b)^2``; both fit uint16 for uint8 images."""
    depth = cv2.CV_16U if a.dtype == np.uint8 else cv2.CV_64F
    difference = cv2.absdiff(a, b)
    return cv2.multiply(a, b, dtype=depth), cv2.multiply(difference, difference, dtype=depth)


def _halved(image: npt.NDArray[Any]) -> Float64:
    """Return the means of 2x2 blocks; an odd last row or column is dropped."""
    even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2].astype(np.float64)
    return (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]) / 4


def _window_means(image: npt.NDArray[Any]) -> Float64:
    """Return the weighted means around each inner pixel: (h, w, C) -> (h-10, w-10, C)."""
    taps = _gaussian_taps()
    found = cv2.sepFilter2D(image, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_REFLECT)
    inner: Float64 = found[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
    return inner


@cache
def _gaussian_taps() -> Float64:
    offsets = range(-_RADIUS, _RADIUS + 1)
    taps = np.array([math.exp(-(x * x) / (2 * _SIGMA * _SIGMA)) for x in offsets])
    normalised: Float64 = taps / taps.sum()
    return normalised
