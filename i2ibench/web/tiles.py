"""The pictures of an explorer: two JPEGs a pair, made once, small enough to publish.

One is a thumbnail of source, target and predictions in a row. The other, the sheet, holds every
view of the pair: the first row what belongs to the pair, then a row a method. A page cuts what it
shows out of the sheet, so a thousand pairs are two thousand files and each pair comes whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from i2ibench.data.images import image_size, read_image, read_pair
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError
from i2ibench.files import atomic_path, read_json, sha256_json, visible_files, write_json
from i2ibench.runtime import one_opencv_thread, usable_cores
from i2ibench.web.derived_views import Picture
from i2ibench.web.pictures import fit
from i2ibench.web.sheet import View, blurred, resized, rows_of, sheet_of, views_of

# All pictures of one page together never take more.
TOTAL_BYTES = 128 << 20
# Beyond this many pairs a page has scores alone: pictures of its share would show nothing.
MOST_PAIRS = 10_000
QUALITY = 85
_LESS = (85, 70, 55, 40, 25, 10)
_SIDES = (512, 384, 256, 192, 128, 96, 64)
_THUMBNAIL = 128
# What a pixel takes as a JPEG of this quality, of grainy tissue; decides the side, not the bound.
_BYTES_A_PIXEL = 0.3
_VERSION = 2
_OURS = re.compile(r"\d{5}-(thumb|sheet)\.jpg")
_MANIFEST = "tiles.json"
_WORKERS = 8


@dataclass(frozen=True, slots=True)
class TileSet:
    """The pictures of a page.

    Attributes:
        views: of every sheet; none where pictures are left out.
        sizes: width and height of a view by pair id, in pixels of the sheet.
        files: the number in the names of a pair's files, by pair id.
        side: longer side of a view.
        left_out: why there are no sheets; empty where there are.
        has_thumbnails: whether there are thumbnails; blurred ones where sheets are left out.
        images: on each thumbnail.
    """

    views: tuple[View, ...]
    sizes: Mapping[str, tuple[int, int]]
    files: Mapping[str, str]
    side: int
    left_out: str
    has_thumbnails: bool
    images: int = 0

    def thumbnail_size(self, pair_id: str) -> tuple[int, int]:
        """Return width and height of a pair's thumbnail; (0, 0) where there is none."""
        if not self.has_thumbnails:
            return (0, 0)
        width, height = _thumbnail_size(self.sizes[pair_id], self.side)
        return width * self.images, height


@dataclass(frozen=True, slots=True)
class _Plan:
    """How every pair is drawn; what changes it makes all pictures anew."""

    side: int
    cap: int
    has_source: bool
    stain: bool
    blurred: bool
    methods: int
    preparation: dict[str, Any]
    version: int = _VERSION


