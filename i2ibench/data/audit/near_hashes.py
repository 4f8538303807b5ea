"""Which of many hashes differ in few bits, without comparing all of them with all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]

# Parts of 16 bits that a hash of 256 has, and what two parts that differ in at most one bit differ
# in. Hashes that differ in fewer than 32 bits share such a part.
_PARTS = 16
_AT_MOST_ONE_BIT = (0, *(1 << bit for bit in range(16)))
_LARGEST_DISTANCE = 2 * _PARTS - 1
# Pairs of hashes that are looked at together.
_BLOCK = 1 << 18
# Bits set in each 16-bit number; NumPy's own count came with version 2.
_ONES = np.array([bin(number).count("1") for number in range(1 << 16)], dtype=np.uint8)


def near_hashes(words: NDArray[np.uint64], distance: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs of hashes, first before second, that differ in at most ``distance`` bits.

    Time grows with the number of hashes and of those that are near each other. A pair may come more
    than once.

    Args:
        words: of each hash, ``(N, 4)``.
        distance: at most 31.
    """
    if distance > _LARGEST_DISTANCE:
        raise ValueError(f"distances above {_LARGEST_DISTANCE} need a comparison of all with all")
    parts = words.view(np.uint16)
    orders = [np.argsort(part, kind="stable") for part in parts.T]
    shared = sum(
        int(np.subtract(*_range(parts[:, number][order], parts[:, number], mask)).sum())
        for number, order in enumerate(orders)
        for mask in _AT_MOST_ONE_BIT
    )
    if -shared >= len(words) ** 2:  # most are alike: comparing all with all is less
        candidates = _all_with_all(len(words))
    else:
        candidates = _sharing_a_part(parts, orders)
    for first, second in candidates:
        near = _ONES[parts[first] ^ parts[second]].sum(axis=1) <= distance
        if near.any():
            yield first[near], second[near]


def _sharing_a_part(
    parts: NDArray[np.uint16], orders: list[Indices]
) -> Iterator[tuple[Indices, Indices]]:
    for part, order in zip(parts.T, orders, strict=True):
        values = part[order]
        for mask in _AT_MOST_ONE_BIT:
            starts, ends = _range(values, part, mask)
            counts = ends - starts
            edges = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum() + _BLOCK, _BLOCK))
            for top, bottom in zip(edges, [*edges[1:].tolist(), len(part)], strict=True):
                rows = np.repeat(np.arange(top, bottom), counts[top:bottom])
                within = np.arange(len(rows)) - np.repeat(
                    np.cumsum(counts[top:bottom]) - counts[top:bottom], counts[top:bottom]
                )
                others = order[starts[rows] + within]
                before = rows < others
                yield rows[before], others[before]


def _all_with_all(number: int) -> Iterator[tuple[Indices, Indices]]:
    rows = max(1, _BLOCK // number)
    for top in range(0, number, rows):
        first, second = np.divmod(np.arange(top * number, min(number, top + rows) * number), number)
        before = first < second
        yield first[before], second[before]


def _range(
    ordered: NDArray[np.uint16], part: NDArray[np.uint16], mask: int
) -> tuple[Indices, Indices]:
    """Return from where to where each of ``part``, changed by ``mask``, stands in ``ordered``."""
    wanted = part ^ np.uint16(mask)
    return np.searchsorted(ordered, wanted, "left"), np.searchsorted(ordered, wanted, "right")
