"""Sliced Wasserstein distance between Laplacian-pyramid patches; it needs no weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from i2ibench.metrics.interface import MetricSettings, PairImages, Score, SetMetric, Signature
from i2ibench.seeds import derive_seed

Float32 = npt.NDArray[np.float32]
_SIDE = 7
_SMALLEST_LEVEL = 16


class SWDSettings(MetricSettings):
    """Settings of the sliced Wasserstein distance; all counts from 1.

    Attributes:
        patches: drawn from each image at each level.
        kept: patches kept of a set at each level; beyond that a random sample of all.
        directions: random projections.
        seed: of patches, sample and directions.
    """

    patches: int = pydantic.Field(default=64, ge=1)
    kept: int = pydantic.Field(default=8192, ge=1)
    directions: int = pydantic.Field(default=512, ge=1)
    seed: int = 0


@dataclass
class Patches:
    """Patches of one pyramid level with the priorities by which a sample is kept.

    The ``kept`` patches of lowest random priority are a uniform sample of all patches, whatever
    the order in which they came and however the set was split: so states merge exactly.
    """

    priority: npt.NDArray[np.uint64]
    prediction: Float32
    target: Float32


@dataclass
class SWDState:
    """Samples by level (0 is the finest), and the number of pairs they were drawn from."""

    levels: dict[int, list[Patches]] = field(default_factory=dict)
    pairs: int = 0


class SWD(SetMetric[SWDState]):
    """Sliced Wasserstein distance between 7x7 patches of Laplacian pyramids, times 1000.

    At each pyramid level from full size down to 16 pixels, patches are normalised per channel over
    the set, projected onto random directions and compared in one dimension; the mean over levels.
    Karras et al., ICLR 2018, section 5. Prediction and target give patches at the same places, so
    equal images have distance 0. As each set is brought to mean 0 and deviation 1, the distance is
    blind to the strength of a stain: washed out targets (0.4 t + 120) are near 0. It compares
    texture; read it beside metrics of the stain.
    """

    name = "swd"
    trap = "Blind to how strong a stain is: it standardises each set."
    range = (0.0, math.inf)
    title = "SWD"
    position = 60
    better = "lower"
    minimum_size = _SMALLEST_LEVEL
    Settings = SWDSettings

    def signature(self) -> Signature:
        """Return ``swd|rgb|laplacian|patch:7|patches:64|kept:8192|directions:512|...``."""
        s = self.settings
        return self._signature(
            "rgb",
            "laplacian",
            ("patch", _SIDE),
            ("patches", s.patches),
            ("kept", s.kept),
            ("directions", s.directions),
            ("seed", s.seed),
            ("scale", 1000),
        )

    def describe(self, pair: PairImages) -> dict[int, Patches]:
        """Return the pair's patches by pyramid level."""

        def cut(image: npt.NDArray[np.uint8]) -> list[tuple[npt.NDArray[np.uint64], Float32]]:
            return [self._drawn(pair.id, *each) for each in enumerate(laplacian(image))]

        targets = pair.once_of_target(cut, key=("swd", self.settings))
        both = zip(cut(pair.prediction), targets, strict=True)
        return {
            level: Patches(priority, prediction, target)
            for level, ((priority, prediction), (_, target)) in enumerate(both)
        }

    def _drawn(
        self, pair_id: str, level: int, image: Float32
    ) -> tuple[npt.NDArray[np.uint64], Float32]:
        """Return priorities and patches of a level, from places that pair and size decide."""
        draw = np.random.default_rng(derive_seed(self.settings.seed, "swd", pair_id, level))
        height, width = image.shape[:2]
        y = draw.integers(0, height - _SIDE + 1, self.settings.patches)
        x = draw.integers(0, width - _SIDE + 1, self.settings.patches)
        priority = draw.integers(0, 2**64 - 1, self.settings.patches, dtype=np.uint64)
        return priority, _cut(image, y, x)

    def new_state(self) -> SWDState:
        """Return the state of no pair."""
        return SWDState()

    def update(self, state: SWDState, pair_id: str, description: Any) -> None:
        """Add the pair's patches."""
        for level, patches in description.items():
            parts = state.levels.setdefault(level, [])
            # Once one part is as large as the sample, what comes after its last is never kept.
            if len(parts[0].priority if parts else ()) == self.settings.kept:
                patches = _below(patches, parts[0].priority.max())
                if not len(patches.priority):
                    continue
            parts.append(patches)
            # A quarter of slack, so that sorting is rare and memory bounded.
            if 4 * sum(len(part.priority) for part in parts) >= 5 * self.settings.kept:
                state.levels[level] = [_lowest(parts, self.settings.kept)]
        state.pairs += 1

    def merge(self, state: SWDState, other: SWDState) -> SWDState:
        """Return the sample of both sets."""
        merged = SWDState(pairs=state.pairs + other.pairs)
        for level in sorted({*state.levels, *other.levels}):
            parts = [*state.levels.get(level, []), *other.levels.get(level, [])]
            merged.levels[level] = [_lowest(parts, self.settings.kept)]
        return merged

    def compute(self, state: SWDState) -> Score:
        """Return the mean distance over levels; the levels' own distances are details."""
        if not state.pairs:
            return Score(None, unavailable="swd needs at least 1 pair")
        draw = np.random.default_rng(derive_seed(self.settings.seed, "swd", "directions"))
        directions = draw.standard_normal((_SIDE * _SIDE * 3, self.settings.directions))
        directions = (directions / np.linalg.norm(directions, axis=0)).astype(np.float32)
        distances = {}
        for level, parts in sorted(state.levels.items()):
            sample = _lowest(parts, self.settings.kept)
            distances[str(level)] = 1000 * _sliced_distance(sample, directions)
        return Score(float(np.mean([*distances.values()])), details={"levels": distances})


