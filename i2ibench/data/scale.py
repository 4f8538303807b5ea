"""How many bits the values of 16-bit files have: one scale for a side of a data set.

Pictures of cameras of 12 or 14 bits are stored in files of 16. Which scale is meant no single file
tells: a dark picture of 16 bits and a bright one of 12 look alike. So it is found over all files of
a side, in all splits, or declared in the data set's card (``bits``). Predictions take the scale of
their targets.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from i2ibench.data.content_hash import file_hashes
from i2ibench.data.images import read_header, read_largest_value
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.errors import DataError, I2IBenchError
from i2ibench.files import cache_folder, read_json, write_json
from i2ibench.runtime import usable_cores

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")

# What cameras and scanners deliver; the first that holds all values is taken.
_USUAL_BITS = (8, 10, 12, 14, 16)
# Looked at together; a set of 16 bits usually shows it in the first files.
_AT_A_TIME = 32


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of the 16-bit files of one side.

    Attributes:
        bits: how many bits their values have.
        largest: the largest value that was found; None where the bits are declared.
    """

    bits: int
    largest: int | None = None

    @property
    def is_guessed(self) -> bool:
        """Whether another reading is possible: dark images of 16 bits."""
        return self.largest is not None and self.bits < 16

    def told(self, name: str) -> str:
        """Return the line that tells of a guess, about e.g. ``"targets of my-slides"``."""
        full = (1 << self.bits) - 1
        return (
            f"{name}: 16-bit files whose values end at {self.largest} are read as {self.bits}-bit "
            f"(value * 255 / {full}); if that is wrong, or to be sure, write bits = {self.bits} "
            "(or 16) into a card of the data set"
        )


def find_scale(paths: Iterable[Path], most: int = _USUAL_BITS[-1]) -> Scale | None:
    """Return the scale of those files that have 16 bits; None where none has.

    It is looked for until a value shows that it is ``most`` bits or more. Files that cannot be read
    are passed over; whoever uses them is told.
    """
    enough = 1 << max(bits for bits in (0, *_USUAL_BITS) if bits < most)
    found: int | None = None
    for values in _largest_values(sorted(set(paths))):
        found = max(found or 0, *values)
        if found >= enough:
            break
    if found is None:
        return None
    return Scale(next(b for b in _USUAL_BITS if found < 1 << b) if found else 16, found)


def scales_of(
    pairs: Sequence[ImagePair],
    all_pairs: Callable[[], Iterable[ImagePair]],
    declared: Mapping[Side, int | None],
) -> dict[Side, Scale]:
    """Return the scale of each side of ``pairs`` that has 16-bit files.

    Args:
        pairs: of one split.
        all_pairs: gives those of all splits.
        declared: bits that the data set's card names, by side.
    """
    found: dict[Side, Scale] = {}
    for side in SIDES:
        if not any(is_wide(getattr(pair, side).path) for pair in pairs):
            continue
        bits = declared.get(side)
        if bits is not None:
            found[side] = Scale(bits)
            continue
        scale = find_scale(getattr(pair, side).path for pair in all_pairs())
        if scale is not None:
            found[side] = scale
    return found


def scaled(pairs: Iterable[ImagePair], scales: Mapping[Side, Scale]) -> list[ImagePair]:
    """Return the pairs with the scales of their sides, by which ``read_image`` reads them."""

    def with_bits(ref: ImageRef, side: Side) -> ImageRef:
        return replace(ref, bits=scales[side].bits) if side in scales else ref

    return [
        replace(
            pair,
            source=with_bits(pair.source, "source"),
            target=with_bits(pair.target, "target"),
        )
        for pair in pairs
    ]


def warn_of_guesses(scales: Mapping[Side, Scale], name: str) -> None:
    """Say in a line each which scales of a data set were guessed."""
    for side, scale in scales.items():
        if scale.is_guessed:
            warnings.warn(scale.told(f"{side}s of {name}"), stacklevel=3)


def bits_of(pairs: Iterable[ImagePair]) -> dict[str, int]:
    """Return the bits of each side whose 16-bit files have fewer; what a record says of them."""
    return {
        side: ref.bits
        for pair in islice(pairs, 1)
        for side in SIDES
        if (ref := getattr(pair, side)).bits not in (None, 16)
    }


def is_wide(path: Path) -> bool:
    """Whether a file says that it holds 16 bits a channel."""
    try:
        return read_header(path).bits == 16
    except DataError:
        return False


def _largest_values(paths: Sequence[Path]) -> Iterator[list[int]]:
    """Yield the largest values of the 16-bit files among ``paths``, some files at a time."""
    store = cache_folder() / "largest-values.json"
    kept = _kept(store)
    queue, new = iter(paths), dict[str, int]()

    def look(path: Path) -> tuple[Path, int | None]:
        try:
            return path, read_largest_value(path)
        except DataError:
            return path, None

    try:
        with ThreadPoolExecutor(min(8, usable_cores())) as pool:
            while some := list(islice(queue, _AT_A_TIME)):
                wide = [path for path in some if is_wide(path)]
                hashes = _hashes(wide)
                values = [kept[digest] for digest in hashes.values() if digest in kept]
                unknown = [path for path, digest in hashes.items() if digest not in kept]
                for path, value in pool.map(look, unknown):
                    if value is not None:
                        new[hashes[path]] = value
                        values.append(value)
                if values:
                    yield values
    finally:
        if new:
            with contextlib.suppress(OSError):  # a cache costs time, not correctness
                write_json(store, {**kept, **new})


def _hashes(paths: Sequence[Path]) -> dict[Path, str]:
    """Return the hashes of those files that are whole; others are told where they are used."""
    try:
        return file_hashes(paths)
    except DataError:
        if len(paths) == 1:
            return {}
    found: dict[Path, str] = {}
    for path in paths:
        found.update(_hashes([path]))
    return found


def _kept(store: Path) -> dict[str, int]:
    try:
        content = read_json(store)
    except (I2IBenchError, OSError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {digest: value for digest, value in content.items() if type(value) is int}
