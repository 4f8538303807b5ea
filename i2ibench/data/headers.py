"""What an image file says about itself before its pixels are decoded.

Decoders disagree on damaged files: OpenCV fills the missing part of a truncated JPEG with grey and
prints a line, Pillow raises. So that every metric sees the same, containers are checked here first.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# What a reader takes for an image, and the format that each suffix promises. Frozen: a file that is
# an image in one place of the code is one everywhere.
FORMAT_OF_SUFFIX: Mapping[str, str] = MappingProxyType(
    {
        ".png": "PNG",
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".jpe": "JPEG",
        ".jfif": "JPEG",
        ".jfi": "JPEG",
        ".jif": "JPEG",
        ".pjpeg": "JPEG",
        ".pjp": "JPEG",
        ".tif": "TIFF",
        ".tiff": "TIFF",
        ".bmp": "BMP",
        ".dib": "BMP",
        ".webp": "WEBP",
        ".gif": "GIF",
        ".ppm": "PPM",
        ".pgm": "PPM",
        ".pbm": "PPM",
        ".pnm": "PPM",
    }
)
IMAGE_SUFFIXES = frozenset(FORMAT_OF_SUFFIX)

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# PBM, PGM and PPM: their kind, then numbers between which space and comments may stand.
_NETPBM = re.compile(rb"P[1-6](?=[\s#])")
_NETPBM_NUMBER = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+([0-9]{1,9})(?=[\s#])")

# Start-of-frame markers of JPEG; C4, C8 and CC are tables in the same range.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Facts of an image file.

    Attributes:
        format: ``"PNG"``, ``"JPEG"``, ``"TIFF"``, ``"BMP"``, ``"WEBP"``, ``"GIF"`` or ``"PPM"``
            (also PGM and PBM), found in the content.
        width: of the stored image, before any EXIF rotation.
        height: of the stored image.
        mode: ``"RGB"``, ``"grey"``, ``"palette"``, ``"RGBA"``, ``"grey+alpha"``, ``"CMYK"``; empty
            where only a decoder can tell.
        bits: per channel; 0 where only a decoder can tell.
        orientation: EXIF orientation 1 to 8.
        frames: pictures in the file; 0 where only a decoder can tell.
        lossy: whether the pixels are compressed with loss, as by JPEG and WebP's VP8; False where
            only a decoder can tell.
    """

    format: str
    width: int = 0
    height: int = 0
    mode: str = ""
    bits: int = 0
    orientation: int = 1
    frames: int = 1
    lossy: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """``(width, height)`` as shown, that is after EXIF rotation."""
        if self.orientation >= 5:
            return self.height, self.width
        return self.width, self.height

    @property
    def is_plain(self) -> bool:
        """Whether it is 8-bit RGB or grey without rotation, alpha, palette or further frames."""
        return (
            self.mode in {"RGB", "grey"}
            and self.bits == 8
            and self.orientation == 1
            and self.frames == 1
        )


class BrokenImageError(ValueError):
    """A container that is truncated or malformed; the caller adds the file's name."""


