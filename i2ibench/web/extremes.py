"""Pictures of the pairs on which methods differ most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from i2ibench.comparison.compare import Comparison, Extreme
from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image, read_pair, write_png
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.results.cells import NumberCell
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.web.pictures import FAINT, GAP, INK, LINE, PAPER, fit, font, shortened

_TILE, _MARGIN = 200, 12


def draw_extremes(
    methods: Sequence[ScoredMethod],
    comparison: Comparison,
    path: Path,
    dataset: Dataset | None,
) -> Path:
    """Write a PNG with one row a pair: source, target, and the predictions of both methods.

    Raises:
        UsageError: no data set was named.
        DataError: a method has no folder of predictions, or nothing differs.
    """
    if dataset is None:
        raise UsageError("pictures need the data set: add --dataset NAME or PATH")
    if not comparison.extremes:
        raise DataError("no picture to draw: the methods do not differ on any pair")
    pairs = dataset.split("test")
    folders = {method.label: _predictions(method) for method in methods}
    rows = [_row(extreme, pairs, folders) for extreme in comparison.extremes]
    width = 2 * _MARGIN + 4 * _TILE + 3 * GAP
    sheet = Image.new("RGB", (width, sum(row.height for row in rows) + LINE), PAPER)
    y = LINE // 2
    for row in rows:
        sheet.paste(row, (0, y))
        y += row.height
    write_png(path, np.asarray(sheet))
    return path


def _row(extreme: Extreme, pairs: PairedDataset, folders: dict[str, Path]) -> Image.Image:
    pair = next((pair for pair in pairs if pair.id == extreme.pair), None)
    if pair is None:
        raise DataError(f"pair {extreme.pair} is not in {pairs.name}/{pairs.split}")
    source, target = read_pair(pair)
    images: list[tuple[str, NDArray[np.uint8]]] = [("source", source), ("target", target)]
    for label, score in zip((extreme.first, extreme.second), extreme.scores, strict=True):
        prediction = read_image(pair.prediction(folders[label] / f"{pair.id}.png"))
        images.append((f"{label} {NumberCell(score, extreme.metric).text}", prediction))
    row = Image.new("RGB", (2 * _MARGIN + 4 * _TILE + 3 * GAP, 2 * LINE + _TILE + LINE), PAPER)
    draw = ImageDraw.Draw(row)
    level = f"   {pairs.group_name} {pair.group}" if pair.group else ""
    draw.text((_MARGIN, 2), f"{extreme.metric}: {pair.id}{level}", fill=INK, font=font(13))
    for index, (words, image) in enumerate(images):
        x = _MARGIN + index * (_TILE + GAP)
        draw.text((x, LINE + 2), shortened(words, _TILE), fill=FAINT, font=font(11))
        row.paste(Image.fromarray(fit(image, _TILE)), (x, 2 * LINE))
    return row


def _predictions(method: ScoredMethod) -> Path:
    folder = method.path.parent / "predictions"
    if not folder.is_dir():
        raise DataError(f"{method.label}: no predictions in {folder}; give run folders")
    return folder
