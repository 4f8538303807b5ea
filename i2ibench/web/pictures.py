"""Pictures for a first look at a run: source, target and prediction side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from i2ibench.data.images import read_image, read_pair, write_png
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.errors import DataError

INK, PAPER, FAINT = (32, 32, 32), (255, 255, 255), (120, 120, 120)
GAP, _BLOCK_GAP, LINE = 3, 18, 18


def contact_sheet(
    dataset: PairedDataset,
    predictions: Mapping[str, Path],
    path: Path,
    *,
    per_group: int = 3,
    rows: int = 4,
    tile: int = 168,
) -> Path:
    """Write a PNG of a few pairs a group, each as source, target and prediction.

    Args:
        dataset: the pairs; those without a prediction are left out.
        predictions: image files by pair id.
        path: of the PNG.
        per_group: pairs a row.
        rows: rows where the data set has no groups.
        tile: longer side of an image on the sheet in pixels.
    """
    lines = _choose(dataset, predictions, per_group, rows)
    if not lines:
        raise DataError("no picture to draw: none of the pairs has a prediction")
    block = 3 * tile + 2 * GAP
    left = 12
    width = left + per_group * block + (per_group - 1) * _BLOCK_GAP + left
    row_height = LINE + tile + _BLOCK_GAP
    sheet = Image.new("RGB", (width, 2 * LINE + len(lines) * row_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column in range(min(per_group, max(len(pairs) for _, pairs in lines))):
        for index, word in enumerate(("source", "target", "prediction")):
            x = left + column * (block + _BLOCK_GAP) + index * (tile + GAP)
            draw.text((x, 8), word, fill=INK, font=font(13))
    for row, (label, pairs) in enumerate(lines):
        y = 2 * LINE - 6 + row * row_height
        for column, pair in enumerate(pairs):
            x = left + column * (block + _BLOCK_GAP)
            caption = f"{label}   {pair.id}" if label else pair.id
            draw.text((x, y), shortened(caption, block), fill=FAINT, font=font(11))
            source, target = read_pair(pair)
            prediction = read_image(pair.prediction(predictions[pair.id]))
            for index, image in enumerate((source, target, prediction)):
                picture = Image.fromarray(fit(image, tile))
                sheet.paste(picture, (x + index * (tile + GAP), y + LINE))
    write_png(path, np.asarray(sheet))
    return path


def fit(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Scale ``(H, W, 3)`` so that its longer side is ``side``."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)


def _choose(
    dataset: PairedDataset, predictions: Mapping[str, Path], per_group: int, rows: int
) -> list[tuple[str, list[ImagePair]]]:
    """Return lines of a label and evenly spaced pairs."""
    pairs = [pair for pair in dataset if pair.id in predictions]
    groups = {pair.group for pair in pairs} - {None}
    if not groups:
        chosen = _evenly(pairs, per_group * rows)
        return [("", chosen[i : i + per_group]) for i in range(0, len(chosen), per_group)]
    order = [group for group in dataset.group_order if group in groups]
    order += sorted(group for group in groups if group is not None and group not in order)
    name = dataset.group_name or "group"
    return [
        (f"{name} {group}", _evenly([p for p in pairs if p.group == group], per_group))
        for group in order
    ]


def _evenly(pairs: Sequence[ImagePair], most: int) -> list[ImagePair]:
    if len(pairs) <= most:
        return list(pairs)
    return [pairs[int((index + 0.5) * len(pairs) / most)] for index in range(most)]


def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Return Pillow's own font, so that pictures look the same everywhere."""
    return ImageFont.load_default(size)


def shortened(text: str, pixels: int) -> str:
    """Return ``text`` cut to about ``pixels`` of small type."""
    most = pixels // 7
    return text if len(text) <= most else text[: most - 1] + "…"
