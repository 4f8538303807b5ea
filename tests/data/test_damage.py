"""A damaged image is refused as far as its format can tell; whatever a file holds is a line."""

from __future__ import annotations

import io
import itertools
import os
import re
import socket
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from i2ibench.data.content_hash import file_hashes
from i2ibench.data.images import image_size, read_header, read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))
from damaged_images import FORMATS, damaged, outcomes  # noqa: E402

# A nightly run sets 100 here.
FUZZ = int(os.environ.get("I2IBENCH_FUZZ", "1"))

# What has a check sum over everything that is shown.
CERTAIN = [name for name in FORMATS if name.startswith("PNG") or "deflate" in name]


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def jpeg(image: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("name", CERTAIN)
def test_any_flipped_bit_is_found_where_the_format_has_a_check_sum(name, tmp_path) -> None:
    found = outcomes(name, tmp_path, flips=60, cuts=0)["flips"]
    assert found["changed"] == 0
    assert found["refused"] >= 58  # a bit that only says how the file came to be may turn round


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_ends_early_is_refused_in_every_format(name, tmp_path) -> None:
    assert outcomes(name, tmp_path, flips=0, cuts=25)["cuts"] == {"refused": 25}


def test_the_table_of_the_documentation_says_what_each_format_can_tell() -> None:
    text = (ROOT / "docs" / "data.md").read_text()
    rows = re.findall(
        r"^\| (.+?) \| (flips|cuts) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M
    )
    assert {(name, kind) for name, kind, *_ in rows} == set(
        itertools.product(FORMATS, ("flips", "cuts"))
    )
    for name, kind, tried, refused, equal, changed in rows:
        assert int(tried) == int(refused) + int(equal) + int(changed)
        if kind == "cuts" or name in CERTAIN:
            assert changed == "0"


@pytest.mark.parametrize("size", [(8, 8), (16, 33), (101, 64)])
def test_whole_jpegs_of_every_encoding_are_read(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    image = picture(*size)
    for quality, subsampling in itertools.product((30, 90, 100), (0, 1, 2)):
        for more in ({}, {"optimize": True}, {"restart_marker_blocks": 3}, {"progressive": True}):
            path.write_bytes(jpeg(image, quality=quality, subsampling=subsampling, **more))
            np.testing.assert_array_equal(read_image(ImageRef(path)), opencv(path))
    path.write_bytes(jpeg(image[:, :, 0]))
    np.testing.assert_array_equal(read_image(ImageRef(path)), opencv(path))
    cv2.imwrite(str(path), image)
    np.testing.assert_array_equal(read_image(ImageRef(path)), opencv(path))


def test_what_stands_behind_the_end_of_a_jpeg_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    whole = jpeg(picture(40, 56))
    for behind in (b"\0" * 9, whole, b"\xff\xd9"):
        path.write_bytes(whole + behind)
        np.testing.assert_array_equal(read_image(ImageRef(path)), opencv(path))


def test_a_jpeg_whose_coded_data_lost_or_gained_a_part_is_refused(tmp_path: Path) -> None:
    whole = jpeg(picture(64, 64), quality=95)
    start = whole.index(b"\xff\xda") + 14
    path = tmp_path / "longer.jpg"
    path.write_bytes(whole[: start + 200] + whole[start + 100 :])
    with pytest.raises(DataError, match=r"longer\.jpg: is damaged \(its coded data do not fit"):
        read_image(ImageRef(path))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("options", [{}, {"subsampling": 2}, {"quality": 30}])
def test_a_jpeg_that_was_cut_and_ended_is_refused(
    tmp_path: Path, options: dict[str, int], share: float
) -> None:
    whole = jpeg(picture(64, 96), **options)
    start = whole.index(b"\xff\xda") + 14
    path = tmp_path / "ended.jpg"
    path.write_bytes(
        whole[: start + int(share * (len(whole) - start))].rstrip(b"\xff") + b"\xff\xd9"
    )
    with pytest.raises(DataError, match=r"ended\.jpg: is damaged \(its coded data end early"):
        read_image(ImageRef(path))


def test_a_jpeg_with_a_gap_before_a_restart_is_refused(tmp_path: Path) -> None:
    whole = jpeg(picture(64, 96), restart_marker_rows=1)
    start = whole.index(b"\xff\xd1")
    path = tmp_path / "gap.jpg"
    path.write_bytes(whole[: start - 60].rstrip(b"\xff") + whole[start:])
    with pytest.raises(DataError, match=r"gap\.jpg: is damaged \(its coded data end early"):
        read_image(ImageRef(path))


def test_a_jpeg_without_one_of_its_restarts_is_refused(tmp_path: Path) -> None:
    whole = jpeg(picture(64, 64), restart_marker_rows=1)
    for number, astray in ((0xD1, b""), (0xD2, b"\xff\xd4")):
        at = whole.rindex(bytes([0xFF, number]))
        path = tmp_path / "restart.jpg"
        path.write_bytes(whole[:at] + astray + whole[at + 2 :])
        with pytest.raises(DataError, match=r"restart\.jpg: is damaged \(restart markers"):
            read_image(ImageRef(path))


def test_damage_that_decoders_forgive_is_found_before_a_training(tmp_path: Path) -> None:
    whole = jpeg(picture(64, 64), quality=95)
    start = whole.index(b"\xff\xda") + 14
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[: start + 200] + whole[start + 100 :])
    with pytest.raises(DataError, match=r"a\.jpg: is damaged"):
        file_hashes([path])


@pytest.mark.parametrize("name", FORMATS)
def test_any_bytes_give_pixels_or_one_line_that_names_the_file(name, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    content = FORMATS[name](folder, side=16).read_bytes()
    place = st.integers(0, len(content) - 1) | st.integers(0, min(300, len(content) - 1))
    edit = st.tuples(place, st.binary(min_size=0, max_size=4), st.integers(0, 4))

    @settings(
        max_examples=20 * FUZZ,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(edit, min_size=10, max_size=10))
    def try_some(edits: list[tuple[int, bytes, int]]) -> None:
        for number, (where, put, cut) in enumerate(edits):
            path = folder / f"fuzz{number}{Path(name).suffix}"
            path.write_bytes(content[:where] + put + content[where + cut :])
            for read in (read_image, image_size):
                try:
                    read(ImageRef(path, bits=16))
                except DataError as error:
                    assert str(path) in str(error)
                    assert "\n" not in str(error)

    try_some()


def test_an_alpha_png_with_a_flipped_bit_is_a_line(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.fromarray(picture(24, 24)).convert("RGBA").save(whole)
    path = tmp_path / "flipped.png"
    for _, content in damaged(whole.read_bytes(), flips=150, cuts=0):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"flipped\.png"):
            read_image(ImageRef(path))


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are files on POSIX only")
def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path, monkeypatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zeros.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "to_pipe.png").symlink_to(tmp_path / "pipe.png")
    names = ["pipe.png", "zeros.png", "folder.png", "to_pipe.png"]
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)
        listening.bind("socket.png")  # a long path does not fit
        for name, read in itertools.product([*names, "socket.png"], (read_image, image_size)):
            with pytest.raises(DataError, match=rf"{name}: is a .*, not a file"):
                read(ImageRef(tmp_path / name))


def test_a_large_image_below_the_limit_warns_of_nothing(tmp_path: Path, recwarn) -> None:
    path = tmp_path / "large.tif"
    # Pillow alone warns from 90 million pixels on, and refuses from 179 on.
    Image.new("1", (14_000, 14_000)).save(path, compression="group4")
    assert read_header(path).size == (14_000, 14_000)
    assert not recwarn.list


def opencv(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
