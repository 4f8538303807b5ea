"""Image files to pixels and back: one stated rule for every model and metric.

A file is decoded by its content, never by its suffix (copies of BCI hold JPEG streams under
``.png``). The rule, which ``docs/data.md`` states for users:

* 8-bit RGB is taken as it is; colour profiles and gamma are ignored (sRGB is assumed).
* Grey and 1-bit are repeated into three channels; a palette is looked up.
* EXIF rotation is applied.
* Alpha is composited over white, the colour of an empty slide.
* 16 bits become 8 by the scale of their set (``ImageRef.bits``, see ``i2ibench.data.scale``):
  value * 255 / (2**bits - 1), rounded. An image that stands alone has 16; if its values all lie
  below 4096 it is refused, because it would be nearly black.
* CMYK, Lab, floating point, more than four channels, and files with several pages are refused.
* Damaged and truncated files, as far as their format can tell, images of more than 2**28 pixels,
  and whatever is no regular file are refused.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.decoding import (
    check_header,
    check_pixels,
    decode,
    largest_value,
    open_with_pillow,
    pillow_header,
)
from i2ibench.data.headers import BrokenImageError, ImageHeader, parse_header
from i2ibench.data.integrity import check_content
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.errors import DataError, I2IBenchError, is_out_of_memory, named
from i2ibench.files import atomic_path

# A large profile or thumbnail can push a header beyond the beginning of a file.
_HEADER_BYTES = (1 << 12, 1 << 16, -1)

# Files of which this process knows that they are whole: (path, bytes, time of change). What is read
# again in every epoch is looked through once.
_whole: set[tuple[str, int, int]] = set()
_MOST_KNOWN = 1 << 18


def read_image(ref: ImageRef) -> NDArray[np.uint8]:
    """Return the pixels of ``ref`` as RGB ``(H, W, 3)``, by the rule of this module.

    Raises:
        DataError: the file is missing, truncated, unsupported or too large, or ``ref.box``
            reaches beyond it.
    """
    return _crop(_decode(ref.path, ref.bits), ref)


def read_pair(pair: ImagePair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return source and target as RGB; a file that holds both is decoded once."""
    if (pair.source.path, pair.source.bits) != (pair.target.path, pair.target.bits):
        return read_image(pair.source), read_image(pair.target)
    image = _decode(pair.source.path, pair.source.bits)
    return _crop(image, pair.source), _crop(image, pair.target)


def image_size(ref: ImageRef) -> tuple[int, int]:
    """Return ``(width, height)`` of ``ref``, from the file's header where possible.

    Raises:
        DataError: as ``read_image``, as far as the header tells.
    """
    return size_of(ref, read_header(ref.path))


def size_of(ref: ImageRef, header: ImageHeader) -> tuple[int, int]:
    """Return ``(width, height)`` of ``ref``, whose file has this header.

    Raises:
        DataError: ``ref.box`` reaches beyond the file.
    """
    width, height = header.size
    if ref.box is None:
        return width, height
    _check_box(ref, width, height)
    left, top, right, bottom = ref.box
    return right - left, bottom - top


def read_header(path: Path) -> ImageHeader:
    """Return the header of an image file; complete (mode, bits, frames) for every format.

    Only the beginning of a PNG or JPEG is read; whether its end is there, decoding tells.
    """
    with _naming(path):
        header = _parse_start(path)
        if header.width == 0:
            with open_with_pillow(path) as image:
                found = pillow_header(image)
            header = replace(found, lossy=found.lossy or header.lossy)
        check_pixels(header, path)
    return header


def check_readable(path: Path) -> ImageHeader:
    """Return the header of an image that ``read_image`` takes, as far as the header tells.

    Raises:
        DataError: it is refused; names the file and says what to do.
    """
    header = read_header(path)
    check_header(header, path)
    return header


def read_largest_value(path: Path) -> int:
    """Return the largest value of a colour in a file of 16 bits.

    Raises:
        DataError: as ``read_image``.
    """
    with _naming(path):
        return largest_value(_read(path)[0], path)


def read_whole(path: Path) -> bytes:
    """Return the bytes of an image, looked through for damage as far as its format can tell.

    Raises:
        DataError: damaged, truncated or of an unknown format; names the file.
    """
    with _naming(path):
        content, known = _read(path)
        check_content(content)
    _remember(known)
    return content


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


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Tell every error of a decoder in a line with the file's name.

    Decoders promise few of the errors that damaged bytes bring out of them. Memory that ran out is
    no fault of the file.
    """
    try:
        yield
    except I2IBenchError:
        raise
    except BrokenImageError as error:
        raise DataError(f"{path}: {error}; replace or remove it") from None
    except OSError as error:
        if is_out_of_memory(error):
            raise
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); replace it") from None
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise DataError(f"{path}: cannot be decoded ({named(error)}); replace it") from None


def _decode(path: Path, bits: int | None) -> NDArray[np.uint8]:
    with _naming(path):
        content, known = _read(path)
        image = decode(content, path, bits, check_slowly=known not in _whole)
    _remember(known)
    return image


def _remember(known: tuple[str, int, int]) -> None:
    if len(_whole) >= _MOST_KNOWN:
        _whole.clear()
    _whole.add(known)


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


def _parse_start(path: Path) -> ImageHeader:
    *beginnings, whole = _HEADER_BYTES
    for length in beginnings:
        with contextlib.suppress(BrokenImageError):
            return parse_header(_read(path, length)[0], whole=False)
    return parse_header(_read(path, whole)[0], whole=False)


def _read(path: Path, length: int = -1) -> tuple[bytes, tuple[str, int, int]]:
    """Return the content of a regular file, or its beginning, and what tells it from others."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        kind = "a folder" if stat.S_ISDIR(state.st_mode) else "a pipe, a socket or a device"
        raise DataError(f"{path}: is {kind}, not a file; remove it")
    with open(path, "rb", opener=_open_without_waiting) as file:
        content = file.read(length)
    return content, (os.fspath(path), state.st_size, state.st_mtime_ns)


def _open_without_waiting(path: str, flags: int) -> int:
    # Should a pipe have taken the file's place meanwhile.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
