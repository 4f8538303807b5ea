"""Agreement of a reader with the true groups, from what it read of each pair: values, intervals.

Accuracy and kappa are no means over pairs, so the bootstrap of means gives them no interval; but
they follow from the groups that were read, which stand among the scores per pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from i2ibench import registry
from i2ibench.metrics.interface import Agreement, SetMetric, installed_metric
from i2ibench.results.evaluation_intervals import Interval, cluster_codes
from i2ibench.statistics.agreement import agreement, agreement_interval
from i2ibench.statistics.bootstrap import Codes

Places = npt.NDArray[np.intp]

# Of a column of readings; more are none.
_MOST_GROUPS = 64


@dataclass(frozen=True, slots=True)
class _Readings:
    """The true group and the group that was read of each pair, by their numbers from 0."""

    truth: Places
    found: Places
    groups: int
    clusters: Codes | None


def agreements(names: Mapping[str, object], scores: pd.DataFrame) -> dict[str, float]:
    """Return the agreement that each metric of ``names`` is, as the scores per pair tell it."""
    values = {}
    for name, said in _said(names, scores).items():
        readings = _readings(said, scores)
        value = None
        if readings is not None:
            value = agreement(readings.truth, readings.found, readings.groups, said.statistic)
        if value is not None:
            values[name] = value
    return values


def agreement_intervals(
    names: Mapping[str, object], scores: pd.DataFrame, *, seed: int
) -> dict[str, Interval | None]:
    """Return the 95 % interval of each metric of ``names`` that is an agreement of readings."""
    intervals: dict[str, Interval | None] = {}
    for name, said in _said(names, scores).items():
        readings = _readings(said, scores)
        if readings is not None:
            intervals[name] = agreement_interval(
                readings.truth,
                readings.found,
                readings.groups,
                readings.clusters,
                said.statistic,
                seed,
            )
    return intervals


def unreadable(columns: Sequence[str], scores: pd.DataFrame) -> list[str]:
    """Return the columns of readings of which some are no number of a group."""
    read = {said.read for name in registry.metrics.names() if (said := agreement_of(name))}
    return [
        name
        for name in columns
        if name in read and not scores[name].isin(range(_MOST_GROUPS)).all()
    ]


def agreement_of(name: str) -> Agreement | None:
    """Return from which scores per pair a metric follows as an agreement; None of others."""
    metric = installed_metric(name)
    return metric.agreement if metric is not None and issubclass(metric, SetMetric) else None


def _said(names: Mapping[str, object], scores: pd.DataFrame) -> dict[str, Agreement]:
    found = {name: agreement_of(name) for name in names}
    return {
        name: said
        for name, said in found.items()
        if said is not None and said.read in scores.columns and said.error in scores.columns
    }


def _readings(said: Agreement, scores: pd.DataFrame) -> _Readings | None:
    """Return what was read; None where the scores do not tell the numbers of the groups.

    The number of a group is the one from which all readings of its pairs have their error.
    """
    rows = scores[scores[said.error].notna() & scores["group"].notna()]
    error = rows[said.error].to_numpy(dtype=np.float64)
    if not len(rows) or unreadable([said.read], rows) or error.max() > _MOST_GROUPS:
        return None
    read = rows[said.read].to_numpy(dtype=np.intp)
    groups = int(max(read.max(initial=0), (read + error).max(initial=0))) + 1
    truth = np.empty(len(rows), dtype=np.intp)
    for label in rows["group"].unique():
        own = (rows["group"] == label).to_numpy()
        fits = [i for i in range(groups) if (np.abs(read[own] - i) == error[own]).all()]
        if len(fits) != 1:
            return None
        truth[own] = fits[0]
    return _Readings(truth, read, groups, cluster_codes(rows))
