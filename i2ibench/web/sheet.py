"""A sheet: every view of one pair in one picture, the pair's own first, then a row a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from i2ibench.web.derived_views import Picture, density_view, difference_view, outline_view
from i2ibench.web.pictures import fit

# Half of it on every side of a view repeats its border, so that the filters of JPEG and of the
# browser mix no two views.
GUTTER = 8
# Views are as far apart as whole blocks of JPEG, whose side is 16 px where colours are halved: a
# block that held parts of two would paint the colour of one along the border of the other.
BLOCK = 16
_BLURRED = 6


@dataclass(frozen=True, slots=True)
class View:
    """One cell of a sheet: its key in addresses, what it is called, its column and row."""

    key: str
    name: str
    column: int
    row: int


def rows_of(
    source: Picture | None, target: Picture, predicted: Sequence[Picture], *, stain: bool, side: int
) -> list[list[Picture]]:
    """Return the rows of a sheet; ``side`` is the longer side at which a view is shown."""
    first = [target] if source is None else [source, target]
    rows = [[*first, density_view(target)] if stain else first]
    for prediction in predicted:
        row = [prediction, difference_view(prediction, target)]
        if stain:
            row += [density_view(prediction), outline_view(prediction, target, side)]
        rows.append(row)
    return rows


def views_of(methods: int, *, has_source: bool, stain: bool) -> tuple[View, ...]:
    """Return what ``rows_of`` draws, for a page that cuts it out."""
    first = [("s", "source")] if has_source else []
    first += [("t", "target"), *([("td", "target DAB")] if stain else [])]
    views = [View(key, name, column, 0) for column, (key, name) in enumerate(first)]
    own = [("p", "prediction"), ("d", "difference")]
    own += [("b", "prediction DAB"), ("o", "DAB outlines")] if stain else []
    for index in range(methods):
        views += [View(f"{k}{index}", n, column, index + 1) for column, (k, n) in enumerate(own)]
    return tuple(views)


def sheet_of(rows: Sequence[Sequence[Picture]], size: tuple[int, int]) -> Picture:
    """Return the sheet, each view scaled to width and height ``size``."""
    width, height = size
    right, below = pitch(width), pitch(height)
    sheet = np.full((len(rows) * below, max(map(len, rows)) * right, 3), 255, np.uint8)
    lead = GUTTER // 2
    borders = (lead, below - height - lead, lead, right - width - lead)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            cell = cv2.copyMakeBorder(resized(image, size), *borders, cv2.BORDER_REPLICATE)
            sheet[y * below : (y + 1) * below, x * right : (x + 1) * right] = cell
    return sheet


def corner(view: View, size: tuple[int, int]) -> tuple[int, int]:
    """Return left and top of a view on the sheet, in pixels, where views have this ``size``."""
    lead = GUTTER // 2
    return view.column * pitch(size[0]) + lead, view.row * pitch(size[1]) + lead


def pitch(length: int) -> int:
    """Return how far apart views of this width or height begin."""
    return -(-(length + GUTTER) // BLOCK) * BLOCK


def resized(image: Picture, size: tuple[int, int]) -> Picture:
    """Return an image at width and height ``size``; pixels stay pixels where it grows."""
    if image.shape[1::-1] == size:
        return image
    method = cv2.INTER_AREA if image.shape[1] > size[0] else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def blurred(image: Picture) -> Picture:
    """Return the image with no more than 6 px of content along its longer side."""
    height, width = image.shape[:2]
    small = fit(image, _BLURRED)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
