"""What has come of a broken download, and of which file it is a part."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path

from i2ibench.errors import DataError
from i2ibench.files import read_json, write_json


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that may be continued.

    Attributes:
        size: bytes that are there; 0 where nothing may be continued.
        url: where it came from.
        validator: what the server calls this state of the file (its ETag or date), "" for unknown.
        total: bytes of the whole file, where the server said.
    """

    size: int = 0
    url: str = ""
    validator: str = ""
    total: int | None = None


def kept_part(part: Path, url: str, *, hash_is_known: bool) -> Kept:
    """Return what of ``part`` may be continued from ``url``.

    With a known hash that is all of it: a second half of another file is found at the end. Without
    one the server must be able to tell that its file is the same; else the download begins anew.
    """
    size = part.stat().st_size if part.is_file() else 0
    noted = _noted(part)
    if noted is not None and noted.url == url and noted.validator:
        return Kept(size, url, noted.validator, noted.total)
    return Kept(size, url) if hash_is_known else Kept()


def remember(part: Path, kept: Kept) -> None:
    """Note beside a part which file it belongs to, where the server says so."""
    if kept.validator:
        write_json(_note(part), asdict(kept))
    else:
        forget(part)


def forget(part: Path) -> None:
    """Remove the note beside a part."""
    _note(part).unlink(missing_ok=True)


def validator(headers: Message) -> str:
    """Return what a server calls the state of its file; "" where it says nothing that binds."""
    tag = str(headers.get("ETag", "")).strip()
    if tag.startswith('"'):  # a weak tag (W/) holds for files of other bytes too
        return tag
    return str(headers.get("Last-Modified", "")).strip()


def content_range(headers: Message) -> tuple[int | None, int | None]:
    """Return first byte and whole length of a range that was sent, ``bytes 7-99/100``."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", str(headers.get("Content-Range", "")).strip())
    if found is None:
        return None, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def stated_length(headers: Message) -> int | None:
    """Return the length of the file of which a range was refused, ``bytes */100``."""
    found = re.match(r"bytes \*/(\d+)", headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _noted(part: Path) -> Kept | None:
    try:
        content = read_json(_note(part))
        kept = Kept(**content)
        return kept if isinstance(kept.url + kept.validator, str) else None
    except (DataError, OSError, TypeError):
        return None
