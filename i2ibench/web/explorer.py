"""The pair explorer: what a page gives its scripts so that every pair can be found and looked at.

The scripts are ``explorer.js`` (the grid and its filters), ``dots.js`` (the dots of charts),
``viewer.js`` (one pair) and ``pair_scores.js`` (its scores); the controls stand in
``templates/explorer.html.j2``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from markupsafe import Markup

from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.leaderboard.rows import natural
from i2ibench.metrics.interface import installed_metric
from i2ibench.metrics.presentation import direction, metric_title
from i2ibench.web.derived_views import DENSITY_END, DIFFERENCE_END
from i2ibench.web.page import ASSETS, data_block
from i2ibench.web.sheet import BLOCK, GUTTER
from i2ibench.web.tiles import QUALITY, TOTAL_BYTES, TileSet, make_tiles

SCRIPTS = ("explorer.js", "dots.js", "pair_scores.js", "viewer.js")
_TILES = f"{ASSETS}/tiles"
_HINTS = {
    "d": f"mean absolute difference: black 0, yellow {DIFFERENCE_END} grey levels and more",
    "b": f"DAB optical density: white 0, black {DENSITY_END:g} and more",
    "o": "outlines of the DAB masks: green the target's, magenta the prediction's",
}
_HINTS["td"] = _HINTS["b"]


@dataclass(frozen=True, slots=True)
class ShownMethod:
    """A method as an explorer shows it.

    Attributes:
        label: what it is called.
        scores: id, group, cluster and one column a metric; a row a pair.
        predictions: image files by pair id; none where they are not at hand.
    """

    label: str
    scores: pd.DataFrame
    predictions: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Explorer:
    """What a page's template needs of its explorer.

    Attributes:
        block: the data for the scripts.
        tiles: the pictures.
        groups: labels in their order.
        clusters: likewise.
        unit: what groups are called.
        metrics: name and title of each metric that pairs are sorted by.
        labels: of the methods.
        note: what is said below the heading about pictures.
    """

    block: Markup
    tiles: TileSet
    groups: tuple[str, ...]
    clusters: tuple[str, ...]
    unit: str
    metrics: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    note: str

    def thumbnail(self, pair_id: str) -> dict[str, Any]:
        """Return address, width and height of a pair's thumbnail; nothing where there is none."""
        if not self.tiles.has_thumbnails:
            return {}
        width, height = self.tiles.thumbnail_size(pair_id)
        source = f"{_TILES}/{self.tiles.files[pair_id]}-thumb.jpg"
        return {"src": source, "width": width, "height": height}


def explorer(
    page_folder: Path,
    dataset: PairedDataset | None,
    methods: Sequence[ShownMethod],
    metrics: Sequence[str],
    *,
    preparation: Preparation | None,
    stain: bool,
    with_pictures: bool = True,
    progress: Any = None,
) -> Explorer:
    """Make the pictures of a page and the data of its explorer.

    Args:
        page_folder: receives ``assets/tiles``.
        dataset: the pairs; None where images are not at hand: the explorer then has scores alone.
        methods: one, or several side by side, over the same pairs.
        metrics: of pairs, in the order in which they are offered.
        preparation: of the images by the protocol; None: as they are.
        stain: whether DAB is shown.
        with_pictures: see ``make_tiles``.
        progress: called with the pairs drawn and all pairs.
    """
    scores = [_of_pairs(method, metrics) for method in methods]
    first = scores[0]
    ids = [str(each) for each in first["id"]]
    tiles = _tiles(page_folder, dataset, methods, ids, preparation, stain, with_pictures, progress)
    groups = _labels(first["group"], () if dataset is None else dataset.group_order)
    clusters = _labels(first["cluster"], ())
    unit = (dataset.group_name if dataset is not None else None) or "group"
    data = {
        "unit": unit,
        "methods": [
            {"label": each.label, "originals": _originals(page_folder, each, ids, tiles)}
            for each in methods
        ],
        "metrics": [_metric(name) for name in metrics],
        "tiles": {
            "folder": f"{_TILES}/",
            "gutter": GUTTER,
            "block": BLOCK,
            "thumbnails": tiles.has_thumbnails,
        },
        "views": [_view(view, methods) for view in tiles.views],
        "pairs": {
            "id": ids,
            "group": _texts(first["group"]),
            "cluster": _texts(first["cluster"]),
            "file": [tiles.files.get(each, "") for each in ids],
            "size": [tiles.sizes.get(each, (0, 0)) for each in ids],
            "thumbnail": [tiles.thumbnail_size(each) for each in ids],
        },
        "scores": [[_numbers(table[name]) for name in metrics] for table in scores],
    }
    return Explorer(
        block=data_block("explorer-data", data),
        tiles=tiles,
        groups=groups,
        clusters=clusters,
        unit=unit,
        metrics=tuple((name, metric_title(name)) for name in metrics),
        labels=tuple(method.label for method in methods),
        note=_note(tiles),
    )


