"""Archives are unpacked into their folder and nowhere else; downloads are continued and checked."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import itertools
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from local_server import serving

from i2ibench import limits, registry
from i2ibench.data import archives
from i2ibench.data.archives import unpack
from i2ibench.data.dataset import open_dataset
from i2ibench.data.fetch import fetch_dataset
from i2ibench.data.images import write_png
from i2ibench.data.resolve import catalogue_card
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.files import read_json

_NUMBERS = itertools.count()


ABSOLUTE = str(Path(tempfile.gettempdir()) / "absolute-i2ibench.txt")


def tar(path: Path, *members: tarfile.TarInfo | str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            content = b"content" if info.isreg() else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def everything_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_plain_archive_is_unpacked(tmp_path: Path) -> None:
    names = ["a/[1] + é.txt", "b.txt"]
    assert unpack(tar(tmp_path / "a.tar.gz", *names), tmp_path / "tar") == 2
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    assert unpack(tmp_path / "a.zip", tmp_path / "zip") == 2
    assert everything_below(tmp_path / "tar") == everything_below(tmp_path / "zip")


@pytest.mark.parametrize(
    "member",
    [
        "../outside.txt",
        "a/../../outside.txt",
        ABSOLUTE,
        "C:\\windows.txt",
        "..\\outside.txt",
        special("link", tarfile.SYMTYPE, "/etc"),
        special("link", tarfile.SYMTYPE, "inside.txt"),
        special("hard", tarfile.LNKTYPE, "first.txt"),
        special("pipe", tarfile.FIFOTYPE),
        special("device", tarfile.CHRTYPE),
        "first.txt",
    ],
    ids=lambda member: f"{member.name} {member.linkname}" if hasattr(member, "name") else member,
)
def test_a_hostile_tar_is_refused_before_anything_is_written(tmp_path: Path, member) -> None:
    archive = tar(tmp_path / "a.tar.gz", "first.txt", member)
    before = everything_below(tmp_path)
    with pytest.raises(DataError, match=r"a\.tar\.gz"):
        unpack(archive, tmp_path / "x" / "into")
    assert everything_below(tmp_path) == before
    assert not Path(ABSOLUTE).exists()


@pytest.mark.parametrize("name", ["../outside.txt", ABSOLUTE, "a/../../b.txt"])
def test_a_hostile_zip_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("first.txt", b"content")
        archive.writestr(name, b"content")
    with pytest.raises(DataError, match="leads outside"):
        unpack(tmp_path / "a.zip", tmp_path / "x" / "into")
    assert everything_below(tmp_path) == {"a.zip"}


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc")
    with pytest.raises(DataError, match="link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "into")


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_ALWAYS_ALLOWED_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 25))
    with pytest.raises(DataError, match="refused as a bomb"):
        unpack(tmp_path / "a.zip", tmp_path / "into")


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    whole = tar(tmp_path / "a.tar.gz", *(f"{index}.txt" for index in range(200)))
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:-300])
    (tmp_path / "text.zip").write_text("no archive")
    for name in ("cut.tar.gz", "text.zip"):
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            unpack(tmp_path / name, tmp_path / "into")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A small data set as its authors would offer it."""
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for index in range(3):
            image = generator.integers(0, 256, (32, 64, 3), np.uint8)
            write_png(tmp_path / "made" / split / f"{index}.png", image)
    path = tmp_path / "pairs.tar.gz"
    with tarfile.open(path, "w:gz") as opened:
        opened.add(tmp_path / "made", arcname="pairs")
    return path


def register(url: str, sha256: str | None = None, **changes: object) -> str:
    """Register a data set to be fetched from ``url`` and return its name."""
    name = f"fetched-{next(_NUMBERS)}"
    download = {"url": url, "folder": "pairs"} | ({"sha256": sha256} if sha256 else {})
    card = {"title": "t", "layouts": [{"kind": "strip"}], "download": download}
    registry.datasets.register(name, card | changes)
    return name


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_archive_is_fetched_unpacked_and_recorded(archive: Path, tmp_path: Path) -> None:
    name = register(archive.as_uri())
    fetched = fetch_dataset(name, data_root=tmp_path / "data")
    assert fetched.folder == tmp_path / "data" / name
    assert (fetched.sha256, fetched.hash_was_known) == (digest(archive), False)
    assert read_json(fetched.folder / "download.json")["sha256"] == digest(archive)
    assert len(open_dataset(name, data_root=tmp_path / "data")) == 3
    with pytest.raises(UsageError, match="already there"):
        fetch_dataset(name, data_root=tmp_path / "data")


def test_a_fetched_set_is_found_in_the_cache(archive: Path) -> None:
    name = register(archive.as_uri(), digest(archive))
    assert fetch_dataset(name).hash_was_known
    assert len(open_dataset(name, "train")) == 3


