"""Inception features of images, computed once for every set metric that wants them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from i2ibench.errors import DataError
from i2ibench.metrics.by_pair import ByPair, Column, KeyedSetMetric
from i2ibench.metrics.interface import Context, PairImages, Signature
from i2ibench.metrics.networks.network_loading import (
    NOT_LOADED,
    find_weights,
    load_state,
    signature_mark,
    torch_dtype,
)
from i2ibench.metrics.networks.resize import pillow_bicubic, tf1_bilinear

if TYPE_CHECKING:
    from i2ibench.metrics.networks.inception import Inception

Float32 = npt.NDArray[np.float32]
Resize = Literal["tf1-bilinear", "pillow-bicubic"]

# Raised when code changes features beyond rounding: cached features of targets become void.
FEATURES_VERSIONS: dict[Resize, int] = {"tf1-bilinear": 1, "pillow-bicubic": 2}


class InceptionFeatures:
    """Turns uint8 images into float32 (2048,) features.

    A prediction and its target go through the network together, where the target's feature is not
    known yet, and on one thread: a feature depends neither on other pairs nor on the number of
    workers. That it does not depend on its companion either, to rounding, is tested.
    """

    def __init__(self, resize: Resize, network: Inception, sha256: str, precision: str) -> None:
        self._resize = tf1_bilinear if resize == "tf1-bilinear" else pillow_bicubic
        self._network = network
        # What cached features of targets depend on.
        version = FEATURES_VERSIONS[resize]
        self.identity = f"inception-{resize}-{precision}-{sha256[:16]}-v{version}"

    def of_images(self, *images: npt.NDArray[np.uint8]) -> Float32:
        """Return the features (N, 2048) of N uint8 (H, W, 3) images.

        Raises:
            DataError: they are not finite, as wrong weights make them.
        """
        import torch

        resized = np.stack([self._resize(image, 299) for image in images])
        with torch.inference_mode():
            tensor = torch.from_numpy(resized).permute(0, 3, 1, 2)
            found: Float32 = self._network.features(tensor).cpu().numpy()
        if not np.isfinite(found).all():
            raise DataError("Inception features are not finite; fetch inception-fid again")
        return found

    def _of_image(self, image: npt.NDArray[np.uint8]) -> Float32:
        found: Float32 = self.of_images(image)[0]
        return found

    def of_pair(self, pair: PairImages) -> tuple[Float32, Float32]:
        """Return the features of prediction and target; the target's may come from the cache."""
        cache = pair.target_cache
        known = None if cache is None else cache.get(self.identity)
        if known is None and pair.shares_target and cache is None:
            known = pair.once_of_target(self._of_image, key=self.identity)
        if known is not None:
            return self._of_image(pair.prediction), known
        prediction, target = self.of_images(pair.prediction, pair.target)
        if cache is not None:
            cache.put(self.identity, target)
        return prediction, target


FeatureState = ByPair[tuple[Float32, Float32]]  # of prediction and target: 16 KB a pair


def both_sides(state: FeatureState) -> tuple[Column, Column]:
    """Return predictions' and targets' features (D,) in the order of ids, read when asked for."""
    return state.column(0), state.column(1)


class FeatureMetric(KeyedSetMetric[tuple[Float32, Float32]]):
    """Base of set metrics of Inception features; subclasses say ``resize`` and ``compute``."""

    weights = ("inception-fid",)
    resize: Resize = "tf1-bilinear"
    # Known after ``prepare``.
    _mark = NOT_LOADED
    _precision = "fp32"

    def prepare(self, context: Context) -> None:
        """Load the network, or share the one that another metric has loaded."""
        self._mark, self._precision, self._extractor = open_inception(self.resize, context)

    def state_key(self) -> str:
        """Return the features' identity: metrics of the same features share them."""
        return self._extractor.identity

    def describe(self, pair: PairImages) -> tuple[Float32, Float32]:
        """Return the features of prediction and target."""
        return pair.once(self._extractor.of_pair, key=self._extractor.identity)

    def _network_settings(self) -> Iterator[tuple[str, str]]:
        yield "inception", "tf-2015-12-05"
        yield "resize", self.resize
        if self._precision != "fp32":
            yield "precision", self._precision
        yield "weights", self._mark

    def _inception_signature(self, *settings: tuple[str, object]) -> Signature:
        return self._signature(*self._network_settings(), *settings)


# Loaded networks by weights, device and dtype: metrics and evaluations of one process share them.
_NETWORKS: dict[tuple[str, str, str], Inception] = {}


def open_inception(resize: Resize, context: Context) -> tuple[str, str, InceptionFeatures]:
    """Return the weights' mark, the precision and the extractor for ``resize``."""
    files = find_weights("inception-fid", context)
    key = (files[0].sha256, context.device, context.precision)
    if key not in _NETWORKS:
        from i2ibench.metrics.networks.inception import Inception

        _NETWORKS.clear()
        state = load_state(files[0])
        _NETWORKS[key] = Inception(state, context.device, torch_dtype(context))
    extractor = InceptionFeatures(resize, _NETWORKS[key], files[0].sha256, context.precision)
    return signature_mark(files), context.precision, extractor