def parse_header(content: bytes, *, whole: bool = True) -> ImageHeader:
    """Read the header of an image file.

    Args:
        content: the file's bytes, or their beginning if not ``whole``.
        whole: also check that the container is complete to its end.

    Raises:
        BrokenImageError: truncated, malformed or of an unsupported format.
    """
    if not content:
        raise BrokenImageError("is an empty file")
    if content.startswith(PNG_SIGNATURE):
        return _png_header(content, whole)
    if content.startswith(b"\xff\xd8"):
        return _jpeg_header(content, whole)
    if content[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return ImageHeader("TIFF", frames=0)
    if content.startswith(b"BM"):
        return ImageHeader("BMP", frames=0)
    if content[:6] in {b"GIF87a", b"GIF89a"}:
        if whole and not content.rstrip(b"\0").endswith(b";"):
            raise BrokenImageError("is truncated")
        return ImageHeader("GIF", frames=0)
    if _NETPBM.match(content):
        return _netpbm_header(content, whole)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        if whole and len(content) < 8 + int.from_bytes(content[4:8], "little"):
            raise BrokenImageError("is truncated")
        return ImageHeader("WEBP", frames=0, lossy=_is_lossy_webp(content, whole))
    raise BrokenImageError("is not an image this tool reads (PNG, JPEG, TIFF, BMP, WebP, GIF, PPM)")


_PNG_MODES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey+alpha", 6: "RGBA"}


def _png_header(content: bytes, whole: bool) -> ImageHeader:
    if len(content) < 33:
        raise BrokenImageError("is truncated")
    if content[12:16] != b"IHDR":
        raise BrokenImageError("is a malformed PNG (no IHDR)")
    width, height, bits, colour = struct.unpack(">IIBB", content[16:26])
    if colour not in _PNG_MODES or width == 0 or height == 0:
        raise BrokenImageError("is a malformed PNG (bad IHDR)")
    mode, orientation, frames = _PNG_MODES[colour], 1, 1
    position, reached_pixels, ended = 8, False, False
    while position + 8 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        body = position + 8
        if kind == b"IDAT":
            reached_pixels = True
            if not whole:
                break
        if kind == b"IEND":
            ended = True
            break
        if reached_pixels:
            pass  # what stands behind the pixels changes nothing
        elif kind == b"tRNS":
            # Transparency of a grey, RGB or palette image: alpha by another name.
            mode = {"grey": "grey+alpha", "RGB": "RGBA"}.get(mode, mode)
        elif kind == b"eXIf":
            orientation = _exif_orientation(content[body : body + length])
        elif kind == b"acTL":
            frames = int.from_bytes(content[body : body + 4], "big")
        position = body + length + 4
    if not (ended or (reached_pixels and not whole)):
        raise BrokenImageError("is truncated")
    return ImageHeader("PNG", width, height, mode, bits, orientation, frames)


def _jpeg_header(content: bytes, whole: bool) -> ImageHeader:
    position, orientation = 2, 1
    frame: tuple[int, int, int, int] | None = None
    while True:
        if position + 4 > len(content):
            raise BrokenImageError("is truncated")
        if content[position] != 0xFF:
            raise BrokenImageError("is a malformed JPEG")
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte before a marker
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            position += 2
            continue
        if marker == 0xD9:
            raise BrokenImageError("is a JPEG without a picture")
        length = int.from_bytes(content[position + 2 : position + 4], "big")
        segment = content[position + 4 : position + 2 + length]
        if marker in _START_OF_FRAME:
            if len(segment) < 6:
                raise BrokenImageError("is truncated")
            bits, height, width, channels = struct.unpack(">BHHB", segment[:6])
            frame = (bits, width, height, channels)
        elif marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(segment[6:])
        elif marker == 0xDA or (frame is not None and not whole):
            break
        position += 2 + length
        if frame is not None and not whole:
            break
    if frame is None:
        raise BrokenImageError("is a malformed JPEG (no frame before its scan)")
    # Inside a scan 0xFF is always followed by a stuffed zero, so the end marker is unmistakable.
    if whole and content.rfind(b"\xff\xd9") < position:
        raise BrokenImageError("is truncated")
    bits, width, height, channels = frame
    if width == 0 or height == 0:
        raise BrokenImageError("is a malformed JPEG (no size)")
    mode = {1: "grey", 3: "RGB", 4: "CMYK"}.get(channels, f"{channels} channels")
    return ImageHeader("JPEG", width, height, mode, bits, orientation, lossy=True)


def _netpbm_header(content: bytes, whole: bool) -> ImageHeader:
    kind, numbers, position = content[1:2], list[int](), 2
    for _ in range(2 if kind in b"14" else 3):  # one bit a pixel needs no largest value
        match = _NETPBM_NUMBER.match(content, position)
        if match is None:
            raise BrokenImageError("is a malformed PPM" if whole else "is truncated")
        numbers.append(int(match[1]))
        position = match.end()
    width, height, largest = (*numbers, 1)[:3]
    if width == 0 or height == 0:
        raise BrokenImageError("is a malformed PPM (no size)")
    if kind not in b"14" and largest not in {255, 65535}:
        # Other scales would be rounded to 8 bits, each decoder in its own way.
        raise BrokenImageError(f"is a PPM whose largest value is {largest}, not 255 or 65535")
    if kind not in b"56":
        return ImageHeader("PPM", frames=0)
    bits = largest.bit_length()
    if whole:
        pixels = len(content) - position - 1
        expected = width * height * (3 if kind == b"6" else 1) * bits // 8
        if pixels < expected:
            raise BrokenImageError("is truncated")
        if pixels > expected:
            raise BrokenImageError("is a PPM with more than one picture")
    return ImageHeader("PPM", width, height, "RGB" if kind == b"6" else "grey", bits)


def _is_lossy_webp(content: bytes, whole: bool) -> bool:
    """Whether the first picture of a WebP is VP8 and not VP8L, the format without loss."""
    position = 12
    while position + 8 <= len(content):
        kind = content[position : position + 4]
        if kind in {b"VP8 ", b"VP8L"}:
            return kind == b"VP8 "
        length = int.from_bytes(content[position + 4 : position + 8], "little")
        # A frame of an animation holds chunks of its own behind 16 bytes; all begin at even places.
        position += 8 + (16 if kind == b"ANMF" else length + length % 2)
    if whole:
        raise BrokenImageError("is a WebP without a picture")
    raise BrokenImageError("is truncated")


def _exif_orientation(tiff: bytes) -> int:
    """Return tag 0x0112 of the first directory; 1 where it is absent or malformed."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return 1
    (start,) = struct.unpack(order + "I", tiff[4:8])
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack(order + "H", tiff[start : start + 2])
    for index in range(count):
        entry = tiff[start + 2 + 12 * index : start + 14 + 12 * index]
        if len(entry) < 12:
            break
        tag, kind = struct.unpack(order + "HH", entry[:4])
        if tag == 0x0112 and kind == 3:
            (value,) = struct.unpack(order + "H", entry[8:10])
            return value if 1 <= value <= 8 else 1
    return 1
