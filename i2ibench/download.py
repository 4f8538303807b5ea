"""One downloader: continued where it broke off, checked before the file takes its name."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import filelock

from i2ibench import limits
from i2ibench.download_parts import (
    Kept,
    content_range,
    forget,
    kept_part,
    remember,
    stated_length,
    validator,
)
from i2ibench.errors import I2IBenchError, MissingError, named
from i2ibench.escaping import visible
from i2ibench.files import sha256_file
from i2ibench.reading import open_regular

# (bytes so far, bytes in all or None)
Progress = Callable[[int, "int | None"], None]

UNCHECKED_OPTION = "--allow-unchecked"

_BLOCK = 1 << 20
_LONGEST = 300  # of what a server says of itself
_DIGITS = 20  # of a length; more are no length
_WHOLE, _PARTIAL_CONTENT, _NOTHING_LEFT = 200, 206, 416

_WEB = frozenset({"http", "https"})
# A card of one's own may name an archive on this machine; no server may.
_SCHEMES = _WEB | {"file"}
# Nobody stands between this machine and itself.
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


class NotFetchedError(MissingError):
    """No address gave the file; the message names the file, each address and what went wrong.

    Attributes:
        can_continue: whether the next call goes on where this one broke off.
    """

    def __init__(self, message: str, *, can_continue: bool) -> None:
        super().__init__(message)
        self.can_continue = can_continue


class _FailedError(Exception):
    """Why one address did not give the file."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file, and what is known of it before it comes; ``part`` grows until it is whole."""

    part: Path
    sha256: str | None
    most: int
    allow_unchecked: bool
    progress: Progress | None