def _of_pairs(method: ShownMethod, metrics: Sequence[str]) -> pd.DataFrame:
    known: pd.DataFrame = method.scores.copy()
    for name in metrics:
        if name not in known.columns:
            known[name] = math.nan
    return known


def _tiles(
    page_folder: Path,
    dataset: PairedDataset | None,
    methods: Sequence[ShownMethod],
    ids: Sequence[str],
    preparation: Preparation | None,
    stain: bool,
    with_pictures: bool,
    progress: Any,
) -> TileSet:
    if dataset is None or not all(method.predictions for method in methods):
        return TileSet((), {}, {}, 0, "the images are not at hand", has_thumbnails=False)
    by_id = {pair.id: pair for pair in dataset}
    return make_tiles(
        page_folder / _TILES,
        [by_id[each] for each in ids],
        [method.predictions for method in methods],
        preparation=preparation or Preparation(),
        stain=stain,
        with_pictures=with_pictures,
        progress=progress,
    )


def _originals(
    page_folder: Path, method: ShownMethod, ids: Sequence[str], tiles: TileSet
) -> list[str]:
    """Return the addresses of predictions that lie beside the page's folder; else nothing."""
    if not tiles.views:
        return []
    home = os.path.abspath(page_folder.parent)  # noqa: PTH100 - a linked folder stays as it is
    found = []
    for each in ids:
        path = os.path.abspath(method.predictions[each])  # noqa: PTH100
        if os.path.commonpath([home, path]) != home:
            return []
        found.append(quote(Path(os.path.relpath(path, page_folder)).as_posix()))
    return found


def _view(view: Any, methods: Sequence[ShownMethod]) -> dict[str, Any]:
    index = view.row - 1 if view.row else None
    name = view.name
    if index is not None and len(methods) > 1:
        name = f"{methods[index].label}: {name}"
    letter = view.key if index is None else view.key[0]
    return {
        "key": view.key,
        "name": name,
        "kind": view.name,
        "column": view.column,
        "row": view.row,
        "method": index,
        "hint": _HINTS.get(letter, ""),
        "original": letter == "p",
    }


def _metric(name: str) -> dict[str, Any]:
    known = installed_metric(name)
    return {
        "name": name,
        "title": metric_title(name),
        "better": direction(name),
        "unit": known.unit if known is not None else "",
        "digits": known.digits if known is not None else None,
    }


def _labels(column: pd.Series[Any], order: Sequence[str]) -> tuple[str, ...]:
    found = {str(each) for each in column.dropna()}
    return (*(each for each in order if each in found), *sorted(found - set(order), key=natural))


def _texts(column: pd.Series[Any]) -> list[str]:
    return ["" if pd.isna(each) else str(each) for each in column]


def _numbers(column: pd.Series[Any]) -> list[float]:
    """Return numbers with nine significant digits: a page shows five of them."""
    return [float(f"{each:.9g}") for each in np.asarray(column, dtype=np.float64).tolist()]


def _note(tiles: TileSet) -> str:
    if not tiles.left_out:
        return (
            f"Pictures are JPEGs of quality {QUALITY} at most, views {tiles.side} px long at most; "
            f"all together take no more than {TOTAL_BYTES >> 20} MiB."
        )
    blurred = " Thumbnails are blurred to 6 px." if tiles.has_thumbnails else ""
    return f"No pictures: {tiles.left_out}.{blurred}"
