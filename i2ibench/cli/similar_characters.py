"""Characters that a stream's encoding lacks, replaced by similar ones it has."""

from __future__ import annotations

import codecs
import io
import json
import sys
import unicodedata

# What our own texts hold beyond ASCII; others lose their accents, or become "?".
_SIMILAR = {
    "↑": "^",
    "↓": "v",
    "→": "->",
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "›": ">",
    "×": "x",
    "±": "+-",
    "·": ".",
    "•": "*",
    "Δ": "d",
    "≤": "<=",
    "≥": ">=",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "µ": "u",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "─": "-",
}


def replace_what_streams_cannot_show() -> None:
    """Let stdout and stderr replace characters, for which Python would raise an error."""
    codecs.register_error("i2ibench.similar", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="i2ibench.similar")


def as_shown(text: str, encoding: str | None) -> str:
    """Return text as a stream of ``encoding`` will show it, to lay it out by its true width."""
    codecs.register_error("i2ibench.similar", _replace)
    encoding = encoding or "utf-8"
    return text.encode(encoding, "i2ibench.similar").decode(encoding)


def escaped_for_json(text: str, encoding: str | None) -> str:
    """Return JSON with ``\\u`` escapes for what ``encoding`` lacks, so that no name is changed."""
    codecs.register_error("i2ibench.json", _escape)
    encoding = encoding or "utf-8"
    return text.encode(encoding, "i2ibench.json").decode(encoding)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_similar(character) for character in missing), error.end


def _similar(character: str) -> str:
    if character in _SIMILAR:
        return _SIMILAR[character]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return plain or ("" if unicodedata.combining(character) else "?")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
