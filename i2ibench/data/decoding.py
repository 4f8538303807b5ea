"""The bytes of an image file to RGB of 8 bits, by the rule that ``i2ibench.data.images`` states."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.headers import BrokenImageError, ImageHeader, parse_header
from i2ibench.data.integrity import check_jpeg, check_png, check_tiff
from i2ibench.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 1 << 28  # 16384 x 16384

# A picture whose values end below this in a file of 16 bits was certainly not scaled to 16 bits.
_LEAST_OF_16_BITS = 4096

# Values of a TIFF's tag of compression: JPEG as it was first put there, and as it is now.
_JPEG_IN_TIFF = {6, 7}

_MODES = frozenset({"grey", "grey+alpha", "palette", "PA", "RGB", "RGBA"})
_MODES_OF_16_BITS = frozenset({"grey", "grey+alpha", "RGB", "RGBA"})


def decode(
    content: bytes, path: Path, bits: int | None, *, check_slowly: bool
) -> NDArray[np.uint8]:
    """Return the pixels of a file, RGB ``(H, W, 3)``.

    Args:
        content: the whole file.
        path: for messages.
        bits: how many bits the values of a file of 16 bits have; None where it stands alone.
        check_slowly: also look for damage where that costs about as much as half a decoding.

    Raises:
        DataError: damaged, truncated, unsupported or too large.
        BrokenImageError: the same; the caller adds the file's name.
    """
    header = parse_header(content)
    if header.width:
        check_header(header, path)
    if header.format == "PNG":
        check_png(content)
    elif header.format == "JPEG" and check_slowly:
        check_jpeg(content)
    if header.bits == 16:
        return _to_rgb(_eight_bits(_sixteen_bits(content, path), bits, path))
    if not header.is_plain:
        return _decode_with_pillow(content, path, bits, check_slowly)
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if image is None or image.shape[:2] != (header.height, header.width):
        raise BrokenImageError("is damaged and cannot be decoded")
    return np.asarray(image, dtype=np.uint8)


def largest_value(content: bytes, path: Path) -> int:
    """Return the largest value of a colour in a file of 16 bits.

    Raises:
        DataError, BrokenImageError: as ``decode``.
    """
    values = _sixteen_bits(content, path)
    return int(_colours(values).max())


def check_header(header: ImageHeader, path: Path) -> None:
    """Refuse by its header what has no unambiguous RGB of 8 bits, or too many pixels.

    Raises:
        DataError: names the file and says what to do.
    """
    check_pixels(header, path)
    if header.frames > 1:
        raise DataError(f"{path}: holds {header.frames} pages; export the one that is meant")
    if header.mode not in _MODES:
        raise DataError(
            f"{path}: its colour mode {header.mode} has no unambiguous 8-bit RGB; convert the "
            "file to RGB"
        )
    if header.bits > 16:
        raise DataError(f"{path}: has {header.bits} bits a channel; convert it to 8-bit RGB")
    if header.bits == 16 and (header.orientation != 1 or header.mode not in _MODES_OF_16_BITS):
        raise DataError(f"{path}: a rotated or {header.mode} 16-bit image; convert it to 8-bit RGB")


def check_pixels(header: ImageHeader, path: Path) -> None:
    """Refuse a picture that is too large to be decoded.

    Raises:
        DataError: names the file and its size.
    """
    if header.width * header.height > MAX_PIXELS:
        raise _too_large(path, f" ({header.width}x{header.height})")


def open_with_pillow(path: Path, content: bytes | None = None) -> Image.Image:
    """Open a file or its content with Pillow; pixels are not yet decoded.

    Raises:
        DataError: it is no image that Pillow knows, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    if Image.MAX_IMAGE_PIXELS == _LIMIT_OF_PILLOW:
        # Pillow's own limit is lower than the one that is promised here, and half of it a warning.
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        return Image.open(path if content is None else io.BytesIO(content))
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path}: is damaged or of an unsupported kind (channels, compression); convert it to "
            "8-bit RGB PNG"
        ) from None


_LIMIT_OF_PILLOW = 1024 * 1024 * 1024 // 4 // 3


