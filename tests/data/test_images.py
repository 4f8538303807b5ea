"""Images become 8-bit RGB by one stated rule, or are refused by name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from i2ibench.data.headers import PNG_SIGNATURE
from i2ibench.data.images import image_size, read_header, read_image, read_pair, write_png
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.errors import DataError


def picture(height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return cv2.GaussianBlur(generator.integers(0, 256, (height, width, 3), np.uint8), (0, 0), 1.5)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp"])
def test_lossless_rgb_is_taken_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(picture()).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(read_image(ImageRef(path)), picture())
    assert image_size(ImageRef(path)) == (56, 40)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_equals_pillow(tmp_path: Path, progressive: bool) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(picture()).save(path, quality=90, progressive=progressive)
    difference = read_image(ImageRef(path)).astype(int) - np.asarray(Image.open(path)).astype(int)
    assert np.abs(difference).max() <= 1  # two builds of one library may round differently


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    jpeg, png = tmp_path / "a.jpg", tmp_path / "a.png"
    Image.fromarray(picture()).save(jpeg)
    png.write_bytes(jpeg.read_bytes())
    np.testing.assert_array_equal(read_image(ImageRef(png)), read_image(ImageRef(jpeg)))


def test_grey_one_bit_and_palette_become_rgb(tmp_path: Path) -> None:
    for mode in ("L", "1", "P"):
        image = Image.fromarray(picture()).convert(mode)
        image.save(tmp_path / f"{mode}.png")
        expected = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(read_image(ImageRef(tmp_path / f"{mode}.png")), expected)


def test_alpha_is_composited_over_white(tmp_path: Path) -> None:
    image = Image.fromarray(picture()).convert("RGBA")
    image.putalpha(Image.fromarray(picture(seed=1)[:, :, 0]))
    image.save(tmp_path / "a.png")
    white = Image.new("RGBA", image.size, "white")
    expected = np.asarray(Image.alpha_composite(white, image).convert("RGB")).astype(int)
    assert np.abs(read_image(ImageRef(tmp_path / "a.png")).astype(int) - expected).max() <= 1


def test_fully_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    Image.fromarray(picture()).convert("RGBA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(ImageRef(tmp_path / "a.png")), picture())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_exif_rotation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"a{suffix}"
    options = {"quality": 95, "subsampling": 0} if suffix == ".jpg" else {}
    options |= {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(picture()).save(path, exif=exif(orientation), **options)
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened)
        expected = np.asarray(upright).astype(int)
    found = read_image(ImageRef(path))
    assert image_size(ImageRef(path)) == (found.shape[1], found.shape[0])
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_divided_by_257(tmp_path: Path, suffix: str, channels: int) -> None:
    generator = np.random.default_rng(2)
    wide = generator.integers(0, 65536, (20, 30, channels)).astype(np.uint16)
    if channels == 4:
        wide[:, :, 3] = 65535
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), wide)
    expected = np.round(wide[:, :, : min(channels, 3)] / 257).astype(np.uint8)
    expected = np.repeat(expected, 3, 2) if channels == 1 else expected[:, :, ::-1]
    np.testing.assert_array_equal(read_image(ImageRef(path)), expected)


def test_two_different_16_bit_images_stay_different(tmp_path: Path) -> None:
    for index, level in enumerate((20000, 45000)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((8, 8, 3), level, np.uint16))
    dark, bright = (read_image(ImageRef(tmp_path / f"{index}.png")) for index in range(2))
    assert (dark == 78).all()
    assert (bright == 175).all()


def test_12_bits_in_a_16_bit_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twelve.png"
    cv2.imwrite(str(path), picture().astype(np.uint16) * 16)
    with pytest.raises(DataError, match=r"twelve\.png.*rescale it to 8 bits"):
        read_image(ImageRef(path))


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("cmyk.jpg", lambda image, path: image.convert("CMYK").save(path)),
        ("cmyk.tif", lambda image, path: image.convert("CMYK").save(path)),
        ("lab.tif", lambda image, path: image.convert("LAB").save(path)),
        ("pages.tif", lambda image, path: image.save(path, save_all=True, append_images=[image])),
        (
            "animated.png",
            lambda image, path: image.save(path, save_all=True, append_images=[image.rotate(90)]),
        ),
        ("float.tif", lambda image, path: cv2.imwrite(str(path), np.ones((8, 8), np.float32))),
        ("five.tif", lambda image, path: _write_channels(path, 5)),
        ("text.png", lambda image, path: path.write_text("no image")),
        ("empty.png", lambda image, path: path.write_bytes(b"")),
    ],
)
def test_what_has_no_unambiguous_rgb_is_refused_by_name(tmp_path: Path, name: str, save) -> None:
    save(Image.fromarray(picture()), tmp_path / name)
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        read_image(ImageRef(tmp_path / name))


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(60_000, 60_000, b"\0" * 100))
    for read in (image_size, read_image):
        with pytest.raises(DataError, match=r"bomb\.png.*decompression bomb"):
            read(ImageRef(path))


def test_a_png_with_too_few_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.png"
    path.write_bytes(_png(56, 40, b"".join(b"\0" + row.tobytes() for row in picture()[:20])))
    with pytest.raises(DataError, match=r"short\.png"):
        read_image(ImageRef(path))


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kind=st.sampled_from(["png", "jpg", "progressive.jpg", "tif", "webp"]), part=st.floats(0, 1))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, kind: str, part: float) -> None:
    whole = tmp_path / f"whole.{kind}"
    if not whole.exists():
        options = {"progressive": True} if kind.startswith("prog") else {}
        Image.fromarray(picture()).save(whole, **options)
    content = whole.read_bytes()
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(content[: min(int(part * len(content)), len(content) - 1)])
    if kind == "tif" and content[: cut.stat().st_size].rstrip(b"\0") == content.rstrip(b"\0"):
        return  # only padding was cut
    with pytest.raises(DataError, match=r"cut\."):
        read_image(ImageRef(cut))


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"icc_profile": bytes(200_001)},  # the picture stands far behind the beginning
        {"exif": exif(1)},
        {"save_all": True, "append_images": [Image.fromarray(picture(seed=1))]},
    ],
    ids=["plain", "profile", "exif", "animated"],
)
@pytest.mark.parametrize("alpha", [False, True])
def test_a_webp_tells_whether_it_is_lossy(
    tmp_path: Path, lossless: bool, options: dict, alpha: bool
) -> None:
    path = tmp_path / "a.webp"
    image = Image.fromarray(picture())
    if alpha:
        image.putalpha(Image.fromarray(picture(seed=2)).convert("L"))
    image.save(path, lossless=lossless, **options)
    assert read_header(path).lossy is not lossless
    shown = np.asarray(image)[..., 3] > 0 if alpha else np.ones(image.size[::-1], bool)
    read = np.asarray(Image.open(path).convert("RGB"))
    assert np.array_equal(read[shown], picture()[shown]) is lossless


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            read_image(ImageRef(path))


def test_a_box_is_cut_out_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(path, picture())
    box = ImageRef(path, (10, 5, 30, 25))
    np.testing.assert_array_equal(read_image(box), picture()[5:25, 10:30])
    assert image_size(box) == (20, 20)
    for wrong in [(0, 0, 57, 40), (-1, 0, 5, 5), (5, 5, 5, 9)]:
        for read in (image_size, read_image):
            with pytest.raises(DataError, match="lies outside"):
                read(ImageRef(path, wrong))


def test_a_file_with_both_sides_gives_both(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_png(path, picture())
    left, right = ImageRef(path, (0, 0, 28, 40)), ImageRef(path, (28, 0, 56, 40))
    source, target = read_pair(ImagePair("a", left, right))
    np.testing.assert_array_equal(np.hstack([source, target]), picture())


def test_write_png_round_trips_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "[a] + b é.png"
    write_png(path, picture())
    np.testing.assert_array_equal(np.asarray(Image.open(path)), picture())
    np.testing.assert_array_equal(read_image(ImageRef(path)), picture())
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_write_png_refuses_anything_but_uint8_rgb(tmp_path: Path) -> None:
    for image in (picture().astype(float), picture()[:, :, 0]):
        with pytest.raises(DataError, match="uint8"):
            write_png(tmp_path / "a.png", image)
    assert list(tmp_path.iterdir()) == []


def _png(width: int, height: int, raw: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def _write_channels(path: Path, channels: int) -> None:
    import tifffile

    tifffile.imwrite(path, np.zeros((8, 8, channels), np.uint8), planarconfig="contig")


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tif", "RGB"), ("grey.tif", "L"), ("a.webp", "RGB"), ("a.bmp", "RGB"), ("p.png", "P")],
)
def test_pixels_of_every_format_may_be_written_and_torch_warns_of_none(
    tmp_path: Path, name: str, mode: str, recwarn
) -> None:
    import torch

    Image.fromarray(picture()).convert(mode).save(tmp_path / name)
    image = read_image(ImageRef(tmp_path / name))
    assert image.flags.writeable
    torch.from_numpy(image)
    assert not recwarn.list
