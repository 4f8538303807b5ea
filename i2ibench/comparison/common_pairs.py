"""Bringing methods to the same pairs and definitions, or saying what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from i2ibench.errors import DataError, UsageError
from i2ibench.registry import unknown_name
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.wording import count


def aligned(methods: Sequence[ScoredMethod]) -> list[ScoredMethod]:
    """Return the methods with their pairs in one order, or say how the pairs differ."""
    first = methods[0]
    for other in methods[1:]:
        _check_data(first, other)
    return [_in_order(first, method) for method in methods]


def _in_order(first: ScoredMethod, other: ScoredMethod) -> ScoredMethod:
    """Return ``other`` with the pairs of each seed as the first method's first seed has them."""
    ids = list(first.scores["id"])
    tables = []
    for table in other.seed_tables:
        if set(table["id"]) != set(ids):
            raise DataError(_pair_sets(first, replace(other, scores=table)))
        scores = table.set_index("id", drop=False).loc[ids].reset_index(drop=True)
        apart = scores["group"].fillna("") != first.scores["group"].fillna("")
        if apart.any():
            pair = scores["id"][int(np.flatnonzero(apart)[0])]
            raise DataError(
                f"pair {pair} is of one group in {first.label}, another in {other.label}"
            )
        tables.append(scores)
    return replace(other, scores=tables[0], further_seeds=tuple(tables[1:]))


def _check_data(first: ScoredMethod, other: ScoredMethod) -> None:
    for what in sorted(first.identity.keys() & other.identity.keys()):
        mine, theirs = first.identity[what], other.identity[what]
        if mine != theirs:
            raise DataError(
                f"{first.label} and {other.label} cannot be compared: {what} is {mine} of the one "
                f"and {theirs} of the other"
            )


def _pair_sets(first: ScoredMethod, other: ScoredMethod) -> str:
    mine, theirs = set(first.scores["id"]), set(other.scores["id"])
    parts = []
    for label, extra in ((first.label, mine - theirs), (other.label, theirs - mine)):
        if extra:
            shown = ", ".join(sorted(extra)[:3]) + (", ..." if len(extra) > 3 else "")
            parts.append(f"{count(len(extra), 'pair')} only in {label} ({shown})")
    return (
        f"{first.label} and {other.label} have other pairs: {'; '.join(parts)}; "
        "score both on the same pairs"
    )


def common_metrics(
    methods: Sequence[ScoredMethod], wanted: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Return the metrics that every method has, or those wanted, and a note on what is left out."""
    columns = [metric_columns(table) for method in methods for table in method.seed_tables]
    common = [name for name in columns[0] if all(name in other for other in columns)]
    if wanted is not None:
        for name in wanted:
            if name not in common:
                raise UsageError(unknown_name("metric common to all methods", name, common))
        return list(wanted), []
    if not common:
        raise DataError("the methods have no metric in common; evaluate them under one protocol")
    left_out = sorted({name for names in columns for name in names} - set(common))
    return common, [f"Left out, not scored for all: {', '.join(left_out)}."] if left_out else []


def common_signature(methods: Sequence[ScoredMethod], metric: str) -> str:
    """Return the one definition of ``metric``, or refuse with all that there are."""
    signatures = {method.label: method.signature(metric) for method in methods}
    if len(set(signatures.values())) > 1:
        listed = "; ".join(f"{label}: {text}" for label, text in signatures.items())
        raise DataError(f"{metric} means different things and cannot be compared: {listed}")
    return next(iter(signatures.values()))
