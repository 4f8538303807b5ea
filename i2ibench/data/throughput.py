"""How fast this machine reads a data set."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle

from i2ibench.data.images import read_pair
from i2ibench.data.pairs import PairedDataset


def decode_throughput(
    dataset: PairedDataset,
    seconds: float = 2.0,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return how many pairs a second one process decodes to uint8 RGB.

    Pairs are read in order and again from the start, so after the first round files come from the
    system's cache: the number is about decoding, not about the disk. At least one pair is read.
    """
    read, start = 0, clock()
    for pair in cycle(dataset.pairs):
        read_pair(pair)
        read += 1
        if clock() - start >= seconds:
            break
    return read / max(clock() - start, 1e-9)
