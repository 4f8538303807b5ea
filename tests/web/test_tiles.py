"""The pictures of an explorer: what they show, their bound, and when they are made."""

from __future__ import annotations

from pathlib import Path

import cv2
import factories
import numpy as np
import pytest

from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.data.preparation import Preparation
from i2ibench.metrics.stain import dab_density
from i2ibench.metrics.stain_masks import dab_mask
from i2ibench.web import tiles
from i2ibench.web.derived_views import (
    PREDICTION_LINE,
    TARGET_LINE,
    density_view,
    difference_view,
    outline_view,
)
from i2ibench.web.sheet import corner, sheet_of, views_of
from i2ibench.web.tiles import make_tiles


def _pairs(folder: Path, count: int, size: int = 64) -> list[ImagePair]:
    draw = np.random.default_rng(0)
    made = []
    for index in range(count):
        paths = [folder / side / f"{index}.png" for side in ("a", "b")]
        for path in paths:
            write_png(path, factories.stained(draw, 0.4, size))
        made.append(ImagePair(f"pair {index}", ImageRef(paths[0]), ImageRef(paths[1])))
    return made


def _made(folder: Path, pairs: list[ImagePair], **more):
    predictions = {pair.id: pair.source.path for pair in pairs}
    options = {"preparation": Preparation(), "stain": True, **more}
    return make_tiles(folder / "tiles", pairs, [predictions], **options)


def test_a_view_is_the_image_that_it_names(tmp_path: Path) -> None:
    [pair] = _pairs(tmp_path, 1)
    made = _made(tmp_path, [pair])
    sheet = read_image(ImageRef(tmp_path / "tiles/00000-sheet.jpg")).astype(float)
    width, height = made.sizes[pair.id]
    source, target = read_image(pair.source), read_image(pair.target)
    wanted = {
        "s": source,
        "t": target,
        "td": density_view(target),
        "p0": source,
        "d0": difference_view(source, target),
        "b0": density_view(source),
    }
    assert {view.key for view in made.views} == {*wanted, "o0"}
    for view in made.views:
        left, top = corner(view, (width, height))
        cut = sheet[top : top + height, left : left + width]
        if view.key in wanted:
            assert np.abs(cut - wanted[view.key]).mean() < 8, view.name


def test_maps_follow_the_stain_functions_of_the_metrics() -> None:
    image = factories.stained(np.random.default_rng(1), 0.5, 64)
    density = dab_density(image)
    darkness = 255 - density_view(image).astype(float).mean(axis=2)
    order = np.argsort(density, axis=None)
    assert np.all(np.diff(darkness.ravel()[order]) >= -1)
    other = np.full_like(image, 255)
    drawn = outline_view(other, image, 64)
    mask = dab_mask(image)
    assert mask.any()
    green = np.all(drawn == TARGET_LINE, axis=2)
    edge = mask - cv2.erode(mask, np.ones((3, 3), np.uint8))
    assert green.any()
    assert np.all(mask[green] == 1)
    assert green.sum() >= 0.5 * edge.sum()
    assert not np.all(drawn == PREDICTION_LINE, axis=2).any(), "white has no stain"
    assert difference_view(image, image).max() <= 4


def test_only_pairs_whose_images_changed_are_drawn_again(tmp_path: Path) -> None:
    pairs = _pairs(tmp_path, 3)
    _made(tmp_path, pairs)
    first = factories.times(tmp_path / "tiles")
    assert _made(tmp_path, pairs).sizes
    assert factories.times(tmp_path / "tiles") == first
    write_png(pairs[1].target.path, factories.stained(np.random.default_rng(9), 0.1, 64))
    _made(tmp_path, pairs)
    now = factories.times(tmp_path / "tiles")
    changed = {path.name for path in now if now[path] != first[path]}
    assert changed == {"00001-sheet.jpg", "00001-thumb.jpg", "tiles.json"}


