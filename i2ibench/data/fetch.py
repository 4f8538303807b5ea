"""Fetching the data sets whose authors offer a public archive."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock
import pooch

from i2ibench.data.archives import unpack
from i2ibench.data.cards import Card
from i2ibench.data.folders import cache_folder, dataset_folders
from i2ibench.data.resolve import catalogue_card, splits_on_disk
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.files import sha256_file, write_json
from i2ibench.provenance import now

_BLOCK = 1 << 20
_TIMEOUT_SECONDS = 30.0
_NOTHING_LEFT = 416  # status of a range that begins at the end of the file

# (bytes so far, bytes in all or None)
Progress = Callable[[int, "int | None"], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched data set: where it lies, the archive's hash, and whether that hash was known."""

    folder: Path
    sha256: str
    hash_was_known: bool


def fetch_dataset(
    name: str, *, data_root: Path | None = None, progress: Progress | None = None
) -> Fetched:
    """Download and unpack a data set into ``<data_root or $I2IBENCH_DATA or cache>/<name>``.

    A broken download is continued by the next call. The folder appears only when complete.

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
        archive = _download(name, card, downloads, progress)
        digest = sha256_file(archive)
        try:
            _unpack_as(name, card, archive, folder)
        except DataError:
            archive.unlink()  # the next call must not find it again
            raise
        known = card.download.sha256 is not None
        write_json(
            folder / "download.json",
            {
                "url": card.download.url,
                "sha256": digest,
                "sha256_was_known": known,
                "fetched": now(),
            },
        )
        archive.unlink()
    return Fetched(folder, digest, known)


def _download(name: str, card: Card, folder: Path, progress: Progress | None) -> Path:
    if card.download is None:
        raise MissingError(f"data set '{name}' has no public download")
    url, sha256 = card.download.url, card.download.sha256
    file_name = f"{name}-{url.rsplit('/', 1)[-1]}"

    def resume(url: str, output_file: str, _: object) -> None:
        part = folder / f"{file_name}.part"
        _continue(url, part, progress)
        # pooch checks the hash of its own temporary file; a wrong part must not be continued.
        if sha256 is not None and sha256_file(part) != sha256:
            part.unlink()
            raise ValueError(f"the file sent is not the one of sha256 {sha256[:12]}...")
        part.replace(output_file)

    pooch.get_logger().setLevel("WARNING")  # its notes are ours to print
    try:
        path = pooch.retrieve(
            url,
            None if sha256 is None else f"sha256:{sha256}",
            file_name,
            folder,
            downloader=resume,
        )
    except (urllib.error.URLError, ConnectionError, TimeoutError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise MissingError(
            f"{url} could not be fetched ({reason}); run again to continue, or bring the archive "
            f"another way and unpack it into {dataset_folders()[0] / name}"
        ) from None
    return Path(path)


def _continue(url: str, part: Path, progress: Progress | None) -> None:
    """Download ``url`` to ``part``, from where ``part`` ends if the server can."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "i2ibench"})  # noqa: S310
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == _NOTHING_LEFT:
            return
        raise
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
                    progress(have, total)
    if total is not None and have < total:
        raise ConnectionError(f"broke off after {have} of {total} bytes")


def _unpack_as(name: str, card: Card, archive: Path, folder: Path) -> None:
    """Unpack beside ``folder`` and move the data set there when it is whole and as expected."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        unpack(archive, temporary)
        inner = temporary / (card.download.folder if card.download else ".")
        if not inner.is_dir() or not splits_on_disk(card, inner):
            expected = "; or ".join(str(layout) for layout in card.layouts)
            raise DataError(f"{archive}: does not hold {name} as its card expects it: {expected}")
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()  # an empty folder made by the user
        inner.chmod(0o755)
        inner.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
