"""The synthetic data set on disk: drawn once, complete or absent."""

from __future__ import annotations

import errno
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.folders import cache_folder
from i2ibench.data.headers import PNG_SIGNATURE
from i2ibench.data.synthetic.drawing import VERSION, SyntheticOptions, draw_pair, list_synthetic
from i2ibench.durable import held
from i2ibench.errors import UsageError
from i2ibench.files import atomic_folder, sha256_json, write_text
from i2ibench.processes import start_helper

# A further process pays from this many pairs on.
_PAIRS_PER_PROCESS = 12
# What a system says of a rename onto a folder with something in it.
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.EACCES}


def ensure_generated(options: SyntheticOptions) -> Path:
    """Return the folder in the cache that holds this data set; draw it if it is not there."""
    folder = generated_folder(options)
    if not folder.is_dir():
        generate(folder, options)
    return folder


def generated_folder(options: SyntheticOptions) -> Path:
    """Return the folder in the cache in which this data set is, or would be."""
    key = sha256_json([VERSION, options.model_dump()])[:12]
    return cache_folder() / "datasets" / f"synthetic-{VERSION}-{key}"


def generate(folder: Path, options: SyntheticOptions) -> None:
    """Draw the data set into ``folder``, which appears only when it is complete.

    It holds ``{HE,IHC}/{split}/<id>.png``, ``clusters.csv`` (id, split, cluster) and
    ``shifts.csv`` (id, split, x, y).

    Raises:
        UsageError: the folder exists and is not empty, or no pairs are asked for.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is not an empty folder; choose another or remove it")
    pairs = list_synthetic(options)
    if not pairs:
        raise UsageError("synthetic data set: train, val and test are all 0")
    clusters = [f"{pair.id},{pair.split},{pair.cluster}" for pair in pairs]
    shifts = [f"{pair.id},{pair.split},{pair.shift[0]},{pair.shift[1]}" for pair in pairs]
    try:
        with atomic_folder(folder) as temporary:
            write_text(temporary / "clusters.csv", "\n".join(["id,split,cluster", *clusters, ""]))
            write_text(temporary / "shifts.csv", "\n".join(["id,split,x,y", *shifts, ""]))
            _draw_all(options, len(pairs), temporary)
    except OSError as error:
        # Another process has drawn the same data set meanwhile; its bytes are the same.
        if error.errno not in _TAKEN or not folder.is_dir():
            raise


def _draw_all(options: SyntheticOptions, pairs: int, folder: Path) -> None:
    """Draw every pair, in several processes where that pays."""
    shares = min(os.cpu_count() or 1, 8, pairs // _PAIRS_PER_PROCESS)
    if shares < 2 or not sys.executable:
        _draw_share(options, folder, 0, 1)
        return
    started = [
        start_helper(__name__, [options.model_dump_json(), str(folder), str(share), str(shares)])
        for share in range(1, shares)
    ]
    try:
        _draw_share(options, folder, 0, shares)
        failed = [process for process in started if process.wait() != 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
    if failed:
        raise RuntimeError("a process that draws the synthetic data set failed; see its message")


def _draw_share(options: SyntheticOptions, folder: Path, share: int, shares: int) -> None:
    for pair in list_synthetic(options)[share::shares]:
        images = draw_pair(options, pair)
        for side, image in zip(("HE", "IHC"), images, strict=True):
            place = folder / side / pair.split
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{pair.id}.png").write_bytes(_stored_png(image))


def _stored_png(image: NDArray[np.uint8]) -> bytes:
    """Return a PNG without compression: compressors differ between releases, these bytes do not."""
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each row begins with filter 0
    rows[:, 1:] = image.reshape(height, -1)
    raw = rows.tobytes()
    blocks = [b"\x78\x01"]
    for start in range(0, len(raw), 0xFFFF):
        block = raw[start : start + 0xFFFF]
        last = start + 0xFFFF >= len(raw)
        blocks += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    blocks.append(struct.pack(">I", zlib.adler32(raw)))
    return b"".join(
        [
            PNG_SIGNATURE,
            _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            _png_chunk(b"IDAT", b"".join(blocks)),
            _png_chunk(b"IEND", b""),
        ]
    )


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def main(arguments: list[str]) -> None:
    """Draw one share of a data set, in a process of its own."""
    options, folder, share, shares = arguments
    with held(Path(folder)):
        _draw_share(
            SyntheticOptions.model_validate_json(options), Path(folder), int(share), int(shares)
        )
