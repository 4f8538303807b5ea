"""Values of pair metrics while a pass goes on: columns of numbers, and the ids they belong to."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from i2ibench.errors import DataError

Float64 = npt.NDArray[np.float64]


class PairValues:
    """By metric the value of every pair that was added, in the order in which they came."""

    def __init__(self, names: Sequence[str]) -> None:
        self.ids: list[str] = []
        self.columns = {name: array("d") for name in names}
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, pair_id: str, values: Mapping[str, float]) -> None:
        """Add a pair; NaN where a metric is undefined on it."""
        self.ids.append(pair_id)
        for name, column in self.columns.items():
            column.append(values[name])

    def joined(self, other: PairValues) -> PairValues:
        """Return the values of both.

        Raises:
            DataError: a pair is in both.
        """
        twice = {*self.ids} & {*other.ids}
        if twice:
            raise DataError(f"pair {min(twice)} is in both of the shards to merge")
        both = PairValues([*self.columns])
        both.ids = self.ids + other.ids
        both.columns = {name: column + other.columns[name] for name, column in self.columns.items()}
        return both

    def of(self, name: str, ids: Sequence[str] | None = None) -> list[float]:
        """Return one metric's values of these pairs, or of all in the order in which they came."""
        column = self.columns[name]
        if ids is None or ids == self.ids:
            return column.tolist()
        for place in range(len(self._places), len(self.ids)):
            self._places[self.ids[place]] = place
        places = [self._places[pair_id] for pair_id in ids]
        found: list[float] = np.frombuffer(column)[places].tolist()
        return found
