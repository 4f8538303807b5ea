"""Training batches: deterministic order, flips and crops, whatever the number of workers.

Every random choice is drawn from a seed derived from (seed, purpose, epoch, pair id). Nothing
depends on how many workers decode, on what was drawn before, or on where a training was resumed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import cv2
import numpy as np
import pydantic
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from i2ibench import limits
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.pixel_cache import PixelCache, UInt8Image, training_pixels
from i2ibench.errors import DataError, UsageError
from i2ibench.processes import isolated_workers
from i2ibench.seeds import derive_seed
from i2ibench.settings import Settings

# Decoded images are kept in memory up to this many bytes, so that small sets are decoded once.
_MEMORY_CACHE_BYTES = 2 << 30


class ImageSettings(Settings):
    """What training sees of an image; the same choices for source and target.

    Attributes:
        resize: side of a square bicubic resize before cropping, as the official code does.
        crop: side of a random square crop.
        flip: whether to mirror left-right with probability 1/2.
        test_scale: where ``resize`` trains at another scale than that of the test images: at which
            they are translated. ``"training"`` resizes them to the square of ``resize`` and brings
            predictions back to their size; ``"native"`` leaves them as they are. None where both
            are the same, or the difference is jitter before a crop.
    """

    added_later: ClassVar[frozenset[str]] = frozenset({"test_scale"})

    resize: Annotated[int, pydantic.Field(ge=8, le=limits.IMAGE_SIDE)] | None = None
    crop: Annotated[int, pydantic.Field(ge=8, le=limits.IMAGE_SIDE)] | None = None
    flip: bool = True
    test_scale: Literal["training", "native"] | None = None

    @property
    def scaled_to(self) -> int | None:
        """Side of the square at which images are translated; None for their own size."""
        return self.resize if self.test_scale == "training" else None


class RawBatch(NamedTuple):
    """A decoded batch: uint8 ``(N, 3, H, W)`` twice, and the pairs' ids."""

    source: Tensor
    target: Tensor
    ids: tuple[str, ...]


class _Position(NamedTuple):
    epoch: int
    pair: int


