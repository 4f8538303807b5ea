"""One downloader: continued where it broke off, checked before the file takes its name."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import filelock

from i2ibench.errors import MissingError
from i2ibench.files import sha256_file

# (bytes so far, bytes in all or None)
Progress = Callable[[int, "int | None"], None]

_BLOCK = 1 << 20
# Of silence, not of the whole download.
_TIMEOUT_SECONDS = 30.0
_PARTIAL_CONTENT, _NOTHING_LEFT = 206, 416

_WEB = frozenset({"http", "https"})
# A card of one's own may name an archive on this machine; no server may.
_SCHEMES = _WEB | {"file"}

_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
    ValueError,
)


class NotFetchedError(MissingError):
    """No address gave the file; the message names the file, each address and what went wrong.

    Attributes:
        can_continue: whether the next call goes on where this one broke off.
    """

    def __init__(self, message: str, *, can_continue: bool) -> None:
        super().__init__(message)
        self.can_continue = can_continue


def download(
    urls: Sequence[str], place: Path, *, sha256: str | None, progress: Progress | None = None
) -> Path:
    """Download a file to ``place`` from the first of ``urls`` that gives it; return ``place``.

    A file that is already there, with the right hash where one is known, is kept. What has come of
    a broken download lies in ``<place>.part``, and the next call goes on there where the server
    can; a server that cannot sends the file from its start. Bytes of another hash are deleted. Two
    processes that want the same file wait for each other.

    Args:
        urls: web addresses, tried in order; a ``file:`` address of this machine is one too.
        place: the file to be; it appears only when it is complete.
        sha256: of the content, hexadecimal; None where it is not known.
        progress: called after each block.

    Raises:
        NotFetchedError: no address gave the file.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    with filelock.FileLock(place.with_name(f".{place.name}.lock")):
        if place.is_file() and (sha256 is None or sha256_file(place) == sha256):
            return place
        problems = []
        for url in urls:
            try:
                _continue(url, part, progress)
                _check(part, sha256)
            except _NETWORK_ERRORS as error:
                problems.append(f"{url} ({getattr(error, 'reason', None) or error})")
            else:
                part.replace(place)
                return place
        raise NotFetchedError(
            f"{place.name} could not be fetched from {' or '.join(problems)}",
            can_continue=part.exists(),
        )


def _continue(url: str, part: Path, progress: Progress | None) -> None:
    """Download ``url`` to ``part``, from where ``part`` ends if the server can."""
    if urlsplit(url).scheme not in _SCHEMES:
        raise ValueError("is no address of the web (http or https)")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "i2ibench"})  # noqa: S310
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = _OPENER.open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != _NOTHING_LEFT or not have:
                raise
            if _length_of(error.headers) in {have, None}:
                return  # complete, as far as the server tells
        part.unlink()
        return _continue(url, part, progress)
    with response:
        if have and response.status != _PARTIAL_CONTENT:
            have = 0  # the server sends the file from its start
        elif have and _start_of(response.headers, default=have) != have:
            part.unlink()
            return _continue(url, part, progress)
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


def _check(part: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    digest = sha256_file(part)
    if digest != sha256:
        part.unlink()  # wrong bytes must not be continued
        raise ValueError(
            f"sent a file of sha256 {digest[:12]}..., not the one of sha256 {sha256[:12]}..."
        )


def _start_of(headers: Message, default: int) -> int:
    """Return the first byte of a range that was sent, ``bytes 7-99/100``."""
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(found[1]) if found else default


def _length_of(headers: Message) -> int | None:
    """Return the length of the file of which a range was refused, ``bytes */100``."""
    found = re.match(r"bytes \*/(\d+)", headers.get("Content-Range", ""))
    return int(found[1]) if found else None


class _OnlyToTheWeb(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https and to nothing else, such as files of this machine."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in _WEB:
            raise ValueError(f"sends to {newurl}, which is no address of the web")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_OnlyToTheWeb)