def test_pictures_of_pairs_that_are_gone_are_removed(tmp_path: Path) -> None:
    pairs = _pairs(tmp_path, 3)
    _made(tmp_path, pairs)
    mine = tmp_path / "tiles/mine.jpg"
    mine.write_bytes(b"mine")
    _made(tmp_path, pairs[:1])
    left = {path.name for path in (tmp_path / "tiles").iterdir()}
    assert left == {"00000-sheet.jpg", "00000-thumb.jpg", "tiles.json", "mine.jpg"}


@pytest.mark.parametrize("content", ["", "[]", '{"pair 0": 3}', '{"pair 0": {"size": ["x"]}}'])
def test_a_torn_list_of_pictures_is_made_anew(tmp_path: Path, content: str) -> None:
    pairs = _pairs(tmp_path, 1)
    _made(tmp_path, pairs)
    (tmp_path / "tiles/tiles.json").write_text(content)
    assert _made(tmp_path, pairs).sizes[pairs[0].id] == (64, 64)


def test_all_pictures_together_stay_below_their_bound(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tiles, "TOTAL_BYTES", 150_000)
    pairs = _pairs(tmp_path, 6, size=160)
    draw = np.random.default_rng(0)
    for pair in pairs:  # nothing compresses worse than noise
        for path in (pair.source.path, pair.target.path):
            write_png(path, draw.integers(0, 256, (160, 160, 3), np.uint8))
    _made(tmp_path, pairs)
    written = [path.stat().st_size for path in (tmp_path / "tiles").glob("*.jpg")]
    assert len(written) == 12
    assert sum(written) <= 150_000


def test_more_pairs_than_a_page_draws_are_said(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tiles, "MOST_PAIRS", 2)
    made = _made(tmp_path, _pairs(tmp_path, 3))
    assert "3 pairs are more than the 2" in made.left_out
    assert not made.has_thumbnails
    assert not list(tmp_path.rglob("*.jpg"))


def test_targets_alone_have_no_source(tmp_path: Path) -> None:
    pairs = [ImagePair(pair.id, pair.target, pair.target) for pair in _pairs(tmp_path, 1)]
    assert "s" not in {view.key for view in _made(tmp_path, pairs).views}


def test_views_are_what_metrics_see(tmp_path: Path) -> None:
    [pair] = _pairs(tmp_path, 1, size=64)
    crop = Preparation(centre_crop=32)
    prediction = tmp_path / "p.png"
    write_png(prediction, crop.apply(read_image(pair.target)))
    made = make_tiles(
        tmp_path / "tiles", [pair], [{pair.id: prediction}], preparation=crop, stain=False
    )
    assert made.sizes[pair.id] == (32, 32)
    sheet = read_image(ImageRef(tmp_path / "tiles/00000-sheet.jpg"))
    [view] = [each for each in made.views if each.key == "d0"]
    left, top = corner(view, (32, 32))
    difference = sheet[top : top + 32, left : left + 32]
    assert difference.max() < 20, "prediction and cropped target are one"


def test_a_blurred_thumbnail_holds_no_detail(tmp_path: Path) -> None:
    pairs = _pairs(tmp_path, 1, size=128)
    made = _made(tmp_path, pairs, with_pictures=False)
    assert made.views == ()
    [thumb] = (tmp_path / "tiles").glob("*.jpg")
    image = read_image(ImageRef(thumb)).astype(float)
    source = read_image(pairs[0].source).astype(float)
    fine = cv2.Laplacian(source, cv2.CV_64F).std()
    assert cv2.Laplacian(image[:, 4:124], cv2.CV_64F).std() < fine / 4


@pytest.mark.parametrize("side", [61, 64, 70])
def test_no_view_takes_colour_from_its_neighbours(side: int, tmp_path: Path) -> None:
    red, white = (np.full((side, side, 3), colour, np.uint8) for colour in ((200, 0, 0), 255))
    rows = [[red, red], [white, red], [red, red]]
    sheet = sheet_of(rows, (side, side))
    _, encoded = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    [view] = [each for each in views_of(2, has_source=True, stain=False) if each.key == "p0"]
    left, top = corner(view, (side, side))
    assert decoded[top : top + side, left : left + side].min() >= 253
