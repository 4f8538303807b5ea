"""One look at every image: all that the checks need, from a single decoding."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.audit.offsets import Shift, estimate_shift
from i2ibench.data.headers import ImageHeader
from i2ibench.data.images import read_header, read_pair
from i2ibench.data.pairs import ImagePair
from i2ibench.errors import DataError
from i2ibench.files import sha256_bytes

# Sides of the picture that is kept of each image, and of the hash's low frequencies.
THUMBNAIL = 32
_HASH = 16
# Pairs that may wait for their turn; bounds memory whatever the size of the data set.
_AHEAD = 8


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is kept of one image.

    Attributes:
        path: its file.
        header: what the file says about itself.
        size: width and height of the image or panel.
        pixels: SHA-256 of its decoded pixels.
        thumbnail: grey ``(32, 32)`` float32.
        fingerprint: perceptual hash of 256 bits as four 64-bit words.
        mean: mean of red, green and blue.
        spread: standard deviation of its grey levels.
    """

    path: Path
    header: ImageHeader
    size: tuple[int, int]
    pixels: str
    thumbnail: NDArray[np.float32]
    fingerprint: NDArray[np.uint64]
    mean: tuple[float, float, float]
    spread: float


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What is kept of one pair; ``shift`` is None where the sizes differ."""

    pair: ImagePair
    split: str
    source: ImageFacts
    target: ImageFacts
    shift: Shift | None


Outcome = PairFacts | DataError


def measure_pairs(
    pairs: Iterable[tuple[str, ImagePair]], progress: Callable[[int], None] | None = None
) -> Iterator[Outcome]:
    """Yield the facts of each (split, pair) in order, or the fault that keeps it from decoding.

    Threads suffice: decoding, hashing and the transforms run outside Python's lock.
    """
    workers = min(os.cpu_count() or 1, 8)
    waiting: list[Future[Outcome]] = []
    queue = iter(pairs)
    with ThreadPoolExecutor(workers) as pool:
        done = 0
        while True:
            room = workers * _AHEAD - len(waiting)
            waiting += [pool.submit(_measure, *item) for item in islice(queue, room)]
            if not waiting:
                return
            yield waiting.pop(0).result()
            done += 1
            if progress is not None:
                progress(done)


def _measure(split: str, pair: ImagePair) -> Outcome:
    try:
        source, target = read_pair(pair)
        headers = read_header(pair.source.path), read_header(pair.target.path)
    except DataError as fault:
        return fault
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (source, target)]
    shift = estimate_shift(*greys) if source.shape == target.shape else None
    return PairFacts(
        pair,
        split,
        _facts(pair.source.path, headers[0], source, greys[0]),
        _facts(pair.target.path, headers[1], target, greys[1]),
        shift,
    )


def _facts(
    path: Path, header: ImageHeader, image: NDArray[np.uint8], grey: NDArray[np.uint8]
) -> ImageFacts:
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    thumbnail = small.astype(np.float32)
    red, green, blue = (float(value) for value in cv2.mean(image)[:3])
    spread = float(cv2.meanStdDev(grey)[1][0, 0])
    size = f"{image.shape[1]}x{image.shape[0]}:".encode()
    return ImageFacts(
        path,
        header,
        (image.shape[1], image.shape[0]),
        sha256_bytes(size + image.tobytes()),
        thumbnail,
        _fingerprint(thumbnail),
        (red, green, blue),
        spread,
    )


def _fingerprint(thumbnail: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return which low frequencies of the cosine transform lie above their median."""
    low = cv2.dct(thumbnail)[:_HASH, :_HASH].ravel()
    bits = low > np.median(low[1:])
    return np.packbits(bits).view(np.uint64)
