"""What differs between a record and its recomputation, number by number, within tolerances."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from i2ibench.results.build_record import can_make_intervals
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.pair_scores import pair_scores_beside, read_pair_scores
from i2ibench.results.record import MetricRecord, Result

# Two computations agree where they differ by less than these parts of the larger. Sums over a set
# depend on the number of threads in their last digits; networks sum in another order on other
# hardware; distances between sets of their features amplify that.
_EXACT, _SET, _NETWORK, _SET_OF_NETWORK = 1e-9, 1e-6, 1e-4, 1e-3
# Differences below this are none, whatever the size of the numbers.
_NOTHING = 1e-9
# Numbers in notes are rounded.
_OF_A_NOTE = 1e-2
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
# Of many scores per pair that differ, this many are named.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that is not as recorded: what, and how it differs.

    ``missing``: it could not be recomputed for want of weights, which refutes nothing.
    """

    subject: str
    detail: str
    missing: bool = False


def tolerance(metric: str) -> float:
    """Return the relative difference up to which two computations of ``metric`` agree."""
    from i2ibench.metrics.interface import SetMetric, registered_metric

    metric_class = registered_metric(metric)
    of_a_set = issubclass(metric_class, SetMetric)
    if not metric_class.runs_network:
        return _SET if of_a_set else _EXACT
    return _SET_OF_NETWORK if of_a_set else _NETWORK


def number_discrepancies(
    recorded: Result, again: Result, tolerances: Mapping[str, float]
) -> Iterator[Discrepancy]:
    """Yield every number of ``recorded`` that ``again`` does not confirm, under its name.

    Intervals are compared where they can be made as the record says: a method that this version
    does not know refutes nothing.
    """
    intervals = can_make_intervals(recorded.intervals)
    yield from _table_discrepancies("", recorded.metrics, again.metrics, tolerances, intervals)
    for group in sorted({*recorded.groups, *again.groups}):
        if group not in recorded.groups or group not in again.groups:
            yield Discrepancy(f"group {group}", "not in both the record and the recomputation")
            continue
        mine, theirs = recorded.groups[group], again.groups[group]
        if mine.n != theirs.n:
            yield Discrepancy(f"group {group}", f"{mine.n} pairs recorded, {theirs.n} found")
        yield from _table_discrepancies(
            f" of {group}", mine.metrics, theirs.metrics, tolerances, intervals
        )
    yield from _table_discrepancies(
        " of macro mean", recorded.macro, again.macro, tolerances, intervals
    )


def _table_discrepancies(
    where: str,
    recorded: Mapping[str, MetricRecord],
    again: Mapping[str, MetricRecord],
    tolerances: Mapping[str, float],
    intervals: bool,
) -> Iterator[Discrepancy]:
    for name in again:
        if name not in recorded and again[name].signature:
            yield Discrepancy(f"{name}{where}", "not recorded, though it can be computed")
    for name, mine in recorded.items():
        theirs = again.get(name)
        subject = f"{name}{where}"
        if theirs is None:
            yield Discrepancy(subject, "recorded, but not computed by this protocol")
            continue
        if mine.value is not None and theirs.value is None:
            # What is missing is missing for all groups; once is enough.
            if not where or (mine.unavailable is None and theirs.unavailable is None):
                missing = theirs.unavailable is not None
                reason = theirs.unavailable or "; ".join(theirs.notes)
                yield Discrepancy(subject, f"cannot be recomputed: {reason}", missing)
            continue
        if mine.value is None and theirs.value is not None:
            if not _weights_have_come(name, mine):
                yield Discrepancy(subject, f"no value recorded, {theirs.value:.10g} recomputed")
            continue
        if not theirs.signature:  # neither could be computed
            continue
        for what, left, right in _compared(mine, theirs, intervals):
            if not _agree(left, right, tolerances.get(name, _EXACT)):
                yield Discrepancy(
                    subject, f"{what} {_shown(left)} recorded, {_shown(right)} recomputed"
                )


def _compared(
    mine: MetricRecord, theirs: MetricRecord, intervals: bool
) -> Iterator[tuple[str, Any, Any]]:
    yield "value", mine.value, theirs.value
    yield "signature", mine.signature, theirs.signature
    yield "pairs", mine.n, theirs.n
    yield "unit", mine.unit, theirs.unit
    yield "direction", mine.better, theirs.better
    yield "notes", _Notes(mine.notes), _Notes(theirs.notes)
    if intervals or theirs.ci95 is not None:  # a metric may bring its own
        yield "interval", mine.ci95, theirs.ci95


def _weights_have_come(name: str, recorded: MetricRecord) -> bool:
    """Whether a metric was left out for want of weights, which may be here now."""
    from i2ibench.metrics.interface import registered_metric

    left_out = recorded.unavailable is not None and not recorded.signature
    return left_out and bool(registered_metric(name).weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Notes:
    """Notes of a number; numbers in them are rounded, so their last digit may differ."""

    notes: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Notes):
            return NotImplemented
        (mine, ours), (theirs, others) = self._parts(), other._parts()
        close = (
            math.isclose(a, b, rel_tol=_OF_A_NOTE, abs_tol=_OF_A_NOTE)
            for a, b in zip(ours, others, strict=False)
        )
        return mine == theirs and len(ours) == len(others) and all(close)

    def __str__(self) -> str:
        return repr("; ".join(self.notes))

    def _parts(self) -> tuple[str, list[float]]:
        """Return the words, and the numbers that stand in them."""
        text = "; ".join(self.notes)
        return _NUMBER.sub("#", text), [float(each) for each in _NUMBER.findall(text)]


def score_discrepancies(
    path: Path, again: pd.DataFrame, tolerances: Mapping[str, float]
) -> Iterator[Discrepancy]:
    """Compare the stored scores per pair with recomputed ones, where they are stored."""
    file = pair_scores_beside(path)
    if file is None:
        return
    stored = read_pair_scores(file)
    if list(stored["id"]) != list(again["id"]):
        yield Discrepancy(file.name, "holds other pairs than the data set")
        return
    for name in metric_columns(stored):
        if name not in again.columns:
            continue
        rows = zip(stored["id"], stored[name], again[name], strict=True)
        limit = tolerances.get(name, _EXACT)
        apart = [(i, old, new) for i, old, new in rows if not _agree(old, new, limit)]
        for pair_id, old, new in apart[:_NAMED]:
            yield Discrepancy(
                f"{name} of pair {pair_id}", f"{_shown(old)} stored, {_shown(new)} recomputed"
            )
        if len(apart) > _NAMED:
            yield Discrepancy(name, f"{len(apart) - _NAMED} more pairs differ")


def _agree(mine: Any, theirs: Any, relative: float) -> bool:
    if isinstance(mine, float) and isinstance(theirs, float) and math.isnan(mine):
        return math.isnan(theirs)  # undefined on this pair
    if isinstance(mine, tuple) and isinstance(theirs, tuple):
        # Ends of an interval move with the largest of them.
        scale = max(abs(each) for each in (*mine, *theirs))
        return all(
            abs(a - b) <= relative * scale + _NOTHING for a, b in zip(mine, theirs, strict=True)
        )
    if isinstance(mine, float) and isinstance(theirs, float):
        return math.isclose(mine, theirs, rel_tol=relative, abs_tol=_NOTHING)
    return bool(mine == theirs)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(each) for each in value)}]"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
