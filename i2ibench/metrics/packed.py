"""States of set metrics as what a file can hold: JSON values, and arrays that come in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Rows of a block; of every array of a state the same, so that columns are read side by side.
ROWS = 1024


@dataclass(frozen=True, slots=True)
class ArrayBlocks:
    """An array (n, *rest) that need never be in memory as a whole.

    Attributes:
        dtype: as ``numpy.dtype.str``.
        shape: of the whole.
        blocks: yields its rows, ``ROWS`` at a time, whenever it is called.
    """

    dtype: str
    shape: tuple[int, ...]
    blocks: Callable[[], Iterator[Array]]

    @classmethod
    def of(cls, array: Array) -> ArrayBlocks:
        """Return an array that is in memory."""

        def blocks() -> Iterator[Array]:
            for start in range(0, len(array), ROWS):
                yield array[start : start + ROWS]

        return cls(array.dtype.str, array.shape, blocks)

    def whole(self) -> Array:
        """Return all of it."""
        parts = [*self.blocks()]
        return np.concatenate(parts) if parts else np.empty(self.shape, self.dtype)


class Packed(NamedTuple):
    """A state: JSON values by name, and arrays by name."""

    facts: Mapping[str, Any]
    arrays: Mapping[str, ArrayBlocks]