def make_tiles(
    folder: Path,
    pairs: Sequence[ImagePair],
    methods: Sequence[Mapping[str, Path]],
    *,
    preparation: Preparation,
    stain: bool,
    with_pictures: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> TileSet:
    """Write the pictures of ``pairs`` into ``folder``; those whose images did not change stay.

    Args:
        folder: receives the JPEGs and ``tiles.json``, and loses pictures that are of no pair.
        pairs: in the order of the page.
        methods: predictions by pair id, of each method.
        preparation: of source and target, so that they are what metrics see.
        stain: whether the targets carry DAB, which is then shown too.
        with_pictures: without them only thumbnails are made, blurred to 6 px beyond recognition.
        progress: called with the pairs done and all pairs.
    """
    has_source = any(pair.source != pair.target for pair in pairs)
    views = views_of(len(methods), has_source=has_source, stain=stain)
    if len(pairs) > MOST_PAIRS:
        _remove_others(folder, set())
        reason = f"{len(pairs)} pairs are more than the {MOST_PAIRS} that a page draws"
        return TileSet((), {}, {}, 0, reason, has_thumbnails=False)
    sides = [_largest_side(pair, preparation) for pair in pairs]
    side = min(max(sides, default=_THUMBNAIL), _side(len(pairs), len(views)))
    plan = _Plan(
        side=side,
        cap=TOTAL_BYTES // max(1, len(pairs)),
        has_source=has_source,
        stain=stain,
        blurred=not with_pictures,
        methods=len(methods),
        preparation=preparation.model_dump(mode="json"),
    )
    numbers = {pair.id: f"{index:05d}" for index, pair in enumerate(pairs)}
    sizes = _make_all(folder, pairs, methods, plan, preparation, numbers, progress)
    reason = "" if with_pictures else "this page was made without pictures"
    images = 1 + has_source + len(methods)
    return TileSet(views if with_pictures else (), sizes, numbers, side, reason, True, images)


def _make_all(
    folder: Path,
    pairs: Sequence[ImagePair],
    methods: Sequence[Mapping[str, Path]],
    plan: _Plan,
    preparation: Preparation,
    numbers: Mapping[str, str],
    progress: Callable[[int, int], None] | None,
) -> dict[str, tuple[int, int]]:
    known = _known(folder)

    def make(pair: ImagePair) -> tuple[str, dict[str, Any]]:
        predictions = [method[pair.id] for method in methods]
        key = _key(pair, predictions, plan)
        kept = _kept(known.get(pair.id), key, numbers[pair.id], folder, plan)
        if kept is not None:
            return pair.id, kept
        size = _draw(folder, numbers[pair.id], pair, predictions, plan, preparation)
        return pair.id, {"key": key, "file": numbers[pair.id], "size": list(size)}

    made: dict[str, Any] = {}
    with one_opencv_thread(), ThreadPoolExecutor(min(usable_cores(), _WORKERS)) as pool:
        for done, (pair_id, entry) in enumerate(pool.map(make, pairs), start=1):
            made[pair_id] = entry
            if progress is not None:
                progress(done, len(pairs))
    kinds = ("thumb",) if plan.blurred else ("thumb", "sheet")
    _remove_others(
        folder, {f"{number}-{kind}.jpg" for number in numbers.values() for kind in kinds}
    )
    if made != known:
        write_json(folder / _MANIFEST, made)
    return {pair_id: (entry["size"][0], entry["size"][1]) for pair_id, entry in made.items()}


def _draw(
    folder: Path,
    number: str,
    pair: ImagePair,
    predictions: Sequence[Path],
    plan: _Plan,
    preparation: Preparation,
) -> tuple[int, int]:
    """Write thumbnail and sheet of a pair; return width and height of a view on the sheet."""
    source, target = read_pair(pair)
    source, target = preparation.apply(source), preparation.apply_target(target)
    predicted = [read_image(pair.prediction(path)) for path in predictions]
    height, width = fit(target, min(plan.side, max(target.shape[:2]))).shape[:2]
    small = [*([source] if plan.has_source else []), target, *predicted]
    size = _thumbnail_size((width, height), plan.side)
    images = [resized(image, size) for image in small]
    if plan.blurred:
        images = [blurred(image) for image in images]
    # A twentieth of a pair's share is enough for 128 px, and leaves the sheet the rest.
    _write(folder / f"{number}-thumb.jpg", np.hstack(images), max(4096, plan.cap // 20))
    if not plan.blurred:
        own = source if plan.has_source else None
        rows = rows_of(own, target, predicted, stain=plan.stain, side=plan.side)
        sheet = sheet_of(rows, (width, height))
        _write(folder / f"{number}-sheet.jpg", sheet, plan.cap - max(4096, plan.cap // 20))
    return width, height


def _thumbnail_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return width and height of one image on a thumbnail, of a pair whose views have ``size``."""
    scale = min(_THUMBNAIL, side) / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _write(path: Path, image: Picture, cap: int) -> None:
    """Write a JPEG of at most ``cap`` bytes, of lower quality where it must be."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    for quality in _LESS:
        done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not done:
            raise DataError(f"{path}: the picture cannot be encoded as JPEG")
        if len(encoded) <= cap:
            break
    with atomic_path(path, lasting=False) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _side(pairs: int, views: int) -> int:
    """Return the longest side of which all sheets are expected to fit their bound."""
    share = 0.9 * TOTAL_BYTES / max(1, pairs) / max(1, views) / _BYTES_A_PIXEL
    return next((side for side in _SIDES if side * side <= share), _SIDES[-1])


def _largest_side(pair: ImagePair, preparation: Preparation) -> int:
    return max(preparation.size(*image_size(pair.target)))


def _key(pair: ImagePair, predictions: Sequence[Path], plan: _Plan) -> str:
    """Return what changes when a picture of the pair must be made again."""
    refs = [pair.source, pair.target, *(ImageRef(path) for path in predictions)]
    files = [[os.path.abspath(ref.path), ref.box, ref.bits, *_state(ref.path)] for ref in refs]  # noqa: PTH100
    return sha256_json([asdict(plan), files])


def _state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _kept(
    former: dict[str, Any] | None, key: str, number: str, folder: Path, plan: _Plan
) -> dict[str, Any] | None:
    """Return what is written down of a pair whose pictures are still those that are asked for."""
    if former is None or (former.get("key"), former.get("file")) != (key, number):
        return None
    return former if all((folder / name).is_file() for name in _names(number, plan)) else None


def _names(number: str, plan: _Plan) -> list[str]:
    kinds = ("thumb",) if plan.blurred else ("thumb", "sheet")
    return [f"{number}-{kind}.jpg" for kind in kinds]


def _known(folder: Path) -> dict[str, Any]:
    """Return what a former call wrote down; nothing where that cannot be read: all is made anew."""
    try:
        content = read_json(folder / _MANIFEST)
    except (DataError, OSError):
        return {}
    return content if isinstance(content, dict) and all(map(_is_entry, content.values())) else {}


def _is_entry(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    size = value.get("size")
    return isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size)


def _remove_others(folder: Path, wanted: set[str]) -> None:
    for path in visible_files(folder, {".jpg"}, missing_ok=True):
        if _OURS.fullmatch(path.name) and path.name not in wanted:
            path.unlink()
