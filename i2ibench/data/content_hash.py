"""What a run saw: a content hash of a data set.

A run takes the hash of a file whose size and time are as they were from the cache. Verification
reads every byte, because both can be set back.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from i2ibench.data.faults import raise_together
from i2ibench.data.folders import cache_folder
from i2ibench.data.images import read_whole
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import DataError
from i2ibench.files import read_json, sha256_bytes, sha256_json, write_text

# A file changed within its time stamp's resolution after it was hashed would look unchanged.
_SETTLED_SECONDS = 2.0


def manifest_sha256(dataset: PairedDataset, *, reread: bool = False) -> str:
    """Return the content hash of what a run sees of ``dataset``.

    It covers ids, groups, clusters, the bytes of every file, the boxes cut out of them, and the
    scale of 16-bit files where it is not that of 16 bits, in the direction of translation; not the
    data set's name or place, nor the files' names. ``reread`` as in ``file_hashes``.
    """
    paths = {path for pair in dataset.pairs for path in _paths(pair)}
    hashes = file_hashes(paths, reread=reread)
    return sha256_json(
        [
            [
                pair.id,
                pair.group,
                pair.cluster,
                [hashes[pair.source.path], *_view(pair.source)],
                [hashes[pair.target.path], *_view(pair.target)],
            ]
            for pair in dataset.pairs
        ]
    )


def file_hashes(paths: Iterable[Path], *, reread: bool = False) -> dict[Path, str]:
    """Return the SHA-256 of each file; those with unchanged size and time come from the cache.

    With ``reread`` every file is read, and what the cache says of it is put right.
    """
    by_folder: dict[Path, list[Path]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, []).append(path)
    found: dict[Path, str] = {}
    for folder, files in by_folder.items():
        found.update(_hashes_of_folder(folder, files, reread))
    return found


def _hashes_of_folder(folder: Path, files: list[Path], reread: bool) -> dict[Path, str]:
    store = cache_folder() / "file-hashes" / f"{sha256_bytes(os.fsencode(folder.resolve()))}.json"
    known = _read_store(store)
    now = time.time()
    stamps: dict[Path, tuple[int, int]] = {}
    for path in files:
        try:
            state = path.stat()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
        stamps[path] = (state.st_size, state.st_mtime_ns)
    hashes = {
        path: known[path.name][2]
        for path, stamp in stamps.items()
        if not reread and path.name in known and tuple(known[path.name][:2]) == stamp
    }
    unknown = [path for path in files if path not in hashes]
    faults: list[DataError] = []
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for path, found in zip(unknown, pool.map(_hash_whole_image, unknown), strict=True):
            if isinstance(found, DataError):
                faults.append(found)
            else:
                hashes[path] = found
    settled = {
        path.name: [*stamps[path], hashes[path]]
        for path in unknown
        if path in hashes and now - stamps[path][1] / 1e9 > _SETTLED_SECONDS
    }
    # A file that was whole once and is damaged now is not to be taken for what it was.
    lost = {path.name for path in files if path not in hashes}
    kept = {name: entry for name, entry in (known | settled).items() if name not in lost}
    if kept != known:
        # A cache that cannot be written (read-only home) costs time, not correctness.
        with contextlib.suppress(OSError):
            write_text(store, json.dumps(kept))
    raise_together(faults, str(folder))
    return hashes


def _hash_whole_image(path: Path) -> str | DataError:
    """Hash an image file; one that is damaged is found here, before a training starts."""
    try:
        return sha256_bytes(read_whole(path))
    except DataError as fault:
        return fault


def _read_store(store: Path) -> dict[str, list[Any]]:
    try:
        content = read_json(store)
    except (OSError, DataError):
        return {}
    return {
        name: entry
        for name, entry in (content.items() if isinstance(content, dict) else ())
        if isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], str)
    }


def _view(ref: ImageRef) -> list[Any]:
    """Return what is seen of a file; the scale only where it is not the one of 16 bits."""
    return [ref.box] if ref.bits in (None, 16) else [ref.box, ref.bits]


def _paths(pair: ImagePair) -> tuple[Path, Path]:
    return pair.source.path, pair.target.path
