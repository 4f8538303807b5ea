"""Contact sheets of the worst offenders, so that an eye can judge them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.audit.duplicates import Twins
from i2ibench.data.audit.measure import ImageFacts, PairFacts
from i2ibench.data.audit.offsets import CONFIDENT
from i2ibench.data.images import read_image, read_pair, write_png
from i2ibench.data.pairs import ImageRef

_TILE, _CAPTION, _GAP, _ROWS = 256, 22, 6, 8

Image = NDArray[np.uint8]


def draw_offenders(pairs: Sequence[PairFacts], twins: Sequence[Twins], folder: Path) -> list[str]:
    """Write a sheet a kind of offence into ``folder`` and return their names.

    ``misaligned.png``: source, target, and both in a checkerboard. ``duplicates.png``: the two
    images. ``blank.png``: source and target.
    """
    sheets = {
        "misaligned.png": [_misaligned(facts) for facts in _worst_shifts(pairs)],
        "duplicates.png": [_twins(twin) for twin in twins[:_ROWS]],
        "blank.png": [_blank(facts) for facts in _flattest(pairs)],
    }
    written = []
    for name, rows in sheets.items():
        if rows:
            write_png(folder / name, contact_sheet(rows))
            written.append(name)
    return written


def contact_sheet(rows: Sequence[tuple[str, Sequence[Image]]]) -> Image:
    """Return captioned rows of images, each fitted into 256 px."""
    columns = max(len(images) for _, images in rows)
    width = columns * (_TILE + _GAP) + _GAP
    sheet = np.full((len(rows) * (_TILE + _CAPTION + _GAP) + _GAP, width, 3), 255, np.uint8)
    for index, (caption, images) in enumerate(rows):
        top = _GAP + index * (_TILE + _CAPTION + _GAP)
        # OpenCV's font has no letters beyond ASCII.
        plain = caption.encode("ascii", "replace").decode("ascii")
        cv2.putText(sheet, plain, (_GAP, top + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1)
        for column, image in enumerate(images):
            tile = _fitted(image)
            left, upper = _GAP + column * (_TILE + _GAP), top + _CAPTION
            sheet[upper : upper + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def _worst_shifts(pairs: Sequence[PairFacts]) -> list[PairFacts]:
    sure = [
        facts
        for facts in pairs
        if facts.shift is not None
        and facts.shift.confidence >= CONFIDENT
        and facts.shift.length >= 1
    ]
    return sorted(sure, key=lambda facts: facts.shift.length if facts.shift else 0, reverse=True)[
        :_ROWS
    ]


def _misaligned(facts: PairFacts) -> tuple[str, list[Image]]:
    source, target = read_pair(facts.pair)
    x, y, _ = facts.shift or (0.0, 0.0, 0.0)
    caption = f"{facts.split} {facts.pair.id}: target displaced by {x:+.1f}, {y:+.1f} px"
    return caption, [source, target, _checkerboard(source, target)]


def _twins(twin: Twins) -> tuple[str, list[Image]]:
    (first_split, first), (second_split, second) = twin.first, twin.second
    how = "equal" if twin.exact else "alike"
    caption = f"{how}: {first_split} {first.path.name}, {second_split} {second.path.name}"
    return caption, [read_image(_whole(first)), read_image(_whole(second))]


def _blank(facts: PairFacts) -> tuple[str, list[Image]]:
    source, target = read_pair(facts.pair)
    spread = min(facts.source.spread, facts.target.spread)
    caption = f"{facts.split} {facts.pair.id}: standard deviation {spread:.1f} grey levels"
    return caption, [source, target]


def _flattest(pairs: Sequence[PairFacts]) -> list[PairFacts]:
    flat = [facts for facts in pairs if min(facts.source.spread, facts.target.spread) < 2.5]
    return flat[:_ROWS]


def _whole(image: ImageFacts) -> ImageRef:
    return ImageRef(image.path)


def _checkerboard(source: Image, target: Image) -> Image:
    height, width = source.shape[:2]
    cell = max(1, max(height, width) // 8)
    rows, columns = np.indices((height, width)) // cell
    return np.where(((rows + columns) % 2 == 0)[:, :, None], source, target)


def _fitted(image: Image) -> Image:
    scale = _TILE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
