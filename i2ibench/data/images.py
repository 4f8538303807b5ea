"""Image files to pixels and back: one stated rule for every model and metric.

A file is decoded by its content, never by its suffix (copies of BCI hold JPEG streams under
``.png``). The rule, which ``docs/data.md`` states for users:

* 8-bit RGB is taken as it is; colour profiles and gamma are ignored (sRGB is assumed).
* Grey and 1-bit are repeated into three channels; a palette is looked up.
* EXIF rotation is applied.
* Alpha is composited over white, the colour of an empty slide.
* 16 bits become 8 by rounding value / 257. An image whose values all lie below 4096 holds 12-bit
  data in a 16-bit file: nearly black under that rule, so it is refused.
* CMYK, Lab, floating point, more than four channels, and files with several pages are refused.
* Truncated files, and images of more than 2**28 pixels, are refused.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.headers import BrokenImageError, ImageHeader, parse_header
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.errors import DataError
from i2ibench.files import atomic_path

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 1 << 28  # 16384 x 16384

# A large profile or thumbnail can push a header beyond the beginning of a file.
_HEADER_BYTES = (1 << 12, 1 << 16, -1)

# Values of a TIFF's tag of compression: JPEG as it was first put there, and as it is now.
_JPEG_IN_TIFF = {6, 7}


def read_image(ref: ImageRef) -> NDArray[np.uint8]:
    """Return the pixels of ``ref`` as RGB ``(H, W, 3)``, by the rule of this module.

    Raises:
        DataError: the file is missing, truncated, unsupported or too large, or ``ref.box``
            reaches beyond it.
    """
    return _crop(_decode(ref.path), ref)


def read_pair(pair: ImagePair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return source and target as RGB; a file that holds both is decoded once."""
    if pair.source.path != pair.target.path:
        return read_image(pair.source), read_image(pair.target)
    image = _decode(pair.source.path)
    return _crop(image, pair.source), _crop(image, pair.target)


def image_size(ref: ImageRef) -> tuple[int, int]:
    """Return ``(width, height)`` of ``ref``, from the file's header where possible.

    Raises:
        DataError: as ``read_image``, as far as the header tells.
    """
    width, height = read_header(ref.path).size
    if ref.box is None:
        return width, height
    _check_box(ref, width, height)
    left, top, right, bottom = ref.box
    return right - left, bottom - top


