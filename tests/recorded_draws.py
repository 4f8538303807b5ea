"""Draws that another program recorded, in place of random ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class RecordedDraws:
    """Repeats positions, flips and choices of a pool in the order of their calls.

    ``record`` is the json of a golden file: ``patch_ids`` by step, call and layer, ``flipped`` by
    step, ``pool_queries`` in the order of all queries of both pools.
    """

    def __init__(self, record: dict[str, Any]) -> None:
        steps = record.get("patch_ids") or []
        self._positions: Iterator[list[int]] = iter(
            [layer for step in steps for call in step for layer in call]
        )
        self._flips = iter(record.get("flipped") or [])
        self._queries = record.get("pool_queries") or []
        self._size = record["options"]["pool_size"]
        # A pool that is not yet full draws nothing.
        self._stored = iter(self._from_full_pools())

    def positions(self, count: int, most: int, device: torch.device) -> Tensor:
        chosen = torch.tensor(next(self._positions), device=device)
        assert len(chosen) == min(most, count) and int(chosen.max()) < count
        return chosen

    def flipped(self) -> bool:
        return bool(next(self._flips))

    def stored(self, count: int) -> int | None:
        assert count == self._size
        return next(self._stored)

    def used_up(self) -> bool:
        """Whether every recorded draw was asked for; where no step flips, none is."""
        return next(self._positions, None) is None and next(self._stored, "none") == "none"

    def _from_full_pools(self) -> list[int | None]:
        seen: dict[str, int] = {}
        drawn = []
        for query in self._queries:
            seen[query["pool"]] = seen.get(query["pool"], 0) + 1
            if seen[query["pool"]] > self._size:
                drawn.append(query["returns_stored"])
        return drawn
