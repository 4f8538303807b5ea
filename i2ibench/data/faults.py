"""Faults of many images, told together: a user mends a data set once, not file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from i2ibench.data.headers import ImageHeader
from i2ibench.data.images import check_readable, size_of
from i2ibench.data.pairs import ImagePair
from i2ibench.errors import DataError
from i2ibench.runtime import usable_cores
from i2ibench.wording import count

OnImageFault = Callable[[DataError], None]

# Of many faults a message names this many.
_MOST = 10


def image_faults(pairs: Sequence[ImagePair]) -> Iterator[DataError]:
    """Yield what headers tell against the images of some pairs, a fault for a file or a pair."""
    paths = dict.fromkeys(ref.path for pair in pairs for ref in (pair.source, pair.target))
    with ThreadPoolExecutor(min(8, usable_cores())) as pool:  # a disk may be far away
        headers = dict(zip(paths, pool.map(_header, paths), strict=True))
    yield from (found for found in headers.values() if isinstance(found, DataError))
    for pair in pairs:
        source, target = headers[pair.source.path], headers[pair.target.path]
        if pair.source.path == pair.target.path:
            continue  # panels of one file are equal by construction
        if isinstance(source, DataError) or isinstance(target, DataError):
            continue
        try:
            sizes = size_of(pair.source, source), size_of(pair.target, target)
        except DataError as fault:
            yield fault
            continue
        if sizes[0] != sizes[1]:
            yield DataError(
                f"{pair.target.path}: is {sizes[1][0]}x{sizes[1][1]} px but its source "
                f"{pair.source.path} is {sizes[0][0]}x{sizes[0][1]}; make them equal"
            )


def raise_together(faults: Iterable[DataError], where: str) -> None:
    """Raise faults as one, if there are any: the first ten in words, and how many more.

    Args:
        faults: one is raised as it is.
        where: what they are faults of, e.g. ``"data set my-slides"``.

    Raises:
        DataError: there are faults.
    """
    found = list(dict.fromkeys(map(str, faults)))
    if not found:
        return
    if len(found) == 1:
        raise DataError(found[0])
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    told = "; ".join(f"({number}) {each}" for number, each in enumerate(found[:_MOST], 1))
    raise DataError(f"{where} has {count(len(found), 'fault')}: {told}{more}")


def _header(path: Path) -> ImageHeader | DataError:
    try:
        return check_readable(path)
    except DataError as fault:
        return fault
