"""Unpacking archives that nobody here has looked into: nothing is written outside the folder."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from i2ibench import limits
from i2ibench.errors import DataError
from i2ibench.reading import open_regular, reading

_BLOCK = 1 << 20
# How compressed files begin.
_COMPRESSED: tuple[tuple[bytes, Callable[..., Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size: int
    is_folder: bool
    is_file: bool
    handle: Any


# Reads a member.
_Read = Callable[[Any], "IO[bytes] | None"]


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a tar (also compressed) or zip into ``folder`` and return the number of files.

    The whole archive is read and every member checked before the first is written, so that an
    archive of which a checksum does not fit leaves nothing.

    Raises:
        DataError: no such archive, damaged, or holding an absolute path, ``..``, a link, a device,
            a name twice, or far more data than its size suggests.
        OSError: it cannot be written.
    """
    with _guarded(archive), _opened(archive) as (members, read):
        for member in members:
            _write(archive, member, read, folder)
    return sum(member.is_file for member in members)


def _guarded(archive: Path) -> Any:
    return reading(archive, "a whole archive, or it is encrypted", remedy="fetch it again")


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[list[_Member], _Read]]:
    with open_regular(archive) as file:
        beginning = file.read(8)
        file.seek(0)
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as opened:
                members = _Checked(archive).all(map(_zip_member, opened.infolist()))
                _read_through_zip(opened)
                yield members, opened.open
                return
        file.seek(0)
        kind = next((kind for start, kind in _COMPRESSED if beginning.startswith(start)), None)
        stream = _InPieces(archive, kind(file) if kind is not None else file)
        try:
            opened_tar = tarfile.TarFile(fileobj=stream)  # type: ignore[arg-type]
        except tarfile.ReadError as error:
            raise DataError(
                f"{archive}: is damaged, or neither a tar nor a zip archive ({error}); fetch it "
                "again"
            ) from None
        with opened_tar:
            members = _Checked(archive).all(map(_tar_member, opened_tar))
            _read_to_the_end(archive, stream, members)
            yield members, opened_tar.extractfile


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    plain = kind in {0, stat.S_IFREG}
    return _Member(info.filename, info.file_size, info.is_dir(), plain and not info.is_dir(), info)


def _tar_member(info: tarfile.TarInfo) -> _Member:
    return _Member(info.name, info.size, info.isdir(), info.isreg(), info)


def _read_through_zip(archive: zipfile.ZipFile) -> None:
    """Read every member, because a checksum is compared only at the end of one."""
    for info in archive.infolist():
        with archive.open(info) as content:
            while content.read(_BLOCK):
                pass


def _read_to_the_end(archive: Path, stream: _InPieces, members: list[_Member]) -> None:
    """Read what follows the last member: the checksum of a compressed tar stands behind it."""
    left = _allowed(archive) - sum(member.size for member in members)
    while block := stream.read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise DataError(f"{archive}: does not end after its last member; refused as a bomb")


def _allowed(archive: Path) -> int:
    """Return to how many bytes an archive may grow."""
    grown = limits.ARCHIVE_GROWTH * archive.stat().st_size
    return min(max(limits.ARCHIVE_ALWAYS_ALLOWED_BYTES, grown), limits.ARCHIVE_BYTES)


class _InPieces:
    """A tar's bytes; refuses to read many at once, as for a header that claims gigabytes."""

    def __init__(self, archive: Path, stream: IO[bytes]) -> None:
        self._archive, self._stream = archive, stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, count: int) -> bytes:
        if not 0 <= count <= limits.ARCHIVE_HEADER_BYTES:
            raise DataError(f"{self._archive}: has a header of {count:,} bytes; refused as a bomb")
        return self._stream.read(count)


class _Checked:
    """Members that may be written; each is checked before the next is looked for."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._seen: set[PurePosixPath] = set()
        self._total = 0

    def all(self, members: Iterator[_Member]) -> list[_Member]:
        return [self._check(member) for member in members]

    def _check(self, member: _Member) -> _Member:
        archive = self._archive
        path = PurePosixPath(member.name.replace("\\", "/"))
        drive = bool(path.parts) and ":" in path.parts[0]
        if path.is_absolute() or ".." in path.parts or drive or "\0" in member.name:
            raise DataError(f"{archive}: its member '{member.name}' leads outside; not unpacked")
        if not (member.is_file or member.is_folder):
            raise DataError(f"{archive}: its member '{member.name}' is a link or device; refused")
        if member.is_file and path in self._seen:
            raise DataError(f"{archive}: holds '{member.name}' twice; not unpacked")
        self._seen.add(path)
        if len(self._seen) > limits.ARCHIVE_MEMBERS:
            raise DataError(f"{archive}: holds more than {limits.ARCHIVE_MEMBERS:,} members")
        self._total += member.size
        if self._total > _allowed(archive):
            grown = self._total / limits.GIB
            raise DataError(f"{archive}: would grow to {grown:.1f} GiB; refused as a bomb")
        return member


def _write(archive: Path, member: _Member, read: _Read, folder: Path) -> None:
    place = folder.joinpath(*PurePosixPath(member.name.replace("\\", "/")).parts)
    if member.is_folder:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    source = read(member.handle)
    if source is None:
        raise DataError(f"{archive}: its member '{member.name}' holds no file; not unpacked")
    with source, place.open("xb") as sink:
        shutil.copyfileobj(source, sink, _BLOCK)
