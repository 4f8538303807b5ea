"""What an evaluation returns: values per pair, over all pairs, per group, and their macro mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from i2ibench.evaluation.protocol import Endpoints

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric over one set of pairs.

    Attributes:
        value: the score; None where it is unavailable (the reason stands in ``unavailable``)
            or infinite for every pair.
        n: the number of pairs it rests on, without those on which the metric is undefined.
        unit: e.g. ``"dB"``; empty for a pure number.
        better: the direction of improvement; None for a description without one.
        signature: the one-line definition; never empty for a computed value.
        unavailable: why there is no value, and how to get one.
        ci95: 95 % interval, where a valid one is known.
        notes: short marks a board prints as footnotes, e.g. ``"biased: n < 2048"``.
    """

    value: float | None
    n: int
    unit: str
    better: Better | None
    signature: str
    unavailable: str | None = None
    ci95: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupScores:
    """The scores of one group (HER2 level)."""

    n: int
    metrics: Mapping[str, MetricValue]


@dataclass(frozen=True, slots=True)
class PairColumns:
    """Scores per pair by column, in the order of the data set's pairs; NaN where undefined."""

    ids: Sequence[str]
    groups: Sequence[str | None]
    clusters: Sequence[str | None]
    metrics: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Evaluation:
    """Everything one evaluation found.

    Attributes:
        pair_columns: the values of pair metrics; ``pair_scores`` shows them as a table.
        metrics: over all pairs, by metric name, in the protocol's order.
        groups: by group, in the data set's order.
        macro: the unweighted mean of the groups' values.
        protocol: the protocol's id.
        protocol_sha256: hash of the protocol's frozen content.
        main: the protocol's main metrics, where it names them.
        ranked: those of them that rank, where it names them.
        endpoints: what the protocol says beforehand to decide, where it does.
        seconds: wall-clock time of the evaluation; of several at once this one's equal share.
        details: by metric, further facts, JSON values.
        device: where networks ran, if any did.
    """

    pair_columns: PairColumns
    metrics: Mapping[str, MetricValue]
    groups: Mapping[str, GroupScores]
    macro: Mapping[str, MetricValue]
    protocol: str
    protocol_sha256: str
    seconds: float = 0.0
    details: Mapping[str, object] = field(default_factory=dict)
    device: str = "cpu"
    main: tuple[str, ...] | None = None
    ranked: tuple[str, ...] | None = None
    endpoints: Endpoints | None = None

    @cached_property
    def pair_scores(self) -> pd.DataFrame:
        """One row a pair: ``id``, ``group``, ``cluster``, then a float64 column a pair metric."""
        import pandas as pd  # here, because whoever only wants the means should not wait for it

        columns = self.pair_columns
        table: pd.DataFrame = pd.DataFrame(
            {
                "id": [*columns.ids],
                "group": pd.Series([*columns.groups], dtype=object),
                "cluster": pd.Series([*columns.clusters], dtype=object),
            }
        )
        for name, values in columns.metrics.items():
            table[name] = pd.Series([*values], dtype="float64")
        return table