def laplacian(image: npt.NDArray[np.uint8]) -> list[Float32]:
    """Return the Laplacian pyramid, finest first, the coarsest level being the low-pass rest.

    The last level has a side of 16 to 31 pixels; smaller images have one level.
    """
    current = image.astype(np.float32)
    levels = []
    while min(current.shape[:2]) >= 2 * _SMALLEST_LEVEL:
        smaller = cv2.pyrDown(current)
        levels.append(current - cv2.pyrUp(smaller, dstsize=(current.shape[1], current.shape[0])))
        current = smaller
    return [*levels, current]


def _cut(image: Float32, y: npt.NDArray[np.int64], x: npt.NDArray[np.int64]) -> Float32:
    """Return 7x7 patches (n, 3, 49) with their upper left corners at ``y`` and ``x``."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (_SIDE, _SIDE), axis=(0, 1))
    cut: Float32 = np.ascontiguousarray(windows[y, x]).reshape(len(y), 3, _SIDE * _SIDE)
    return cut


def _below(patches: Patches, priority: np.uint64) -> Patches:
    """Return the patches of lower priority than this."""
    rows = patches.priority < priority
    return Patches(patches.priority[rows], patches.prediction[rows], patches.target[rows])


def _lowest(parts: list[Patches], count: int) -> Patches:
    """Return the ``count`` patches of lowest priority of all parts, in that order."""
    priorities = np.concatenate([part.priority for part in parts])
    order = np.argsort(priorities, kind="stable")[:count]
    sides = [np.empty((len(order), *parts[0].target.shape[1:]), np.float32) for _ in range(2)]
    start = 0
    for part in parts:  # straight to their places: all parts joined would be as much memory again
        places = np.flatnonzero((order >= start) & (order < start + len(part.priority)))
        chosen = order[places] - start
        sides[0][places], sides[1][places] = part.prediction[chosen], part.target[chosen]
        start += len(part.priority)
    return Patches(priorities[order], *sides)


def _sliced_distance(sample: Patches, directions: Float32) -> float:
    """Return the mean over directions of the one-dimensional Wasserstein-1 distance."""
    sides = (sample.prediction, sample.target)
    projected = [directions.T @ _normalised(side).T for side in sides]
    for values in projected:
        values.sort(axis=1)
    return float(np.abs(projected[0] - projected[1]).mean(dtype=np.float64))


def _normalised(patches: Float32) -> Float32:
    """Bring each channel to mean 0 and deviation 1 over the set: (n, 3, 49) -> (n, 147)."""
    mean = patches.mean(axis=(0, 2), keepdims=True, dtype=np.float64)
    deviation = patches.std(axis=(0, 2), keepdims=True, dtype=np.float64)
    # A constant channel carries nothing; it must not become NaN.
    scaled = (patches - mean) / np.where(deviation > 0, deviation, 1)
    flat: Float32 = scaled.astype(np.float32).reshape(len(patches), -1)
    return flat