def read_header(path: Path) -> ImageHeader:
    """Return the header of an image file; complete (mode, bits, frames) for every format.

    Only the beginning of a PNG or JPEG is read; whether its end is there, decoding tells.
    """
    header = _parse_start(path)
    if header.width == 0:
        with _open_with_pillow(path) as image:
            found = _pillow_header(image)
        header = replace(found, lossy=found.lossy or header.lossy)
    _check_pixels(header.width, header.height, path)
    return header


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write RGB ``(H, W, 3)`` as PNG, atomically.

    Raises:
        DataError: not uint8 of that shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataError(
            f"{path}: a PNG is written from uint8 (H, W, 3), not {image.dtype} {image.shape}"
        )
    # Level 1 with the default row filters: within 10 % of the size of level 6, several times
    # faster.
    done, buffer = cv2.imencode(
        ".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    if not done:
        raise DataError(f"{path}: the image could not be encoded as PNG")
    # One of many: the manifest or page that lists them is written afterwards.
    with atomic_path(path, lasting=False) as temporary:
        temporary.write_bytes(buffer.tobytes())


def _decode(path: Path) -> NDArray[np.uint8]:
    content = _read(path)
    try:
        header = parse_header(content)
    except BrokenImageError as error:
        raise DataError(f"{path}: {error}; replace or remove it") from None
    if header.width:
        _check_pixels(header.width, header.height, path)
    if header.bits == 16:
        return _decode_16_bits(content, header, path)
    if not header.is_plain:
        return _decode_with_pillow(content, path)
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if image is None or image.shape[:2] != (header.height, header.width):
        raise DataError(f"{path}: is damaged and cannot be decoded; replace or remove it")
    return np.asarray(image, dtype=np.uint8)


def _decode_with_pillow(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode everything that is not plain 8-bit RGB or grey."""
    from PIL import ImageOps

    with _open_with_pillow(path, content) as image:
        header = _pillow_header(image)
        if header.frames > 1:
            raise DataError(f"{path}: holds {header.frames} pages; export the one that is meant")
        _check_pixels(header.width, header.height, path)
        if header.bits == 16:
            return _decode_16_bits(content, header, path)
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
            if "transparency" in upright.info:
                upright = upright.convert("RGBA")
            elif upright.mode in {"1", "P", "PA"}:
                upright = upright.convert({"1": "L", "P": "RGB", "PA": "RGBA"}[upright.mode])
            values = np.asarray(upright)
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{path}: cannot be decoded ({error}); replace it") from None
    if upright.mode not in {"L", "LA", "RGB", "RGBA"}:
        raise DataError(
            f"{path}: its colour mode {upright.mode} has no unambiguous 8-bit RGB; convert the "
            "file to RGB"
        )
    return _to_rgb(values)


def _decode_16_bits(content: bytes, header: ImageHeader, path: Path) -> NDArray[np.uint8]:
    """Decode 16-bit PNG and TIFF with OpenCV; Pillow keeps only the high byte of their colours."""
    if header.orientation != 1 or header.mode not in {"grey", "grey+alpha", "RGB", "RGBA"}:
        raise DataError(f"{path}: a rotated or {header.mode} 16-bit image; convert it to 8-bit RGB")
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise DataError(f"{path}: its 16-bit pixels cannot be decoded; convert it to 8-bit RGB")
    colours = values if values.ndim == 2 else values[:, :, :3]
    if 0 < colours.max() < 4096:
        raise DataError(
            f"{path}: a 16-bit image whose values end at {colours.max()}, so its scale is not "
            "that of 16 bits; rescale it to 8 bits"
        )
    eight = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if eight.ndim == 3:
        order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(eight.shape[2])
        if order is None:
            raise DataError(f"{path}: {eight.shape[2]} channels; convert it to 8-bit RGB")
        eight = eight[:, :, order]
    return _to_rgb(eight)


def _open_with_pillow(path: Path, content: bytes | None = None) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path if content is None else io.BytesIO(content))
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path}: is damaged or of an unsupported kind (channels, compression); convert it to "
            "8-bit RGB PNG"
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error}); replace it") from None


def _pillow_header(image: Image.Image) -> ImageHeader:
    """Return the header of an image that Pillow has opened, before any rotation."""
    modes = {
        "1": ("grey", 1),
        "L": ("grey", 8),
        "P": ("palette", 8),
        "LA": ("grey+alpha", 8),
        "RGB": ("RGB", 8),
        "RGBA": ("RGBA", 8),
        "I": ("grey", 16 if image.format == "PNG" else 32),
    }
    mode, bits = modes.get(image.mode, (image.mode, 8))
    if image.mode.startswith("I;16"):
        mode, bits = "grey", 16
    tags = getattr(image, "tag_v2", {})  # TIFF; Pillow's own size is already rotated there
    bits = max(tags.get(258, (bits,)))
    return ImageHeader(
        image.format or "",
        tags.get(256, image.width),
        tags.get(257, image.height),
        mode,
        bits,
        image.getexif().get(0x0112, 1),
        getattr(image, "n_frames", 1),
        lossy=tags.get(259) in _JPEG_IN_TIFF,
    )


def _to_rgb(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn uint8 grey ``(H, W)``, grey and alpha, RGB or RGBA ``(H, W, 2..4)`` into RGB."""
    if values.ndim == 2:
        return np.repeat(values[:, :, None], 3, axis=2)
    if values.shape[2] == 3:
        return np.ascontiguousarray(values)
    return _over_white(values)


def _over_white(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite ``(H, W, 2 or 4)`` over white, rounding to the nearest level."""
    colour, alpha = values[:, :, :-1].astype(np.int32), values[:, :, -1:].astype(np.int32)
    mixed = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.repeat(mixed, 3, axis=2) if mixed.shape[2] == 1 else mixed


def _crop(image: NDArray[np.uint8], ref: ImageRef) -> NDArray[np.uint8]:
    if ref.box is None:
        return image
    _check_box(ref, image.shape[1], image.shape[0])
    left, top, right, bottom = ref.box
    return np.ascontiguousarray(image[top:bottom, left:right])


def _check_box(ref: ImageRef, width: int, height: int) -> None:
    left, top, right, bottom = ref.box or (0, 0, width, height)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise DataError(f"{ref.path}: the panel {ref.box} lies outside its {width}x{height} pixels")


def _check_pixels(width: int, height: int, path: Path) -> None:
    if width * height > MAX_PIXELS:
        raise _too_large(path, f" ({width}x{height})")


def _too_large(path: Path, size: str = "") -> DataError:
    return DataError(
        f"{path}: has more than {MAX_PIXELS:,} pixels{size}, which is refused as a decompression "
        "bomb; cut it into tiles"
    )


def _parse_start(path: Path) -> ImageHeader:
    *beginnings, whole = _HEADER_BYTES
    for length in beginnings:
        with contextlib.suppress(BrokenImageError):
            return parse_header(_read(path, length), whole=False)
    try:
        return parse_header(_read(path, whole), whole=False)
    except BrokenImageError as error:
        raise DataError(f"{path}: {error}; replace or remove it") from None


def _read(path: Path, length: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
