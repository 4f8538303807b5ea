"""Unpacking archives that nobody here has looked into: nothing is written outside the folder."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from i2ibench.errors import DataError

# Images do not compress further; an archive that grows more than this is no data set.
_LARGEST_GROWTH = 100
_ALWAYS_ALLOWED_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size: int
    is_folder: bool
    is_file: bool
    handle: object


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a tar (also compressed) or zip into ``folder`` and return the number of files.

    Every member is checked before the first is written.

    Raises:
        DataError: no such archive, damaged, or holding an absolute path, ``..``, a link, a device,
            a name twice, or far more data than its size suggests.
    """
    try:
        with _opened(archive) as (members, read):
            _check(archive, members)
            for member in members:
                _write(member, read, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise DataError(f"{archive}: is damaged or encrypted ({error}); fetch it again") from None
    return sum(member.is_file for member in members)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[list[_Member], object]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield [_zip_member(info) for info in opened.infolist()], opened.open
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as opened_tar:
            members = [
                _Member(info.name, info.size, info.isdir(), info.isreg(), info)
                for info in opened_tar
            ]
            yield members, opened_tar.extractfile
    else:
        raise DataError(f"{archive}: is neither a tar nor a zip archive; fetch it again")


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    plain = kind in {0, stat.S_IFREG}
    return _Member(info.filename, info.file_size, info.is_dir(), plain and not info.is_dir(), info)


def _check(archive: Path, members: list[_Member]) -> None:
    seen: set[PurePosixPath] = set()
    for member in members:
        path = PurePosixPath(member.name.replace("\\", "/"))
        drive = bool(path.parts) and ":" in path.parts[0]
        if path.is_absolute() or ".." in path.parts or drive or "\0" in member.name:
            raise DataError(f"{archive}: its member '{member.name}' leads outside; not unpacked")
        if not (member.is_file or member.is_folder):
            raise DataError(f"{archive}: its member '{member.name}' is a link or device; refused")
        if member.is_file and path in seen:
            raise DataError(f"{archive}: holds '{member.name}' twice; not unpacked")
        seen.add(path)
    total = sum(member.size for member in members)
    if total > max(_ALWAYS_ALLOWED_BYTES, _LARGEST_GROWTH * archive.stat().st_size):
        raise DataError(f"{archive}: would grow to {total / 2**30:.1f} GiB; refused as a bomb")


def _write(member: _Member, read: object, folder: Path) -> None:
    place = folder.joinpath(*PurePosixPath(member.name.replace("\\", "/")).parts)
    if member.is_folder:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    source: IO[bytes] = read(member.handle)  # type: ignore[operator]
    with source, place.open("xb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
