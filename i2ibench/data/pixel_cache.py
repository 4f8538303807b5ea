"""Decoded training images kept on the disk, so that an epoch of crops decodes nothing.

An image is a ``.npy`` file of its own, uint8 RGB as training sees it (decoded, cut to its box,
resized). Files are written whole or not at all, never changed, and mapped when read, so that a crop
touches its own rows alone. Deleting any of them is always safe.

A file's name is a hash of what its pixels follow from. The image's part in it is the SHA-256 of its
bytes as ``i2ibench.data.content_hash`` keeps it (hashed again where size or time changed): the
run's id has asked for it already, so it costs nothing, and id and pixels never mean different
images.
One file an image, because then a changed image, another split, limit or direction pays only for
what is new, and an interrupted writing goes on where it ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import filelock
import numpy as np
import PIL
from numpy.typing import NDArray

from i2ibench.data.content_hash import file_hashes
from i2ibench.data.images import image_size, read_pair
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.data.preparation import resized
from i2ibench.errors import DataError, UsageError
from i2ibench.files import cache_folder, map_array, sha256_file, sha256_json, write_array

UInt8Image = NDArray[np.uint8]

# Rises with any change of a byte that ``training_pixels`` returns, or of the files' form.
_VERSION = 2

# Left free for checkpoints and predictions, which often lie on the same disk.
_SPARE_BYTES = 1_000_000_000

# A temporary file this old was left by a process that was killed.
_STRAY_SECONDS = 3600.0


def training_pixels(pair: ImagePair, resize: int | None) -> tuple[UInt8Image, UInt8Image]:
    """Decode source and target, uint8 RGB ``(H, W, 3)``; with ``resize`` to a square of that side.

    Raises:
        DataError: as ``read_pair``.
    """
    source, target = read_pair(pair)
    if resize is None:
        return source, target
    return resized(source, (resize, resize)), resized(target, (resize, resize))


class PixelCache:
    """The kept pixels of some pairs; can be sent to other processes.

    Args:
        pairs: that will be read.
        resize: side of the square they are resized to, or None.
        folder: by default ``pixels`` in the cache folder.
    """

    def __init__(
        self, pairs: Sequence[ImagePair], resize: int | None, folder: Path | None = None
    ) -> None:
        self.folder = folder if folder is not None else cache_folder() / "pixels"
        self._pairs, self._resize = tuple(pairs), resize
        self._hashes = file_hashes({ref.path for pair in pairs for ref in _sides(pair)})
        self._places = {ref: self._place(ref) for pair in pairs for ref in _sides(pair)}

    def fill(
        self, tell: Callable[[str], None], progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Write what is missing or torn; of several processes one writes and the others wait.

        Args:
            tell: takes one line: where the pixels are and, before writing, how many bytes.
            progress: called with (pairs done, pairs to do).

        Raises:
            UsageError: the disk has no room for them.
            DataError: an image cannot be decoded, or changed meanwhile.
            OSError: the folder cannot be written, or the disk filled up meanwhile; what was
                written until then is kept and used by the next call.
        """
        # Looked at without the lock first: a complete cache may lie on a read-only disk.
        if self._missing():
            self.folder.mkdir(parents=True, exist_ok=True)
            with _alone_in(self.folder, tell):
                self._write_missing(tell, progress)
        tell(f"pixels of {len(self._pairs)} pairs are read from {self.folder}")

    def read(self, pair: ImagePair) -> tuple[UInt8Image, UInt8Image]:
        """Return what ``training_pixels`` does, mapped from the disk and not writable.

        Pixels that were deleted since ``fill`` are decoded.
        """
        # Opened anew each time: kept maps would exceed what a process may have of them, and
        # their pages would count as its memory.
        source, target = (_mapped(self._places[ref]) for ref in _sides(pair))
        if source is not None and target is not None:
            return source, target
        warnings.warn(
            f"{self.folder}: pixels were deleted while they were in use; these images are decoded "
            "again, which is slower and changes nothing else",
            stacklevel=2,
        )
        return training_pixels(pair, self._resize)

    def _missing(self) -> list[ImagePair]:
        whole = {ref for ref, place in self._places.items() if _mapped(place) is not None}
        return [pair for pair in self._pairs if not whole.issuperset(_sides(pair))]

    def _write_missing(
        self, tell: Callable[[str], None], progress: Callable[[int, int], None] | None
    ) -> None:
        missing = self._missing()  # less than before where another process has just written
        if not missing:
            return
        _remove_strays(self.folder)
        self._check_space(missing, tell)
        pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
        try:
            jobs = [pool.submit(self._write, pair) for pair in missing]
            for done, job in enumerate(jobs, 1):
                job.result()
                if progress is not None:
                    progress(done, len(jobs))
        finally:
            # After an error or Ctrl-C only the pairs in work are finished.
            pool.shutdown(cancel_futures=True)

    def _check_space(self, missing: list[ImagePair], tell: Callable[[str], None]) -> None:
        absent = {
            self._places[ref]: ref
            for pair in missing
            for ref in _sides(pair)
            if _mapped(self._places[ref]) is None
        }
        needed = sum(self._bytes(ref) for ref in absent.values())
        free = shutil.disk_usage(self.folder).free
        if needed + _SPARE_BYTES > free:
            raise UsageError(
                f"--pixel-cache needs {_size(needed)} in {self.folder} and leaves "
                f"{_size(_SPARE_BYTES)} to the run, but the disk has {_size(free)}; free space, "
                "point $I2IBENCH_CACHE to another disk, or leave the option out"
            )
        tell(f"writing pixels of {len(missing)} pairs, {_size(needed)}, to {self.folder}")

    def _bytes(self, ref: ImageRef) -> int:
        width, height = (self._resize, self._resize) if self._resize else image_size(ref)
        return 3 * width * height

    def _write(self, pair: ImagePair) -> None:
        images = training_pixels(pair, self._resize)
        # What is kept under a hash outlives this run, so it must be of just those bytes.
        for path in {ref.path for ref in _sides(pair)}:
            if sha256_file(path) != self._hashes[path]:
                raise DataError(f"{path}: changed while it was read; touch it and start again")
        for ref, pixels in zip(_sides(pair), images, strict=True):
            place = self._places[ref]
            if _mapped(place) is not None:
                continue
            try:
                # Written, not mapped: a full disk under a map kills the process.
                write_array(place, pixels)
            except OSError as error:
                # A failed write does not say where it was.
                raise OSError(error.errno, error.strerror, str(self.folder)) from error

    def _place(self, ref: ImageRef) -> Path:
        # Decoders are free to round differently in another version.
        key = sha256_json(
            {
                "file": self._hashes[ref.path],
                "box": ref.box,
                "resize": self._resize,
                "version": _VERSION,
                "decoders": [cv2.__version__, PIL.__version__],
                **({} if ref.bits in (None, 16) else {"bits": ref.bits}),
            }
        )
        return self.folder / key[:2] / f"{key}.npy"


def _mapped(place: Path) -> UInt8Image | None:
    """Return the pixels of a kept file; None where it is absent, torn or not one of ours."""
    try:
        kept = map_array(place)
    except DataError:
        return None
    image = kept.dtype == np.uint8 and kept.ndim == 3 and kept.shape[2] == 3
    return kept if image and kept.flags.c_contiguous else None


@contextlib.contextmanager
def _alone_in(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Keep other writers out: none decodes what another writes, or counts on the same space."""
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        tell(f"waiting for another process that writes pixels to {folder}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_strays(folder: Path) -> None:
    oldest = time.time() - _STRAY_SECONDS
    for stray in folder.glob("*/.*.tmp.npy"):
        with contextlib.suppress(OSError):
            if stray.stat().st_mtime < oldest:
                stray.unlink()


def _sides(pair: ImagePair) -> tuple[ImageRef, ImageRef]:
    return pair.source, pair.target


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