def test_the_only_folder_of_an_archive_is_taken_where_the_card_names_none(archive, tmp_path):
    name = register(archive.as_uri(), download={"url": archive.as_uri()})
    fetch_dataset(name, data_root=tmp_path / "data")
    assert len(open_dataset(name, data_root=tmp_path / "data")) == 3
    card = catalogue_card("her2match")
    assert card.download.url == "https://zenodo.org/records/15797050/files/tiles.zip"
    assert card.download.sha256 is None and "not read" in card.licence


def test_a_wrong_hash_leaves_nothing(archive: Path, tmp_path: Path) -> None:
    name = register(archive.as_uri(), "0" * 64)
    with pytest.raises(MissingError, match=r"not the one of sha256 000000000000"):
        fetch_dataset(name, data_root=tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_an_archive_of_something_else_leaves_nothing(archive: Path, tmp_path: Path) -> None:
    layouts = [{"kind": "folders", "source": "HE/{split}", "target": "IHC/{split}"}]
    name = register(archive.as_uri(), layouts=layouts)
    with pytest.raises(DataError, match="does not hold"):
        fetch_dataset(name, data_root=tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_what_cannot_be_fetched_says_what_to_do() -> None:
    with pytest.raises(MissingError, match=r"'bci' has no public download; accept the terms"):
        fetch_dataset("bci")
    with pytest.raises(UsageError, match="drawn on first use"):
        fetch_dataset("synthetic")
    with pytest.raises(MissingError, match=r"could not be fetched.*unpack it into"):
        fetch_dataset(register("file:///nowhere/pairs.tar.gz"))


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves one file with ranges; breaks off in the middle of the first answer."""

    content = b""
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = self.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if wanted else body[: len(body) // 2])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(archive: Path) -> Iterator[str]:
    """Where a server on this machine offers the archive."""
    _Server.content, _Server.asked = archive.read_bytes(), []
    with serving(_Server) as place:
        yield f"{place}/resumed-pairs.tar.gz"


def test_a_broken_download_is_continued(archive: Path, address: str, tmp_path: Path) -> None:
    name = register(address, digest(archive))
    with pytest.raises(MissingError, match="run again to continue"):
        fetch_dataset(name, data_root=tmp_path / "data")
    assert not (tmp_path / "data").exists()
    seen: list[int] = []
    fetch_dataset(name, data_root=tmp_path / "data", progress=lambda done, _: seen.append(done))
    assert _Server.asked == [None, f"bytes={len(_Server.content) // 2}-"]
    assert seen[-1] == len(_Server.content)
    assert len(open_dataset(name, data_root=tmp_path / "data")) == 3


def _compressed(path: Path, mode: str) -> bytes:
    with tarfile.open(path, mode) as archive:
        for index in range(5):
            info = tarfile.TarInfo(f"{index}.bin")
            info.size = 700
            archive.addfile(info, io.BytesIO(np.random.default_rng(index).bytes(700)))
    return path.read_bytes()


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_a_flipped_bit_of_a_compressed_archive_writes_nothing_wrong(
    tmp_path: Path, mode: str
) -> None:
    """Also in the last bytes, a checksum that nobody need read to have all files."""
    path = tmp_path / "a.archive"
    if mode == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for index in range(5):
                archive.writestr(f"{index}.bin", np.random.default_rng(index).bytes(700))
        right = path.read_bytes()
    else:
        right = _compressed(path, mode)
    ends = len(right) - 8 if mode == "w:gz" else len(right) - 20
    refused = 0
    places = [*range(ends, len(right)), *range(40, len(right), len(right) // 40)]
    for place in places:
        changed = bytearray(right)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        into = tmp_path / f"into-{place}"
        try:
            unpack(path, into)
        except DataError as error:
            assert "a.archive" in str(error)
            assert not into.exists(), "nothing is written of an archive that is damaged"
            refused += 1
            continue
        for file in into.iterdir():  # in a field that says nothing of content, as a time stamp
            index = int(file.stem)
            assert file.read_bytes() == np.random.default_rng(index).bytes(700)
    assert refused >= (len(places) if mode == "w:gz" else len(places) // 2)


def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(DataError, match=r"a\.tar: .*bomb"):
        unpack(tmp_path / "a.tar", tmp_path / "into")


def test_an_archive_of_too_many_members_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_MEMBERS", 3)
    with pytest.raises(DataError, match=r"a\.tar\.gz: holds more than 3 members"):
        unpack(tar(tmp_path / "a.tar.gz", "1", "2", "3", "4"), tmp_path / "into")


def test_an_archive_that_goes_on_after_its_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ARCHIVE_ALWAYS_ALLOWED_BYTES", 1 << 20)
    with gzip.open(tmp_path / "a.tar.gz", "wb") as archive:
        archive.write(bytes(10240))
        for _ in range(40):
            archive.write(bytes(1 << 20))
    with pytest.raises(DataError, match=r"a\.tar\.gz: .*bomb"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "into")


def test_a_full_disk_is_no_fault_of_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space"):
        unpack(tar(tmp_path / "a.tar.gz", "1"), tmp_path / "into")
