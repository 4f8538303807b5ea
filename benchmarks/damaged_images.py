"""How often each format of images shows that a file is damaged: the table of ``docs/data.md``.

A drawn picture is written in each format; then one bit at a random place is turned round
(flips), or the file ends at a random place (cuts), and it is read. ``accepted, equal`` are files
whose damage touched nothing that is shown.

    python benchmarks/damaged_images.py [--flips 320] [--cuts 80]
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError

SIDE = 96

# Writes the picture of a side into a folder and returns its file.
Save = Callable[..., Path]


def drawn(bits: int = 8, side: int = SIDE) -> np.ndarray:
    """Return a smooth picture, RGB ``(side, side, 3)``."""
    draw = np.random.default_rng(0).random((side, side, 3))
    smooth = cv2.GaussianBlur(draw, (0, 0), 2)
    unit = (smooth - smooth.min()) / np.ptp(smooth)
    return np.rint(unit * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def _saved(suffix: str, **options: object) -> Save:
    def save(folder: Path, side: int = SIDE) -> Path:
        path = folder / f"whole{suffix}"
        Image.fromarray(drawn(side=side)).save(path, **options)
        return path

    return save


def _wide(suffix: str, compression: int | None = None) -> Save:
    def save(folder: Path, side: int = SIDE) -> Path:
        path = folder / f"whole{suffix}"
        options = [] if compression is None else [cv2.IMWRITE_TIFF_COMPRESSION, compression]
        cv2.imwrite(str(path), drawn(16, side), options)
        return path

    return save


FORMATS: dict[str, Save] = {
    "PNG": _saved(".png"),
    "PNG, 16 bits": _wide(".png"),
    "JPEG": _saved(".jpg", quality=90),
    "JPEG with restart markers": _saved(".jpg", quality=90, restart_marker_rows=1),
    "JPEG, progressive": _saved(".jpg", quality=90, progressive=True),
    "TIFF": _saved(".tif"),
    "TIFF, LZW": _saved(".tif", compression="tiff_lzw"),
    "TIFF, deflate": _saved(".tif", compression="tiff_adobe_deflate"),
    "TIFF, JPEG": _saved(".tif", compression="jpeg"),
    "TIFF, 16 bits": _wide(".tif", 1),
    "TIFF, 16 bits, LZW": _wide(".tif", 5),
    "TIFF, 16 bits, deflate": _wide(".tif", 8),
    "WebP": _saved(".webp", quality=90),
    "WebP, lossless": _saved(".webp", lossless=True),
    "BMP": _saved(".bmp"),
}


def damaged(content: bytes, flips: int, cuts: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield ``("flips", bytes)`` and ``("cuts", bytes)``, the same for the same seed."""
    draw = np.random.default_rng(seed)
    for _ in range(flips):
        changed = bytearray(content)
        changed[draw.integers(len(content))] ^= 1 << int(draw.integers(8))
        yield "flips", bytes(changed)
    for _ in range(cuts):
        yield "cuts", content[: draw.integers(len(content))]


def outcomes(name: str, folder: Path, flips: int, cuts: int) -> dict[str, Counter[str]]:
    """Return how many damaged files of a format are refused, equal or changed, by damage."""
    whole = FORMATS[name](folder)
    expected = read_image(ImageRef(whole, bits=16 if "16" in name else None))
    found: dict[str, Counter[str]] = {"flips": Counter(), "cuts": Counter()}
    for number, (kind, content) in enumerate(damaged(whole.read_bytes(), flips, cuts)):
        path = folder / f"{number}{whole.suffix}"
        path.write_bytes(content)
        try:
            image = read_image(ImageRef(path, bits=16))
        except DataError as error:
            assert str(path) in str(error), error
            found[kind]["refused"] += 1
        else:
            found[kind]["equal" if np.array_equal(image, expected) else "changed"] += 1
        path.unlink()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=320)
    parser.add_argument("--cuts", type=int, default=80)
    arguments = parser.parse_args()
    print("| format | damage | tried | refused | accepted, equal | accepted, changed |")
    print("|---|---|---|---|---|---|")
    for name in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            found = outcomes(name, Path(folder), arguments.flips, arguments.cuts)
        for kind, count in found.items():
            cells = [str(count[each]) for each in ("refused", "equal", "changed")]
            print(f"| {name} | {kind} | {count.total()} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
