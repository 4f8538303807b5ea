"""Fetching the data sets whose authors offer a public archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import filelock

from i2ibench import limits
from i2ibench.data.archives import unpack
from i2ibench.data.cards import Card
from i2ibench.data.folders import cache_folder, dataset_folders
from i2ibench.data.resolve import catalogue_card, splits_on_disk
from i2ibench.download import NotFetchedError, Progress, download
from i2ibench.durable import publish_folder, temporary_folder
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.files import sha256_file, write_json
from i2ibench.provenance import now


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched data set: where it lies, the archive's hash, and whether that hash was known."""

    folder: Path
    sha256: str
    hash_was_known: bool


def fetch_dataset(
    name: str,
    *,
    data_root: Path | None = None,
    allow_unchecked: bool = False,
    progress: Progress | None = None,
) -> Fetched:
    """Download and unpack a data set into ``<data_root or $I2IBENCH_DATA or cache>/<name>``.

    A broken download is continued by the next call. The folder appears only when complete.
    ``allow_unchecked``: as of ``download``.

    Raises:
        UsageError: unknown name, or the data set is already there.
        MissingError: it cannot be downloaded; the message has the steps to get it.
        DataError: the archive is damaged, unsafe, or not what its card expects.
    """
    card = catalogue_card(name)
    if card.synthetic is not None:
        raise UsageError(f"'{name}' is drawn on first use; there is nothing to fetch")
    if card.download is None:
        raise MissingError(f"data set '{name}' has no public download; {card.obtain or card.home}")
    folder = (data_root or dataset_folders()[0]) / name
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is already there; remove it to fetch it again")
    downloads = cache_folder() / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(downloads / f".{name}.lock"):
        archive = _download(name, card, downloads, allow_unchecked, progress)
        digest = sha256_file(archive)
        known = card.download.sha256 is not None
        origin = {
            "url": card.download.url,
            "sha256": digest,
            "sha256_was_known": known,
            "fetched": now(),
        }
        try:
            _unpack_as(name, card, archive, folder, origin)
        except DataError:
            archive.unlink()  # the next call must not find it again
            raise
        archive.unlink()
    return Fetched(folder, digest, known)


def _download(
    name: str, card: Card, folder: Path, allow_unchecked: bool, progress: Progress | None
) -> Path:
    if card.download is None:
        raise MissingError(f"data set '{name}' has no public download")
    url, stated = card.download.url, card.download.megabytes
    # An address may end in what no file can be called.
    ending = re.sub(r"[^A-Za-z0-9._-]", "-", url.rsplit("/", 1)[-1])[-100:]
    most = None if stated is None else int(stated * 1e6 * limits.DOWNLOAD_GROWTH) + limits.MIB
    try:
        return download(
            [url],
            folder / f"{name}-{ending}",
            sha256=card.download.sha256,
            most=most,
            allow_unchecked=allow_unchecked,
            progress=progress,
        )
    except NotFetchedError as error:
        again = "run again to continue, or " if error.can_continue else ""
        raise MissingError(
            f"{error}; {again}bring the archive another way and unpack it into "
            f"{dataset_folders()[0] / name}"
        ) from None


def _unpack_as(
    name: str, card: Card, archive: Path, folder: Path, origin: dict[str, object]
) -> None:
    """Unpack beside ``folder`` and move the data set there when it is whole and as expected."""
    with temporary_folder(folder) as temporary:
        unpack(archive, temporary)
        inner = _inner_folder(card, temporary)
        if not inner.is_dir() or not splits_on_disk(card, inner):
            expected = "; or ".join(str(layout) for layout in card.layouts)
            raise DataError(f"{archive}: does not hold {name} as its card expects it: {expected}")
        write_json(inner / "download.json", origin)
        publish_folder(inner, folder)


def _inner_folder(card: Card, unpacked: Path) -> Path:
    """Return the folder that the card names, or the only one where it names none."""
    named = unpacked / (card.download.folder if card.download else ".")
    if named != unpacked or splits_on_disk(card, unpacked):
        return named
    found = [path for path in unpacked.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    return found[0] if len(found) == 1 and found[0].is_dir() else named
