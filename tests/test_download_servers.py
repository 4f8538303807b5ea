"""Whatever a server does, a download gives the right bytes or one line, and keeps no wrong byte."""

from __future__ import annotations

import hashlib
import http.server
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from local_server import serving

from i2ibench import download as downloads
from i2ibench import limits
from i2ibench.download import NotFetchedError, download

CONTENT = bytes(range(256)) * 64
OTHER = bytes(reversed(range(256))) * 64
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZE, HALF = len(CONTENT), len(CONTENT) // 2
_OK = b"HTTP/1.1 200 OK\r\n"

# What a server sends, byte for byte, before it closes the connection.
ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "garbage": b"\x00\xff\x00garbage\r\n\r\n",
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a status": b"HTTP/1.1 2",
    "status is no number": b"HTTP/1.1 OK OK\r\n\r\n",
    "status of 4 digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "escape codes as reason": b"HTTP/1.1 500 \x1b[31mred\x1b]0;title\x07\r\n\r\n",
    "needs a password": b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm\r\n\r\n",
    "too many requests": b"HTTP/1.1 429 Slow down\r\nRetry-After: 9\r\n\r\n",
    "length is no number": _OK + b"Content-Length: many\r\n\r\n",
    "length is negative": _OK + b"Content-Length: -5\r\n\r\n",
    "length in other digits": _OK + "Content-Length: ٣\r\n\r\n".encode(),
    "length beyond everything": _OK + b"Content-Length: 999999999999999999999\r\n\r\nx",
    "length of too many digits": _OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nx",
    "two lengths": _OK + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\nabcdefghi",
    "breaks off": _OK + b"Content-Length: 16384\r\n\r\n" + CONTENT[:HALF],
    "a header without end": _OK + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "too many headers": _OK + b"X: a\r\n" * 300 + b"\r\n",
    "a header that is none": _OK + b"no colon here\r\n\r\n" + OTHER,
    "broken chunks": _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "chunks of no size": _OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "chunks of negative size": _OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n",
    "an encoding": _OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "a part nobody asked for": b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-2/9\r\n\r\nabc",
    "a web page": _OK + b"Content-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "another file": _OK + b"Content-Length: 16384\r\n\r\n" + OTHER,
    "redirect to a file": b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n",
    "redirect to nowhere": b"HTTP/1.1 302 F\r\nLocation: http://\r\n\r\n",
    "redirect without place": b"HTTP/1.1 302 F\r\n\r\n",
    "redirect to itself": b"HTTP/1.1 302 F\r\nLocation: /\r\n\r\n",
    "redirect to no address": b"HTTP/1.1 302 F\r\nLocation: http://[::1/\r\n\r\n",
    "redirect to a bad port": b"HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:99999/\r\n\r\n",
}


