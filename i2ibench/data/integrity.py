"""Whether an image file is whole: what its container can tell beyond what decoders complain of.

Decoders are lenient: OpenCV draws something for most damaged JPEGs and ignores check sums of PNG.
What each format can tell, and how often, is measured by ``benchmarks/damaged_images.py`` and stands
in ``docs/data.md``.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from i2ibench.data.headers import PNG_SIGNATURE, BrokenImageError, parse_header

# The start of a marker inside entropy-coded data: no stuffed zero and no fill byte. Restart markers
# (D0 to D7) stand there by right.
_RESTARTS = re.compile(rb"\xff([\xd0-\xd7])")
_BEFORE_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
# No marker begins in it.
_FILLER = bytes(index * 73 % 251 for index in range(64))
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# What may follow the one scan of a JPEG: its end, a number of lines, comments, application data.
_AFTER_SCAN = {0xD9, 0xDC, 0xFE, *range(0xE0, 0xF0)}

# Tags of TIFF.
_COMPRESSION = 259
_PARTS = ((273, 279), (324, 325))  # offsets and lengths of strips, or of tiles
_DEFLATE = {8, 32946}


def check_content(content: bytes) -> None:
    """Look through the bytes of an image file for damage, without its pixels.

    Raises:
        BrokenImageError: damaged, truncated, or of an unknown format.
    """
    kind = parse_header(content).format
    if kind == "PNG":
        check_png(content)
    elif kind == "JPEG":
        check_jpeg(content)
    elif kind == "TIFF":
        from PIL import Image

        with Image.open(io.BytesIO(content)) as image:
            check_tiff(content, getattr(image, "tag_v2", {}))


def check_png(content: bytes) -> None:
    """Check the sums of all chunks up to the end.

    Raises:
        BrokenImageError: a sum is wrong, or the end is missing.
    """
    view, position = memoryview(content), len(PNG_SIGNATURE)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            break
        (stored,) = struct.unpack_from(">I", content, end)
        if zlib.crc32(view[position + 4 : end]) != stored:
            raise BrokenImageError("is damaged (a check sum is wrong)")
        if content[position + 4 : position + 8] == b"IEND":
            return
        position = end + 4
    raise BrokenImageError("is truncated")


def check_jpeg(content: bytes) -> None:
    """Check that the coded data are as long as the picture needs, and restarts are in order.

    Raises:
        BrokenImageError: data are left over or lack, restarts are astray, or a decoder complains.
    """
    scans = _scans(content)
    held_back = None
    if scans is not None:
        begin, end, restarts = scans
        _check_restarts(content[begin:end], restarts)
        held_back = _last_byte(content, begin, end)
    shown = _decode_coarsely(content, held_back)
    if scans is not None and shown != _decode_coarsely(_filled(content, begin, end), None):
        raise BrokenImageError("is damaged (its coded data end early)")


def check_tiff(content: bytes, tags: Mapping[int, Any]) -> None:
    """Check that all strips or tiles lie within the file, and the sums of those that have one.

    Raises:
        BrokenImageError: one does not, or cannot be unpacked.
    """
    for offsets, lengths in _PARTS:
        parts = list(zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False))
        if any(start + length > len(content) for start, length in parts):
            raise BrokenImageError("is truncated")
        if tags.get(_COMPRESSION) in _DEFLATE:
            for start, length in parts:
                _check_zlib(content[start : start + length])


def _check_zlib(packed: bytes) -> None:
    unpack = zlib.decompressobj()
    try:
        # In pieces: what is thrown away needs no memory.
        while packed:
            unpack.decompress(packed, 1 << 20)
            packed = unpack.unconsumed_tail
    except zlib.error:
        raise BrokenImageError("is damaged (a check sum is wrong)") from None
    if not unpack.eof:
        raise BrokenImageError("is truncated")


def _scans(content: bytes) -> tuple[int, int, int] | None:
    """Return begin and end of the only scan of a sequential JPEG, and its restarts; else None."""
    position, frame, interval = 2, None, 0
    while position + 4 <= len(content):
        marker = content[position + 1]
        if content[position] != 0xFF or marker == 0xFF:
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        length = int.from_bytes(content[position + 2 : position + 4], "big")
        segment = content[position + 4 : position + 2 + length]
        position += 2 + length
        if marker in {0xC0, 0xC1}:
            frame = segment
        elif marker == 0xDD and len(segment) >= 2:
            interval = int.from_bytes(segment[:2], "big")
        elif marker == 0xDA:
            break
    else:
        return None
    if frame is None or not segment or segment[0] != frame[5]:
        return None  # progressive, or a scan for each component
    found = _END_OF_SCAN.search(content, position)
    if found is None:
        raise BrokenImageError("is truncated")
    if found[0][1] not in _AFTER_SCAN:
        raise BrokenImageError("is damaged (a marker inside its picture)")
    return position, found.start(), _restarts(frame, interval)


def _restarts(frame: bytes, interval: int) -> int:
    """Return how many restart markers a scan of all components has."""
    if interval == 0:
        return 0
    height, width, components = struct.unpack(">HHB", frame[1:6])
    factors = [frame[7 + 3 * index] for index in range(components)]
    if components == 1:
        across, down = 1, 1
    else:
        across = max(factor >> 4 for factor in factors)
        down = max(factor & 15 for factor in factors)
    units: int = -(-width // (8 * across)) * -(-height // (8 * down))
    return -(-units // interval) - 1


def _check_restarts(coded: bytes, expected: int) -> None:
    found = _RESTARTS.findall(coded)
    numbers = b"".join(found)
    if len(found) != expected or numbers != bytes(0xD0 + i % 8 for i in range(expected)):
        raise BrokenImageError("is damaged (restart markers are missing or astray)")


def _last_byte(content: bytes, begin: int, end: int) -> int:
    """Return where the last byte of coded data stands, before fill bytes of the next marker."""
    last = end - 1
    while last > begin and content[last] == 0xFF:
        last -= 1
    return last - 1 if content[last] == 0 and content[last - 1] == 0xFF else last


def _filled(content: bytes, begin: int, end: int) -> bytes:
    """Return a JPEG with bytes of no meaning where its coded data end, and before each restart.

    A decoder that has all it needs passes over them. One that lacks data, which it would draw as
    grey (libjpeg's premature end), takes them for the picture's.
    """
    coded = content[begin:end].rstrip(b"\xff")
    filled = _BEFORE_RESTART.sub(lambda found: _FILLER + found[0], coded)
    return b"".join([content[:begin], filled, _FILLER, content[begin + len(coded) :]])


class _HeldBack(io.BytesIO):
    """A file that hands out the bytes before a place first, and knows whether more was wanted."""

    def __init__(self, content: bytes, place: int) -> None:
        super().__init__(content)
        self.place, self.wanted_more = place, False

    def read(self, size: int | None = -1, /) -> bytes:
        left = self.place - self.tell()
        if left <= 0:
            self.wanted_more = True
            return super().read(size)
        return super().read(left if size is None or size < 0 else min(size, left))


def _decode_coarsely(content: bytes, last: int | None) -> bytes:
    """Return the pixels of a JPEG at an eighth of its size, which reads all coded data.

    The last byte of the data always holds some bit of the picture. A decoder that is content
    without it has lost its place, and draws blocks where they do not belong: what libjpeg calls
    extraneous bytes, in a warning that neither OpenCV nor Pillow passes on.
    """
    from PIL import Image

    file = _HeldBack(content, len(content) if last is None else last)
    with Image.open(file) as image:
        if image.format != "JPEG":  # several pictures in one file (MPO): decoders take the first
            return b""
        image.draft("L", (1, 1))
        file.wanted_more = False
        try:
            shown: bytes = image.tobytes()
        except OSError:
            raise BrokenImageError("is damaged (its coded data end or break off)") from None
    if last is not None and not file.wanted_more:
        raise BrokenImageError("is damaged (its coded data do not fit its size)")
    return shown
