"""Fetching weights: resumed where a download broke off, and kept only if the hash is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from i2ibench.download import NotFetchedError, download
from i2ibench.errors import MissingError
from i2ibench.metrics.networks.weights import (
    CatalogueFile,
    WeightsFile,
    entry,
    lacking,
    locate,
    weights_cache,
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
            _download(file, folder, progress)
        except NotFetchedError as error:
            problems.append(error)
    if problems:
        raise _by_hand(problems, folder)
    return locate(name)


def fetch_file(file: CatalogueFile, folder: Path, progress: Progress | None = None) -> Path:
    """Download one file into ``folder`` unless it is there with the right hash.

    Raises:
        MissingError: as ``fetch``.
    """
    try:
        return _download(file, folder, progress)
    except NotFetchedError as error:
        raise _by_hand([error], folder) from None


def _download(file: CatalogueFile, folder: Path, progress: Progress | None) -> Path:
    def of_this_file(done: int, total: int | None) -> None:
        if progress is not None:
            progress(file.name, done, total)

    return download(
        file.urls, folder / file.name, sha256=file.sha256, most=file.bytes, progress=of_this_file
    )


def _by_hand(problems: list[NotFetchedError], folder: Path) -> MissingError:
    again = "run again to go on, or " if any(each.can_continue for each in problems) else ""
    return MissingError(
        f"{'; '.join(map(str, problems))}; {again}bring what is missing from there on another way "
        f"and put it into {folder}, or into the folder $I2IBENCH_WEIGHTS"
    )
