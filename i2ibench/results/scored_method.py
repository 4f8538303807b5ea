"""A method with its scores per pair, whether we measured them or somebody published them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2ibench.evaluation.scores import Better


@dataclass(frozen=True, slots=True)
class ScoredMethod:
    """A method with its scores per pair.

    Attributes:
        label: how tables call it.
        scores: id, group, cluster, one column a metric.
        better: direction by metric.
        signatures: definition by metric; metrics of foreign tables have none.
        identity: what must be equal to compare: data set, split, hashes, protocol.
        path: the run folder or file it was read from; of the first seed.
        further_seeds: scores of the method's other seeds, on the same pairs.
        is_method: whether it bears claims about a method, not about one set of weights alone.
        margins: by metric, the difference up to which its protocol takes two methods as equal.
    """

    label: str
    scores: pd.DataFrame
    better: Mapping[str, Better | None]
    signatures: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    path: Path = Path()
    further_seeds: tuple[pd.DataFrame, ...] = ()
    is_method: bool = False
    margins: Mapping[str, float] = field(default_factory=dict)

    @property
    def seed_tables(self) -> tuple[pd.DataFrame, ...]:
        """The scores of every seed."""
        return (self.scores, *self.further_seeds)

    def seed_scores(self, metric: str) -> NDArray[np.float64]:
        """Return the scores of ``metric``, ``(S, N)``: one row a seed, one column a pair."""
        return np.stack([table[metric].to_numpy(dtype=np.float64) for table in self.seed_tables])

    def signature(self, metric: str) -> str:
        """Return the definition of ``metric``; of a foreign table, that it is that table's."""
        return self.signatures.get(metric) or f"as in {self.path.name}, not stated"
