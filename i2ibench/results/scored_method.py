"""A method with its scores per pair, whether we measured them or somebody published them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

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
        path: the run folder or file it was read from.
    """

    label: str
    scores: pd.DataFrame
    better: Mapping[str, Better | None]
    signatures: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    path: Path = Path()

    def signature(self, metric: str) -> str:
        """Return the definition of ``metric``; of a foreign table, that it is that table's."""
        return self.signatures.get(metric) or f"as in {self.path.name}, not stated"
