"""DAB staining after colour deconvolution: how much, how wide, how distributed.

The stain's optical density comes from scikit-image's ``hed`` matrix (Ruifrok and Johnston 2001),
in decadic units: the amount of the DAB vector of unit length in ``-log10`` of the transmitted
light. Light counts as at least 1/255, the darkest grey level that 8 bits tell from black: a channel
at 0 is a density of 2.4. scikit-image's floor is 1e-6, which makes it 6, so that grey 0 and grey 1
differ by 3.17 in DAB density; its third channel divided by 6 is the density with that floor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.by_pair import ByPair, KeyedSetMetric
from i2ibench.metrics.interface import (
    MetricSettings,
    PairImages,
    PairMetric,
    Score,
    Signature,
)

Float64 = npt.NDArray[np.float64]

# Light below this counts as this.
LIGHT_FLOOR = 1 / 255
# Histograms of optical density: bins of this width from 0, up to 3.84. With light of at least 1/255
# the largest DAB density is 3.79.
BIN_WIDTH = 0.005
BINS = 768
# skimage clips light at 1e-6, so its densities are in units of log10(1e6).
SKIMAGE_FLOOR = 1e-6
DECADES = 6.0
# What the density of red, green and blue adds to that of DAB: the third column of the inverse of
# scikit-image's matrix, to the last bit.
_DAB_OF_DENSITY = np.array([-0.5561158181996246, -0.13552179862837116, 1.5735880719641926])
_ROWS = 128
DECONVOLUTION = (("deconvolution", "skimage-hed"), ("floor", "1/255"))
_DENSITY = (*DECONVOLUTION, ("density", "decadic"))


@dataclass(frozen=True, slots=True)
class Stain:
    """What stain metrics know of one image.

    Attributes:
        mean: DAB optical density, mean over pixels.
        pixels: number of pixels.
        histogram: pixels by density, ``BINS`` bins of ``BIN_WIDTH``.
    """

    mean: float
    pixels: int
    histogram: npt.NDArray[np.int64]

    @property
    def integrated(self) -> float:
        """Integrated optical density: the sum over pixels."""
        return self.mean * self.pixels

    def positive_area(self, threshold: float) -> float:
        """Share of pixels whose density reaches ``threshold``, a multiple of the bin width."""
        first = round(threshold / BIN_WIDTH)
        return float(self.histogram[first:].sum()) / self.pixels


class StainSettings(MetricSettings):
    """Settings: the optical density from which a pixel counts as ``positive``.

    A multiple of 0.005, from 0.005 to 3.835; any other would be rounded to the edge of a bin.
    """

    positive: float = pydantic.Field(default=0.2, ge=BIN_WIDTH, le=(BINS - 1) * BIN_WIDTH)

    @pydantic.field_validator("positive")
    @classmethod
    def _on_the_edge_of_a_bin(cls, value: float) -> float:
        below = math.floor(value / BIN_WIDTH)
        edges = [_edge(bins) for bins in (below, below + 1)]
        for edge in edges:
            if math.isclose(value, edge, rel_tol=1e-9):  # a sum such as 0.1 + 0.2
                return edge
        raise ValueError(
            f"must be a multiple of {BIN_WIDTH}; the nearest are {edges[0]} and {edges[1]}"
        )


class DABDensityError(PairMetric):
    """Error of the mean DAB optical density of one image pair, mean over pairs.

    ``|mean DAB density of the prediction - that of the target|`` in decadic optical density.
    """

    name = "dab-od-error"
    trap = "Blind to where the stain is: the right amount in the wrong place costs nothing."
    range = (0.0, math.inf)
    version = 2
    position = 310
    unit = "OD"
    better = "lower"

    def signature(self) -> Signature:
        """Return ``dab-od-error|deconvolution:skimage-hed|floor:1/255|density:decadic|...``."""
        return self._signature(*_DENSITY, ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the absolute error of the mean density."""
        prediction, target = pair.once(stains_of)
        return abs(prediction.mean - target.mean)


