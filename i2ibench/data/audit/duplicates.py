"""Pictures that occur twice: in one split a bias, across splits a leak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.audit.measure import ImageFacts, PairFacts
from i2ibench.data.audit.near_hashes import near_hashes

# Unrelated pictures differ in about half of the 256 bits; the second look decides.
_LARGEST_DISTANCE = 28
_SMALLEST_CORRELATION = 0.99
# Pictures flatter than this (standard deviation in grey levels) are alike without being copies.
_SMALLEST_SPREAD = 6.0


class Twins(NamedTuple):
    """Two images that show the same; ``exact`` if every pixel is equal."""

    first: tuple[str, ImageFacts]
    second: tuple[str, ImageFacts]
    exact: bool

    @property
    def across_splits(self) -> bool:
        """Whether the two lie in different splits."""
        return self.first[0] != self.second[0]


def find_twins(pairs: Sequence[PairFacts]) -> list[Twins]:
    """Return equal and nearly equal images of one side, over all splits.

    Two images are nearly equal when their perceptual hashes differ in at most 28 of 256 bits and
    their 32 x 32 thumbnails correlate by at least 0.99.
    """
    twins: list[Twins] = []
    for side in ("source", "target"):
        images = [(facts.split, getattr(facts, side)) for facts in pairs]
        equal = _equal(images)
        twins += equal
        known = {(id(twin.first[1]), id(twin.second[1])) for twin in equal}
        for first, second in _similar(images):
            if (id(images[first][1]), id(images[second][1])) not in known:
                twins.append(Twins(images[first], images[second], exact=False))
    return twins


def _equal(images: Sequence[tuple[str, ImageFacts]]) -> list[Twins]:
    first_with: dict[str, tuple[str, ImageFacts]] = {}
    twins = []
    for image in images:
        if image[1].spread < _SMALLEST_SPREAD:
            continue  # blank tiles have a check of their own
        known = first_with.setdefault(image[1].pixels, image)
        if known is not image:
            twins.append(Twins(known, image, exact=True))
    return twins


def _similar(images: Sequence[tuple[str, ImageFacts]]) -> Iterator[tuple[int, int]]:
    """Yield the indices of nearly equal images; each image is paired with its first twin only."""
    lively = [i for i, (_, facts) in enumerate(images) if facts.spread >= _SMALLEST_SPREAD]
    if len(lively) < 2:
        return
    words = np.stack([images[index][1].fingerprint for index in lively])
    thumbnails = np.stack([_standardised(images[index][1].thumbnail) for index in lively])
    first_twin = np.full(len(lively), len(lively))
    for first, second in near_hashes(words, _LARGEST_DISTANCE):
        alike = np.einsum("nd,nd->n", thumbnails[first], thumbnails[second])
        kept = alike >= _SMALLEST_CORRELATION
        np.minimum.at(first_twin, second[kept], first[kept])
    for second in np.flatnonzero(first_twin < len(lively)).tolist():
        yield lively[first_twin[second]], lively[second]


def _standardised(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = thumbnail.ravel() - thumbnail.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), dtype=np.float32)
