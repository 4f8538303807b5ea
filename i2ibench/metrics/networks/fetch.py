"""Fetching weights: resumed where a download broke off, and kept only if the hash is right."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import filelock

from i2ibench.errors import MissingError
from i2ibench.files import sha256_file
from i2ibench.metrics.networks.weights import (
    CatalogueFile,
    WeightsFile,
    entry,
    lacking,
    locate,
    weights_cache,
)

_BLOCK = 1 << 20
_TIMEOUT_SECONDS = 30.0
_NOTHING_LEFT = 416  # status of a range that begins at the end of the file

_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ValueError,
)

# (file name, bytes so far, bytes in all or None)
Progress = Callable[[str, int, "int | None"], None]


def fetch(name: str, progress: Progress | None = None) -> list[WeightsFile]:
    """Return the files of weights ``name``, downloading what is not on this machine yet.

    What these weights need besides is fetched before them.

    A broken download leaves ``<file>.part`` in the cache, and the next call goes on there.

    Raises:
        MissingError: no address answers; the message names every file that is still missing, its
            address and the folder to put it in by hand. Or the bytes are not the known ones; then
            nothing is kept of them.
    """
    for other in entry(name).needs:
        _fetch(other, progress)
    return _fetch(name, progress)


def _fetch(name: str, progress: Progress | None) -> list[WeightsFile]:
    try:
        return locate(name)
    except MissingError:
        absent = [file for file in lacking(name) if file.urls]
    folder = weights_cache() / name
    problems = []
    for file in absent[:1] if entry(name).any_of else absent:
        try:
            _fetch_file(file, folder, progress)
        except _NotFetched as error:
            problems.append(str(error))
    if problems:
        raise _by_hand(problems, folder)
    return locate(name)


def fetch_file(file: CatalogueFile, folder: Path, progress: Progress | None = None) -> Path:
    """Download one file into ``folder`` unless it is there with the right hash.

    Raises:
        MissingError: as ``fetch``.
    """
    try:
        return _fetch_file(file, folder, progress)
    except _NotFetched as error:
        raise _by_hand([str(error)], folder) from None


class _NotFetched(Exception):
    """No address of a file gave it; the message says why."""


def _fetch_file(file: CatalogueFile, folder: Path, progress: Progress | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / file.name
    with filelock.FileLock(folder / f".{file.name}.lock"):
        if place.is_file() and sha256_file(place) == file.sha256:
            return place
        problems = []
        for url in file.urls:
            try:
                return _download(url, file, place, progress)
            except _NETWORK_ERRORS as error:
                problems.append(f"{url} ({_reason(error)})")
    raise _NotFetched(f"{file.name} could not be fetched from {' or '.join(problems)}")


def _by_hand(problems: list[str], folder: Path) -> MissingError:
    return MissingError(
        f"{'; '.join(problems)}; bring what is missing from there on another way and put it into "
        f"{folder}, or into the folder $I2IBENCH_WEIGHTS"
    )


def _download(url: str, file: CatalogueFile, place: Path, progress: Progress | None) -> Path:
    part = place.with_name(f"{place.name}.part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "i2ibench"})  # noqa: S310
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != _NOTHING_LEFT:
            raise
        response = None
    if response is not None:
        with response:
            if have and response.status != 206:  # the server sends the file from its start
                have = 0
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            with part.open("ab" if have else "wb") as sink:
                while block := response.read(_BLOCK):
                    sink.write(block)
                    have += len(block)
                    if progress is not None:
                        progress(file.name, have, total)
        if total is not None and have < total:
            raise ConnectionError(f"broke off after {have} of {total} bytes; run again to go on")
    digest = sha256_file(part)
    if digest != file.sha256:
        part.unlink()
        raise ValueError(f"sent a file of sha256 {digest[:8]}..., not {file.sha256[:8]}...")
    part.replace(place)
    return place


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error)
