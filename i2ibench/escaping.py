"""Text of others, made harmless for where it is shown: pages, tables, papers, terminals.

Names, notes, groups, device names and settings come from files that anybody can write. Each target
has one function here, and whatever writes such a text there calls it.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

# Categories that are not shown or that change how others are: control, format (writing
# direction, zero width), surrogates, private use, unassigned, line and paragraph separators.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

# What begins a tag, a comment or a character reference; "n < 2048" does neither.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_REFERENCE = re.compile(r"&(?=#|[A-Za-z][A-Za-z0-9]*;)")
# What begins a link, a picture, code, emphasis or a formula where it stands.
_MARKUP = re.compile(
    r"\](?=[(\[])|`|\*(?=\*)|(?<=\*)\*|~(?=~)|_(?=_)|(?<=_)_|\$|\\(?=[!-/:-@\[-`{-~])"
)

# How a cell begins that spreadsheets take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def is_seen(character: str) -> bool:
    """Whether a character is shown as itself wherever it stands."""
    return unicodedata.category(character) not in _UNSEEN


def visible(text: str) -> str:
    """Return text in one line in which unseen characters stand as ``\\x1b``, ``\\u202e``.

    That is text for a terminal: it can neither move the cursor nor turn what follows.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if is_seen(each) else _named(each) for each in text)


def markdown(text: str) -> str:
    """Return text that stands in markdown as it is: no tag, link, code or line of its own.

    Bars of a table are left to whoever writes the table.
    """
    text = _MARKUP.sub(r"\\\g<0>", visible(" ".join(text.split())))
    return _TAG.sub("&lt;", _REFERENCE.sub("&amp;", text))


def code(text: str) -> str:
    """Return text as a span of code in markdown, which nothing in it can end."""
    return f"`{visible(' '.join(text.split())).replace('`', chr(39))}`"


def address(url: str) -> str:
    """Return an address of the web as the target of a link in markdown: nothing in it ends it."""
    return quote(url, safe="-._~:/?#@!&+,;=%")


def csv_cell(text: str) -> str:
    """Return a text cell that no spreadsheet runs: an apostrophe goes before a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def latex(text: str) -> str:
    """Return text that LaTeX sets as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in visible(" ".join(text.split())))


def _named(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
