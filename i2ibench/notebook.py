"""How objects print: a few lines in a terminal, in a notebook tables and small pictures."""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Title, header, rows.
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

_CELL = "padding:2px 8px;border-bottom:1px solid rgba(128,128,128,.3);vertical-align:top"
_LONGEST_SIDE = 900
# Of JPEG: a picture of a run then takes about 100 KB of a notebook.
_QUALITY = 80


class Strong(str):
    """A cell that a table prints bold."""

    __slots__ = ()


class Picture(NamedTuple):
    """A picture and what is written below it."""

    caption: str
    pixels: npt.NDArray[np.uint8]  # (H, W, 3), RGB


class Printed:
    """Base of objects that print as ``_lines`` says, and in notebooks with tables and pictures."""

    __slots__ = ()

    def _lines(self) -> Sequence[str]:
        """Return what a terminal shows, about three lines."""
        raise NotImplementedError

    def _tables(self) -> Iterable[Table]:
        """Return what a notebook shows below the lines."""
        return ()

    def _pictures(self) -> Iterable[Picture]:
        """Return what a notebook shows at the end."""
        return ()

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        lines = "<br>".join(html.escape(line) for line in self._lines())
        tables = [html_table(*table) for table in self._tables()]
        pictures = [html_picture(picture) for picture in self._pictures()]
        return "\n".join([f"<div>{lines}</div>", *tables, *pictures])


def html_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; whatever its texts hold is shown and never read as HTML."""
    width = max(len(row) for row in [header, *rows])
    columns = [[row[number] for row in rows if number < len(row)] for number in range(width)]
    sides = ["left" if any(map(_is_text, column)) else "right" for column in columns]
    sides[:1] = ["left"]
    head = _row("th", header, sides)
    body = "".join(_row("td", row, sides) for row in rows)
    above = f'<div style="margin-top:8px">{html.escape(title)}</div>' if title else ""
    style = "border-collapse:collapse;margin:2px 0 8px"
    return f'{above}<table style="{style}"><thead>{head}</thead><tbody>{body}</tbody></table>'


def html_picture(picture: Picture) -> str:
    """Return a picture that needs no file: a JPEG within the address."""
    from PIL import Image

    image = Image.fromarray(picture.pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    words = html.escape(picture.caption)
    source = f'<img alt="{words}" style="max-width:100%" src="data:image/jpeg;base64,{data}">'
    style = "display:inline-block;margin:8px 12px 8px 0"
    return f'<figure style="{style}">{source}<figcaption>{words}</figcaption></figure>'


def thumbnail(pixels: npt.NDArray[np.uint8], side: int = 200) -> npt.NDArray[np.uint8]:
    """Return an image (H, W, 3) whose longer side is at most ``side`` pixels."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return np.asarray(image)


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


def _is_text(cell: str) -> bool:
    return any(letter.isalpha() for letter in cell) and cell not in {"inf", "nan"}


def _row(tag: str, cells: Sequence[str], sides: Sequence[str]) -> str:
    shown = []
    for cell, align in zip(cells, sides, strict=False):
        words = html.escape(cell).replace("\n", "<br>")
        words = f"<b>{words}</b>" if isinstance(cell, Strong) else words
        shown.append(f'<{tag} style="text-align:{align};{_CELL}">{words}</{tag}>')
    return f"<tr>{''.join(shown)}</tr>"
