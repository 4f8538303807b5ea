"""Set metrics that keep a small description of each pair and compute from all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from i2ibench.errors import DataError
from i2ibench.metrics.interface import SetMetric

Description = TypeVar("Description")


@dataclass
class ByPair(Generic[Description]):
    """Descriptions by pair id: neither order nor sharding can change what is computed."""

    pairs: dict[str, Description] = field(default_factory=dict)

    def ordered(self) -> list[Description]:
        """Return the descriptions in the order of ids."""
        return [self.pairs[pair_id] for pair_id in sorted(self.pairs)]


class KeyedSetMetric(SetMetric[ByPair[Description]], Generic[Description]):
    """Base of metrics whose state is ``ByPair``; subclasses say ``describe`` and ``compute``."""

    def new_state(self) -> ByPair[Description]:
        """Return the state of no pair."""
        return ByPair()

    def update(self, state: ByPair[Description], pair_id: str, description: Any) -> None:
        """Keep the pair's description."""
        state.pairs[pair_id] = description

    def merge(self, state: ByPair[Description], other: ByPair[Description]) -> ByPair[Description]:
        """Return both; the descriptions themselves are shared, not copied.

        Raises:
            DataError: a pair is in both.
        """
        twice = state.pairs.keys() & other.pairs.keys()
        if twice:
            raise DataError(f"pair {min(twice)} is in both of the states to merge")
        return ByPair({**state.pairs, **other.pairs})