def download(
    urls: Sequence[str],
    place: Path,
    *,
    sha256: str | None,
    most: int | None = None,
    allow_unchecked: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Download a file to ``place`` from the first of ``urls`` that gives it; return ``place``.

    A file that is already there, with the right hash where one is known, is kept. What has come of
    a broken download lies in ``<place>.part``, and the next call goes on there where the server
    can; without a known hash only if the server says that the file is still the same. Bytes of
    another hash are deleted. Two processes that want the same file wait for each other.

    Args:
        urls: web addresses, tried in order; a ``file:`` address of this machine is one too.
        place: the file to be; it appears only when it is complete.
        sha256: of the content, hexadecimal; None where it is not known.
        most: bytes that the file may have; by default a bound that no data set reaches.
        allow_unchecked: whether a file without a known hash may come over plain http, where
            nothing tells if it was changed on the way.
        progress: called after each block.

    Raises:
        NotFetchedError: no address gave the file.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    limit = limits.DOWNLOAD_BYTES if most is None else most
    wanted = _Wanted(part, sha256, limit, allow_unchecked, progress)
    with filelock.FileLock(place.with_name(f".{place.name}.lock")):
        if place.is_file() and (sha256 is None or sha256_file(place) == sha256):
            return place
        problems = []
        for url in urls:
            try:
                _fetch(url, wanted)
            except _FailedError as error:
                problems.append(f"{url} ({error})")
            else:
                part.replace(place)
                forget(part)
                return place
        raise NotFetchedError(
            f"{place.name} could not be fetched from {' or '.join(problems) or 'nowhere'}",
            can_continue=_can_continue(urls, wanted),
        )


def _can_continue(urls: Sequence[str], wanted: _Wanted) -> bool:
    """Whether a part may be continued; one that may not is removed."""
    known = wanted.sha256 is not None
    if any(kept_part(wanted.part, url, hash_is_known=known).size for url in urls):
        return True
    wanted.part.unlink(missing_ok=True)
    forget(wanted.part)
    return False


def _fetch(url: str, wanted: _Wanted) -> None:
    """Bring ``url`` to ``part``; what was continued and does not fit is begun anew, once."""
    _check_address(url, wanted)
    kept = kept_part(wanted.part, url, hash_is_known=wanted.sha256 is not None)
    if kept.size == 0:
        forget(wanted.part)
    sent = "nothing"
    for start in dict.fromkeys((kept, Kept())):
        if _receive(url, start, wanted):
            if wanted.sha256 is None:
                return
            digest = sha256_file(wanted.part)
            if digest == wanted.sha256:
                return
            sent = f"a file of sha256 {digest[:12]}..."
        forget(wanted.part)  # wrong bytes must not be continued
        wanted.part.unlink(missing_ok=True)
    raise _FailedError(f"sent {sent}, not the one of sha256 {str(wanted.sha256)[:12]}...")


def _check_address(url: str, wanted: _Wanted) -> None:
    with _explained():
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    if scheme not in _SCHEMES:
        raise _FailedError("is no address of the web (http or https)")
    if scheme == "file":
        with _explained():
            open_regular(Path(urllib.request.url2pathname(parts.path))).close()
    if scheme == "http" and host not in _THIS_MACHINE and not _may_be_plain(wanted):
        raise _FailedError(
            "is plain http and nobody has stated the file's sha256, so nothing tells whether it "
            f"was changed on the way; {UNCHECKED_OPTION} fetches it all the same"
        )


def _may_be_plain(wanted: _Wanted) -> bool:
    return wanted.sha256 is not None or wanted.allow_unchecked


def _receive(url: str, kept: Kept, wanted: _Wanted) -> bool:
    """Receive ``url`` from where ``kept`` ends; False where the answer does not continue it."""
    request = urllib.request.Request(url, headers={"User-Agent": "i2ibench"})  # noqa: S310
    request.add_header("Accept-Encoding", "identity")
    if kept.size:
        request.add_header("Range", f"bytes={kept.size}-")
        if kept.validator:
            request.add_header("If-Range", kept.validator)
    opener = urllib.request.build_opener(_OnlyToTheWeb(_may_be_plain(wanted)))
    with _explained():
        try:
            response: Any = opener.open(request, timeout=limits.DOWNLOAD_SILENCE_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == _NOTHING_LEFT and kept.size:
                    return stated_length(error.headers) in {kept.size, None}
                raise
    with response:
        start = _start(response, kept, wanted)
        if start is None:
            return False
        total = _total(response.headers, start, wanted)
        remember(wanted.part, Kept(start, url, validator(response.headers), total))
        _write(response, start, total, wanted)
    return True


def _start(response: Any, kept: Kept, wanted: _Wanted) -> int | None:
    """Return the byte at which an answer begins; None where it does not continue what is kept."""
    status, headers = response.status or _WHOLE, response.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _FailedError("sends the file in an encoding that was not asked for")
    if status == _WHOLE:
        return 0  # the server sends the file from its start
    if status != _PARTIAL_CONTENT or not kept.size:
        raise _FailedError(f"answered with status {status}, not with the file")
    first, total = content_range(headers)
    if first is None and wanted.sha256 is not None:
        first = kept.size  # its hash tells in the end
    other = kept.validator and validator(headers) not in {"", kept.validator}
    if first != kept.size or (kept.total and total not in {None, kept.total}) or other:
        return None
    return kept.size


def _total(headers: Message, start: int, wanted: _Wanted) -> int | None:
    length = headers.get("Content-Length")
    if length is None:
        return None
    if not (length.isascii() and length.isdecimal() and len(length) < _DIGITS):
        raise _FailedError(f"states a length that is no number: {length[:40]!r}")
    total = start + int(length)
    if total > wanted.most:
        raise _too_large(wanted)
    free = shutil.disk_usage(wanted.part.parent).free
    if total - start > free:
        raise _FailedError(
            f"has {total / limits.GIB:.1f} GiB, and {wanted.part.parent} has room for "
            f"{free / limits.GIB:.1f}; free some, or choose another $I2IBENCH_CACHE"
        )
    return total


def _write(response: Any, have: int, total: int | None, wanted: _Wanted) -> None:
    with wanted.part.open("ab" if have else "wb") as sink:
        while True:
            with _explained():
                block = response.read(_BLOCK)
            if not block:
                break
            have += len(block)
            if have > wanted.most:
                break
            sink.write(block)
            if wanted.progress is not None:
                wanted.progress(have, total)
    if have > wanted.most:
        wanted.part.unlink()
        raise _too_large(wanted)
    if total is not None and have < total:
        raise _FailedError(f"broke off after {have} of {total} bytes")


def _too_large(wanted: _Wanted) -> _FailedError:
    return _FailedError(f"sends more than the {wanted.most / limits.MIB:,.0f} MiB expected")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever goes wrong between here and a server into its reason."""
    try:
        yield
    except (_FailedError, MemoryError):
        raise
    except urllib.error.HTTPError as error:
        raise _FailedError(_in_a_line(f"answered {error.code} {error.reason}")) from None
    except urllib.error.URLError as error:
        reason = error.reason
        text = named(reason) if isinstance(reason, Exception) else str(reason)
        raise _FailedError(_in_a_line(text)) from None
    except I2IBenchError as error:
        raise _FailedError(str(error)) from None
    # A server can bring any error out of the libraries that talk with it.
    except Exception as error:
        raise _FailedError(_in_a_line(named(error))) from None


def _in_a_line(text: str) -> str:
    """Return what a server made of an error as a line that moves no cursor."""
    return visible(" ".join(text.split())[:_LONGEST])


class _OnlyToTheWeb(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https and to nothing else, such as files of this machine."""

    def __init__(self, may_be_plain: bool) -> None:
        self._may_be_plain = may_be_plain

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        parts = urlsplit(newurl)
        if parts.scheme not in _WEB:
            raise _FailedError(f"sends to {newurl}, which is no address of the web")
        plain = parts.scheme == "http" and parts.hostname not in _THIS_MACHINE
        if plain and not self._may_be_plain:
            raise _FailedError(f"sends to {newurl}, which is plain http; {UNCHECKED_OPTION}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