class DABAreaError(PairMetric):
    """Error of the DAB-positive share of one image pair's area, mean over pairs.

    A pixel is positive from a decadic DAB density of 0.2.
    """

    name = "dab-area-error"
    trap = "Blind to where the stain is: the right amount in the wrong place costs nothing."
    range = (0.0, 1.0)
    version = 2
    position = 320
    better = "lower"
    Settings = StainSettings

    def signature(self) -> Signature:
        """Return ``dab-area-error|deconvolution:skimage-hed|floor:1/255|...|positive:0.2|...``."""
        positive = ("positive", self.settings.positive)
        return self._signature(*_DENSITY, positive, ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the absolute error of the positive share, in [0, 1]."""
        threshold = self.settings.positive
        prediction, target = pair.once(stains_of)
        return abs(prediction.positive_area(threshold) - target.positive_area(threshold))


class DABHistogramDistance(PairMetric):
    """Earth mover's distance between the DAB densities of one image pair, mean over pairs.

    The mean difference between the densities of the pixels of both images, each in their order: the
    1-Wasserstein distance, exact to the rounding of float64. Blind to where the stain is, and so to
    the offset of adjacent sections.
    """

    name = "dab-histogram-distance"
    trap = "Blind to where the stain is."
    range = (0.0, math.inf)
    version = 2
    position = 330
    unit = "OD"
    better = "lower"

    def signature(self) -> Signature:
        """Return ``dab-histogram-distance|deconvolution:skimage-hed|floor:1/255|...``."""
        return self._signature(*_DENSITY, ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the area between the two cumulative distributions."""
        predicted = _sorted_densities(pair.prediction)
        return float(np.abs(predicted - pair.once_of_target(_sorted_densities)).mean())


# Mean density of prediction and target, integrated density of prediction and target.
Densities = tuple[float, float, float, float]


class IntegratedDensityCorrelation(KeyedSetMetric[Densities]):
    """Pearson correlation across images of the integrated DAB optical density.

    One value an image: the sum of the density over its pixels. One of the quantities published as
    "Pearson-R"; not the correlation of pixels.
    """

    name = "dab-iod-correlation"
    trap = "High already where the level alone is found; read it within each level."
    range = (-1.0, 1.0)
    version = 2
    position = 340
    better = "higher"
    _columns = (2, 3)

    def signature(self) -> Signature:
        """Return ``dab-iod-correlation|...|density:decadic|pearson|across:images|v:2``."""
        return self._signature(*_DENSITY, "pearson", ("across", "images"))

    def state_key(self) -> str:
        """Return the key that the stain correlations share."""
        return "stain"

    def describe(self, pair: PairImages) -> Densities:
        """Return mean and integrated density of prediction and target."""
        prediction, target = pair.once(stains_of)
        return prediction.mean, target.mean, prediction.integrated, target.integrated

    def compute(self, state: ByPair[Densities]) -> Score:
        """Return the correlation; three pairs are the least."""
        n = len(state.pairs)
        if n < 3:
            return Score(None, unavailable=f"{self.name} needs at least 3 pairs, not {n}")
        x, y = (state.column(column)[:] for column in self._columns)
        value = pearson(x, y)
        if value is None:
            return Score(None, unavailable="all images have the same density: no correlation")
        return Score(value)


class MeanDensityCorrelation(IntegratedDensityCorrelation):
    """Pearson correlation across images of the mean DAB optical density.

    Equals ``dab-iod-correlation`` where all images have one size.
    """

    name = "dab-od-correlation"
    range = (-1.0, 1.0)
    version = 2
    position = 350
    _columns = (0, 1)


def stains_of(pair: PairImages) -> tuple[Stain, Stain]:
    """Return the stain of prediction and target."""
    return stain_of(pair.prediction), pair.once_of_target(stain_of)


def stain_of(image: npt.NDArray[np.uint8]) -> Stain:
    """Return the DAB stain of one uint8 (H, W, 3) image, computed in strips of rows."""
    total = 0.0
    histogram = np.zeros(BINS, dtype=np.int64)
    for top in range(0, image.shape[0], _ROWS):
        density = dab_density(image[top : top + _ROWS])
        total += float(density.sum())
        # A tiny offset keeps k * BIN_WIDTH in bin k, where rounding would put it below.
        bins = np.minimum(density * (1 / BIN_WIDTH) + 1e-9, BINS - 1).astype(np.intp)
        histogram += np.bincount(bins.ravel(), minlength=BINS)
    pixels = image.shape[0] * image.shape[1]
    return Stain(total / pixels, pixels, histogram)


def dab_density(image: npt.NDArray[np.uint8], floor: float = LIGHT_FLOOR) -> Float64:
    """Return the decadic DAB optical density (H, W) of uint8 RGB (H, W, 3).

    Light, 0 to 1 in each channel, counts as ``floor`` where it is below.
    """
    channels = cv2.LUT(np.ascontiguousarray(image), _density_table(floor))
    density: Float64 = channels[:, :, 0] + channels[:, :, 1]
    density += channels[:, :, 2]
    return np.maximum(density, 0.0, out=density)


def _sorted_densities(image: npt.NDArray[np.uint8]) -> Float64:
    """Return the densities of all pixels from lowest to highest: (H * W,)."""
    return np.sort(dab_density(image), axis=None)


@cache
def _density_table(floor: float) -> Float64:
    """Return what each level of each channel adds to the DAB density: (1, 256, 3)."""
    light = np.maximum(np.arange(256)[:, None] / 255.0, floor)
    table: Float64 = (-np.log10(light) * _DAB_OF_DENSITY)[None]
    return table


def _edge(bins: int) -> float:
    return round(bins * BIN_WIDTH, 3)


def pearson(x: Sequence[float] | Float64, y: Sequence[float] | Float64) -> float | None:
    """Return Pearson's correlation, or None where one side is constant."""
    a, b = np.asarray(x) - np.mean(x), np.asarray(y) - np.mean(y)
    norm = math.sqrt(float(a @ a) * float(b @ b))
    scale = max(float(np.abs(x).max()), float(np.abs(y).max()))
    # Values that differ by rounding alone are constant.
    if min(float(np.abs(a).max()), float(np.abs(b).max())) <= 1e-12 * scale:
        return None
    return max(-1.0, min(1.0, float(a @ b) / norm))