class TrainingLoader:
    """Batches of one training, addressable by epoch and by position within it.

    Args:
        dataset: the training pairs.
        settings: resize, crop and flip.
        batch_size: pairs a batch on this rank.
        seed: of order, flips and crops.
        drop_incomplete: leave out a last batch that is not full.
        workers: decoding processes; 0 decodes in this one.
        rank: which of ``world_size`` interleaved parts of each epoch this process reads.
        world_size: number of parts.
        pin_memory: for copies to a CUDA device.
        pixels: of these pairs, kept on the disk under the same ``resize``; they are read from
            there and nothing is decoded.
    """

    def __init__(
        self,
        dataset: PairedDataset,
        settings: ImageSettings,
        *,
        batch_size: int,
        seed: int,
        drop_incomplete: bool = False,
        workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
        pin_memory: bool = False,
        pixels: PixelCache | None = None,
    ) -> None:
        self._pairs = dataset.pairs
        # Each worker has a cache of its own.
        cache_bytes = _MEMORY_CACHE_BYTES // max(1, workers)
        self._images = _Augmented(dataset.pairs, settings, seed, cache_bytes, pixels)
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._batch_size = batch_size
        self._seed = seed
        # Ranks must make the same number of steps, so several of them share full batches only.
        self._drop_incomplete = drop_incomplete or world_size > 1
        self._workers = workers
        self._rank, self._world_size = rank, world_size
        self._pin_memory = pin_memory
        if self.batches_per_epoch == 0:
            raise UsageError(
                f"{len(dataset)} training pairs do not fill one batch of "
                f"{batch_size * world_size}; lower training.batch_size or add pairs"
            )

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches each rank reads in an epoch."""
        full, rest = divmod(len(self._pairs), self._batch_size * self._world_size)
        return full + (1 if rest and not self._drop_incomplete else 0)

    def batches(self, first: int, last: int) -> Iterator[RawBatch]:
        """Yield the batches number ``first`` (inclusive) to ``last``, counted over all epochs."""
        loader: DataLoader[Any] = DataLoader(
            self._images,
            batch_sampler=_Positions(self, first, last),
            num_workers=self._workers,
            collate_fn=_collate,
            pin_memory=self._pin_memory,
            worker_init_fn=_quiet_worker,
            # Forking after torch has started threads can hang.
            multiprocessing_context="spawn" if self._workers else None,
        )
        with isolated_workers(), _main_left_alone():
            started = iter(loader)
        yield from started

    def positions(self, step: int) -> list[_Position]:
        """Return which pairs batch number ``step`` holds on this rank."""
        epoch, batch = divmod(step, self.batches_per_epoch)
        if self._order is None or self._order[0] != epoch:
            generator = np.random.default_rng(derive_seed(self._seed, "order", epoch))
            self._order = (epoch, generator.permutation(len(self._pairs)))
        order = self._order[1]
        start = batch * self._batch_size * self._world_size
        everyone = order[start : start + self._batch_size * self._world_size]
        return [_Position(epoch, int(index)) for index in everyone[self._rank :: self._world_size]]


class _Positions:
    """The batch sampler of the batches ``first`` to ``last``; lazy, as there can be millions."""

    def __init__(self, loader: TrainingLoader, first: int, last: int) -> None:
        self._loader, self._steps = loader, range(first, last)

    def __iter__(self) -> Iterator[list[_Position]]:
        return map(self._loader.positions, self._steps)

    def __len__(self) -> int:
        return len(self._steps)


class _Augmented(Dataset[tuple[UInt8Image, UInt8Image, str]]):
    def __init__(
        self,
        pairs: tuple[ImagePair, ...],
        settings: ImageSettings,
        seed: int,
        cache_bytes: int,
        pixels: PixelCache | None,
    ) -> None:
        self._pairs = pairs
        self._settings = settings
        self._seed = seed
        self._pixels = pixels
        self._cache: dict[int, tuple[UInt8Image, UInt8Image]] = {}
        self._free_bytes = cache_bytes

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, position: _Position) -> tuple[UInt8Image, UInt8Image, str]:
        pair = self._pairs[position.pair]
        source, target = self._whole(position.pair, pair)
        generator = np.random.default_rng(
            derive_seed(self._seed, "augment", position.epoch, pair.id)
        )
        crop = self._settings.crop
        if crop is not None:
            height, width = source.shape[:2]
            if crop > min(height, width):
                raise DataError(
                    f"pair {pair.id} is {width} x {height}, smaller than images.crop = {crop}; "
                    "lower it"
                )
            top = int(generator.integers(height - crop + 1))
            left = int(generator.integers(width - crop + 1))
            source = source[top : top + crop, left : left + crop]
            target = target[top : top + crop, left : left + crop]
        if self._settings.flip and generator.random() < 0.5:
            source, target = source[:, ::-1], target[:, ::-1]
        return source, target, pair.id

    def _whole(self, index: int, pair: ImagePair) -> tuple[UInt8Image, UInt8Image]:
        if self._pixels is not None:
            return self._pixels.read(pair)
        found = self._cache.get(index)
        if found is not None:
            return found
        source, target = training_pixels(pair, self._settings.resize)
        if source.nbytes + target.nbytes <= self._free_bytes:
            self._cache[index] = (source, target)
            self._free_bytes -= source.nbytes + target.nbytes
        return source, target


@contextlib.contextmanager
def _main_left_alone() -> Iterator[None]:
    """Keep processes that are started meanwhile from importing the user's script again.

    They need nothing of it, and a script that trains outside ``if __name__ == "__main__"`` would
    start another training in each of them.
    """
    main = sys.modules["__main__"]
    names = ("__file__", "__spec__")
    kept = {name: getattr(main, name) for name in names if hasattr(main, name)}
    for name in kept:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)


def to_unit_range(images: Tensor, device: torch.device | str) -> Tensor:
    """Move uint8 ``(N, 3, H, W)`` to ``device`` and scale [0, 255] to [-1, 1] there."""
    return images.to(device, non_blocking=True).float().div_(127.5).sub_(1.0)


def _collate(samples: list[tuple[UInt8Image, UInt8Image, str]]) -> RawBatch:
    shapes = {sample[0].shape for sample in samples}
    if len(shapes) > 1:
        ids = ", ".join(sample[2] for sample in samples)
        raise DataError(f"pairs of different sizes in one batch ({ids}); set images.crop")
    sources = torch.from_numpy(np.stack([sample[0] for sample in samples]))
    targets = torch.from_numpy(np.stack([sample[1] for sample in samples]))
    return RawBatch(
        sources.permute(0, 3, 1, 2), targets.permute(0, 3, 1, 2), tuple(s[2] for s in samples)
    )


def _quiet_worker(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