class _Server(http.server.BaseHTTPRequestHandler):
    """Sends ``answer``, or ``content`` by ranges with an ETag, the first time half of it."""

    answer: ClassVar[bytes | None] = None
    content: ClassVar[bytes] = CONTENT
    tag: ClassVar[str] = '"one"'
    heeds_if_range: ClassVar[bool] = True
    whole: ClassVar[bool] = False
    asked: ClassVar[list[tuple[str | None, str | None]]] = []

    def do_GET(self) -> None:
        kind, wanted = type(self), self.headers.get("Range")
        kind.asked.append((wanted, self.headers.get("If-Range")))
        if self.answer is not None:
            self.wfile.write(self.answer)
            return
        same = not self.heeds_if_range or self.headers.get("If-Range") in {None, self.tag}
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and same else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{SIZE - 1}/{len(self.content)}")
        if self.tag:
            self.send_header("ETag", self.tag)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start : None if start or self.whole else HALF])
        kind.whole = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on this machine."""
    for name, value in (("answer", None), ("content", CONTENT), ("tag", '"one"')):
        monkeypatch.setattr(_Server, name, value)
    for name, value in (("heeds_if_range", True), ("whole", False), ("asked", [])):
        monkeypatch.setattr(_Server, name, value)
    with serving(_Server) as address:
        yield f"{address}/file.bin"


def _kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_server_that_misbehaves_is_one_line(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(_Server, "answer", answer)
    with pytest.raises(NotFetchedError) as caught:
        download([server], tmp_path / "file.bin", sha256=SHA256)
    message = str(caught.value)
    assert server in message and message.isprintable()
    assert message.split(server, 1)[1].strip() != "()"
    assert "file.bin" not in _kept(tmp_path)
    monkeypatch.setattr(_Server, "answer", None)
    monkeypatch.setattr(_Server, "whole", True)
    place = download([server], tmp_path / "file.bin", sha256=SHA256)
    assert place.read_bytes() == CONTENT
    assert _kept(tmp_path) == ["file.bin"]


def _break_off(server: str, place: Path) -> None:
    with pytest.raises(NotFetchedError, match="broke off") as caught:
        download([server], place, sha256=None)
    assert caught.value.can_continue is bool(_Server.tag)


def test_without_a_hash_a_part_is_continued_only_as_the_same_file(
    server: str, tmp_path: Path
) -> None:
    _break_off(server, tmp_path / "file.bin")
    place = download([server], tmp_path / "file.bin", sha256=None)
    assert place.read_bytes() == CONTENT
    assert _Server.asked == [(None, None), (f"bytes={HALF}-", '"one"')]
    assert _kept(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_the_second_half_of_another_file_is_never_joined(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heeds_if_range: bool
) -> None:
    _break_off(server, tmp_path / "file.bin")
    monkeypatch.setattr(_Server, "content", OTHER)
    monkeypatch.setattr(_Server, "tag", '"two"')
    monkeypatch.setattr(_Server, "heeds_if_range", heeds_if_range)
    assert download([server], tmp_path / "file.bin", sha256=None).read_bytes() == OTHER


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_a_part_of_a_file_that_nothing_identifies_is_begun_anew(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    monkeypatch.setattr(_Server, "tag", tag)
    with pytest.raises(NotFetchedError, match="broke off") as caught:
        download([server], tmp_path / "file.bin", sha256=None)
    assert not caught.value.can_continue
    assert _kept(tmp_path) == []
    assert download([server], tmp_path / "file.bin", sha256=None).read_bytes() == CONTENT
    assert _Server.asked == [(None, None), (None, None)]


def test_a_part_of_another_address_is_not_continued(server: str, tmp_path: Path) -> None:
    _break_off(server, tmp_path / "file.bin")
    assert download([f"{server}?2"], tmp_path / "file.bin", sha256=None).read_bytes() == CONTENT
    assert _Server.asked == [(None, None), (None, None)]


@pytest.mark.parametrize("says_its_length", [True, False])
def test_no_more_is_taken_than_the_file_may_have(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_its_length: bool
) -> None:
    length = b"Content-Length: 16384\r\n" if says_its_length else b""
    monkeypatch.setattr(_Server, "answer", _OK + length + b"\r\n" + CONTENT)
    with pytest.raises(NotFetchedError, match="sends more than"):
        download([server], tmp_path / "file.bin", sha256=SHA256, most=SIZE - 1)
    assert _kept(tmp_path) == []
    assert download([server], tmp_path / "file.bin", sha256=SHA256, most=SIZE).exists()


def test_a_server_that_falls_silent_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DOWNLOAD_SILENCE_SECONDS", 0.05)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(NotFetchedError, match=r"(?i)timed? ?out"):
            download([url], tmp_path / "file.bin", sha256=SHA256)


def test_plain_http_without_a_hash_is_refused_unless_it_is_wanted(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_THIS_MACHINE", frozenset())
    place = tmp_path / "file.bin"
    with pytest.raises(NotFetchedError, match=r"plain http.*--allow-unchecked"):
        download([server], place, sha256=None)
    assert _Server.asked == []
    monkeypatch.setattr(_Server, "whole", True)
    assert download([server], place, sha256=None, allow_unchecked=True).exists()


@pytest.mark.skipif(not hasattr(__import__("os"), "mkfifo"), reason="no named pipes here")
def test_a_pipe_of_this_machine_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path, tmp_path / "gone"):
        with pytest.raises(NotFetchedError, match=str(path)):
            download([path.as_uri()], tmp_path / "file.bin", sha256=None)
