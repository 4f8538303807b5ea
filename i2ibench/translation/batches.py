"""Which images pass a network together: those whose predictions do not depend on the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.pairs import ImagePair
from i2ibench.models.closed_form import OracleModel
from i2ibench.models.interface import TranslationModel
from i2ibench.translation.averaging import averages
from i2ibench.translation.manifest import Manifest

_Read = tuple[ImagePair, list[NDArray[np.uint8]]]

# A GPU is idle most of the time it translates one image of 256 px. Processors win nothing.
_ON_GPU = 8
# Pixels in a batch at most, so that images of 1024 px do not need eight times the memory.
_MOST_PIXELS = 1 << 20


def batch_size(
    model: TranslationModel, manifest: Manifest, device: str, asked: int | None = None
) -> int:
    """Return how many images may pass the network together; 1 where they would meet.

    They meet in batch statistics, in draws of the global generator, which is seeded for each pair,
    and where a prediction is a mean of passes. Images that are resized are translated alone, too.
    """
    policy = manifest.inference
    alone = policy.normalization == "batch" or averages(policy) or isinstance(model, OracleModel)
    if alone or manifest.stochastic_seed is not None or manifest.scaled_to is not None:
        return 1
    if manifest.tile or (asked is None and not device.startswith("cuda")):
        return 1
    return asked or _ON_GPU


def not_translated(
    pairs: Sequence[ImagePair], done: Collection[str], size: int
) -> Sequence[ImagePair]:
    """Return the pairs of all batches that lack a prediction.

    Batches lie at the same places whatever is done, as rounding may depend on their size.
    """
    batches = [pairs[first : first + size] for first in range(0, len(pairs), size)]
    lacking = [batch for batch in batches if any(pair.id not in done for pair in batch)]
    return [pair for batch in lacking for pair in batch]


def alike(read: Iterable[_Read], size: int) -> Iterator[list[_Read]]:
    """Yield the images of every batch in runs of one size, each of a megapixel at most."""
    group: list[_Read] = []
    for number, each in enumerate(read, start=1):
        shape = each[1][0].shape
        is_full = (len(group) + 1) * shape[0] * shape[1] > _MOST_PIXELS
        if group and (is_full or group[0][1][0].shape != shape):
            yield group
            group = []
        group.append(each)
        if number % size == 0:
            yield group
            group = []
    if group:
        yield group
