"""The one downloader continues what broke off, keeps no wrong byte and never leaves the web."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from local_server import serving

from i2ibench.download import NotFetchedError, download
from i2ibench.errors import MissingError

CONTENT = bytes(range(256)) * 1024
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOBODY = "http://127.0.0.1:9/file.bin"  # an address at which nobody answers


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves ``content`` under any path; the path says how."""

    content: ClassVar[bytes] = CONTENT
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        size = len(self.content)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/no-ranges":
            self._send(200, self.content)
        elif self.path == "/other-range" and wanted:
            self._send(206, self.content[start + 7 :], f"bytes {start + 7}-{size - 1}/{size}")
        elif start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
        elif wanted:
            self._send(206, self.content[start:], f"bytes {start}-{size - 1}/{size}")
        else:
            self._send(200, self.content, stop=size // 2 if self.path == "/breaks" else None)

    def _send(self, code: int, body: bytes, span: str = "", stop: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        self.wfile.write(body[:stop])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server on this machine."""
    _Server.content, _Server.asked = CONTENT, []
    with serving(_Server) as address:
        yield address


def _kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_file_is_downloaded_once(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    place = tmp_path / "new" / "file.bin"
    for _ in range(2):
        found = download([f"{server}/x"], place, sha256=SHA256, progress=lambda *p: seen.append(p))
        assert found == place
    assert place.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert _Server.asked == [None]
    assert _kept(place.parent) == ["file.bin"]


def test_a_file_of_another_content_is_replaced(server: str, tmp_path: Path) -> None:
    place = tmp_path / "file.bin"
    place.write_bytes(b"other")
    assert download([f"{server}/x"], place, sha256=SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/breaks", [None, f"bytes={len(CONTENT) // 2}-"]),
        ("/no-ranges", [f"bytes={len(CONTENT) // 2}-"]),
        ("/other-range", [f"bytes={len(CONTENT) // 2}-", None]),
    ],
)
def test_what_broke_off_is_continued_as_the_server_can(
    server: str, tmp_path: Path, path: str, asked: list[str | None]
) -> None:
    place, part = tmp_path / "file.bin", tmp_path / "file.bin.part"
    if path == "/breaks":
        with pytest.raises(NotFetchedError, match=r"file\.bin .*/breaks .*broke off") as caught:
            download([server + path], place, sha256=SHA256)
        assert caught.value.can_continue
        assert _kept(tmp_path) == [part.name], "the name stands only for the whole file"
    else:
        part.write_bytes(CONTENT[: len(CONTENT) // 2])
    assert download([server + path], place, sha256=SHA256).read_bytes() == CONTENT
    assert _Server.asked == asked
    assert _kept(tmp_path) == [place.name]


def test_a_part_that_is_whole_needs_no_byte_more(server: str, tmp_path: Path) -> None:
    place = tmp_path / "file.bin"
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert download([f"{server}/x"], place, sha256=SHA256).read_bytes() == CONTENT
    assert _Server.asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_that_is_longer_than_the_file_is_begun_anew(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    place = download([f"{server}/x"], tmp_path / "file.bin", sha256=SHA256)
    assert place.read_bytes() == CONTENT


def test_a_wrong_part_is_begun_anew_in_the_same_call(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"wrong" * 100)
    place = download([f"{server}/x"], tmp_path / "file.bin", sha256=SHA256)
    assert place.read_bytes() == CONTENT
    assert _Server.asked == ["bytes=500-", None]


def test_wrong_bytes_are_neither_kept_nor_continued(server: str, tmp_path: Path) -> None:
    place = tmp_path / "file.bin"
    _Server.content = b"other bytes"
    with pytest.raises(NotFetchedError, match=SHA256[:8]) as caught:
        download([f"{server}/x"], place, sha256=SHA256)
    assert not caught.value.can_continue
    assert _kept(tmp_path) == []
    _Server.content = CONTENT
    assert download([f"{server}/x"], place, sha256=SHA256).read_bytes() == CONTENT


def test_addresses_are_tried_in_their_order(server: str, tmp_path: Path) -> None:
    place = tmp_path / "file.bin"
    assert download([NOBODY, f"{server}/x"], place, sha256=SHA256).read_bytes() == CONTENT
    other = tmp_path / "other.bin"
    with pytest.raises(MissingError) as caught:
        download([NOBODY, f"{server}/to/{server}/to/file:///etc/hosts"], other, sha256=None)
    assert str(caught.value).startswith("other.bin ")
    assert NOBODY in str(caught.value) and server in str(caught.value)


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_a_redirect_off_the_web_is_refused(server: str, tmp_path: Path, scheme: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    targets = {"file": secret.as_uri(), "ftp": "ftp://127.0.0.1/x", "data": "data:,x"}
    place = tmp_path / "new" / "file.bin"
    with pytest.raises(NotFetchedError, match="could not be fetched"):
        download([f"{server}/to/{targets[scheme]}"], place, sha256=None)
    assert _kept(place.parent) == []


def test_a_redirect_on_the_web_is_followed(server: str, tmp_path: Path) -> None:
    place = tmp_path / "file.bin"
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    assert download([f"{server}/to/{server}/x"], place, sha256=SHA256).read_bytes() == CONTENT
    assert _Server.asked == ["bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "data:,x", "x.zip", "", "http://[", "http:"])
def test_what_is_no_web_address_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotFetchedError, match=r"file\.bin could not be fetched"):
        download([url], tmp_path / "file.bin", sha256=None)


def test_two_at_once_download_once(server: str, tmp_path: Path) -> None:
    place = tmp_path / "file.bin"
    threads = [
        threading.Thread(target=download, args=([f"{server}/x"], place), kwargs={"sha256": SHA256})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.read_bytes() == CONTENT
    assert _Server.asked == [None]