def pillow_header(image: Image.Image) -> ImageHeader:
    """Return the header of an image that Pillow has opened, before any rotation."""
    modes = {
        "1": ("grey", 1),
        "L": ("grey", 8),
        "P": ("palette", 8),
        "LA": ("grey+alpha", 8),
        "RGB": ("RGB", 8),
        "RGBA": ("RGBA", 8),
        "I": ("grey", 16 if image.format == "PNG" else 32),
        "F": ("of floating point", 32),
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


def _decode_with_pillow(
    content: bytes, path: Path, bits: int | None, check_slowly: bool
) -> NDArray[np.uint8]:
    """Decode everything that is not plain 8-bit RGB or grey."""
    from PIL import ImageOps

    with open_with_pillow(path, content) as image:
        header = pillow_header(image)
        check_header(header, path)
        if header.format == "TIFF" and check_slowly:
            check_tiff(content, getattr(image, "tag_v2", {}))
        if header.bits == 16:
            if check_slowly:
                image.load()  # OpenCV draws something for what libtiff complains of
            return _to_rgb(_eight_bits(_sixteen_bits(content, path), bits, path))
        image.load()
        upright = ImageOps.exif_transpose(image)
        if "transparency" in upright.info:
            upright = upright.convert("RGBA")
        elif upright.mode in {"1", "P", "PA"}:
            upright = upright.convert({"1": "L", "P": "RGB", "PA": "RGBA"}[upright.mode])
        # A copy of one's own: torch warns of memory that must not be written, as Pillow's is.
        return _to_rgb(np.array(upright))


def _sixteen_bits(content: bytes, path: Path) -> NDArray[np.uint16]:
    """Decode 16-bit PNG and TIFF with OpenCV; Pillow keeps only the high byte of their colours."""
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        raise DataError(f"{path}: its 16-bit pixels cannot be decoded; convert it to 8-bit RGB")
    values = np.asarray(found, np.uint16)
    if values.ndim == 2:
        return values
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(values.shape[2])
    if order is None:
        raise DataError(f"{path}: {values.shape[2]} channels; convert it to 8-bit RGB")
    return values[:, :, order]


def _eight_bits(values: NDArray[np.uint16], bits: int | None, path: Path) -> NDArray[np.uint8]:
    """Scale values of ``bits`` bits to 8, rounding to the nearest level."""
    largest = int(_colours(values).max())
    if bits is None:
        if 0 < largest < _LEAST_OF_16_BITS:
            raise DataError(
                f"{path}: a 16-bit image whose values end at {largest}, so its scale is not "
                "that of 16 bits; rescale it to 8 bits"
            )
        bits = 16
    full = (1 << bits) - 1
    if largest > full:
        raise DataError(
            f"{path}: holds values up to {largest}, but the scale of its set ends at {full} "
            f"({bits} bits); declare the bits of the set in a card, or rescale it to 8 bits"
        )
    scales = np.full(values.shape[2] if values.ndim == 3 else 1, full, np.uint32)
    if values.ndim == 3 and values.shape[2] == 4 and values[:, :, 3].max() > full:
        scales[3] = 65535  # opacity is often written in full where colours are not
    wide = values if values.ndim == 3 else values[:, :, None]
    eight = ((wide.astype(np.uint32) * 255 + scales // 2) // scales).astype(np.uint8)
    return eight.reshape(values.shape)


def _colours(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return values if values.ndim == 2 else values[:, :, :3]


def _to_rgb(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn uint8 grey ``(H, W)``, grey and alpha, RGB or RGBA ``(H, W, 2..4)`` into RGB."""
    if values.ndim == 2 or values.shape[2] == 1:
        return np.repeat(values.reshape(*values.shape[:2], 1), 3, axis=2)
    if values.shape[2] == 3:
        return np.ascontiguousarray(values)
    return _over_white(values)


def _over_white(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite ``(H, W, 2 or 4)`` over white, rounding to the nearest level."""
    colour, alpha = values[:, :, :-1].astype(np.int32), values[:, :, -1:].astype(np.int32)
    mixed = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.repeat(mixed, 3, axis=2) if mixed.shape[2] == 1 else mixed


def _too_large(path: Path, size: str = "") -> DataError:
    return DataError(
        f"{path}: has more than {MAX_PIXELS:,} pixels{size}, which is refused as a decompression "
        "bomb; cut it into tiles"
    )
