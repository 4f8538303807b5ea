"""Metrics that a finished result gains: what it holds stays as it is, what it lacked is added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from i2ibench.errors import DataError, MissingError
from i2ibench.evaluation.availability import gone
from i2ibench.evaluation.scores import Evaluation
from i2ibench.results.build_record import build_result
from i2ibench.results.evaluation_intervals import KEYS, metric_columns
from i2ibench.results.pair_scores import pair_columns, pair_scores_sha256
from i2ibench.results.record import CostRecord, MetricRecord, Result
from i2ibench.results.record_files import read_result


def with_metrics(
    result: Result,
    scores: pd.DataFrame,
    evaluation: Evaluation,
    *,
    order: Sequence[str],
    cost: CostRecord,
    environment: Mapping[str, Any],
    created: str,
) -> tuple[Result, pd.DataFrame]:
    """Return ``result`` and its scores per pair with the metrics of ``evaluation`` added.

    The values that are there are kept to the last bit; where and when the new ones were computed
    stands in the record's environment under ``added``. A higher status spoke of the
    former values alone, and is not kept.

    Args:
        result: as recorded; it lacks the metrics of ``evaluation``.
        scores: its scores per pair.
        evaluation: of the same predictions under the same protocol.
        order: of the columns of scores per pair.
        cost: of the whole result with this evaluation.
        environment: of this evaluation.
        created: when it was made.

    Raises:
        DataError: ``scores`` are not those of ``result``.
    """
    new = evaluation.metrics
    former = scores.drop(columns=[name for name in metric_columns(scores) if name in new])
    _check_same(result, former, evaluation)
    joined = former.join(evaluation.pair_scores[metric_columns(evaluation.pair_scores)])
    columns = sorted(metric_columns(joined), key=lambda name: _place(order, name))
    joined = joined[[*KEYS, *columns]]
    made = build_result(
        model=result.model,
        dataset=result.dataset,
        # Intervals are drawn over all columns at once, so that they come out as in one evaluation.
        evaluation=replace(evaluation, pair_columns=pair_columns(joined)),
        intervals=result.intervals,
        cost=cost,
        seed=result.seed,
        environment={},
        created=created,
    )
    groups = {
        name: group.model_copy(update={"metrics": {**group.metrics, **made.groups[name].metrics}})
        for name, group in result.groups.items()
    }
    addition = {"metrics": [*new], "created": created, "environment": dict(environment)}
    earlier = result.environment.added or []
    extended = result.model_copy(
        update={
            "status": "measured",
            "verified": None,
            "reproduced": None,
            "metrics": {**result.metrics, **made.metrics},
            "groups": groups,
            "macro": {**result.macro, **made.macro},
            "cost": made.cost,
            "environment": result.environment.model_copy(update={"added": [*earlier, addition]}),
            "pair_scores_sha256": made.pair_scores_sha256,
        }
    )
    return extended, joined


def without_half_addition(result: Result, scores: pd.DataFrame) -> pd.DataFrame | None:
    """Return scores per pair as ``result`` has them; None where they are so, or past mending.

    An addition that is stopped between ``scores.csv`` and ``result.json`` leaves columns that the
    result does not know.
    """
    unknown = [name for name in metric_columns(scores) if name not in _computed(result)]
    former = scores.drop(columns=unknown)
    return former if unknown and _is_recorded(result, former) else None


def refuse_to_lose(path: Path, names: Sequence[str], *, allow_unverified_weights: bool) -> None:
    """Refuse to replace the result at ``path`` where weights of its values have gone away.

    Raises:
        MissingError: it holds values of ``names`` that cannot be computed here now.
    """
    try:
        former = read_result(path)
    except DataError:
        return  # absent, or torn: there is nothing to lose
    lost = gone(former.metrics, names, allow_unverified_weights=allow_unverified_weights)
    if lost:
        reason = next(iter(lost.values()))
        raise MissingError(
            f"{path} holds {', '.join(lost)}, which would be lost: {reason}; or move the file away"
        )


def is_same_measurement(known: Result, other: Result) -> bool:
    """Whether two results differ in cost, place, time and in metrics that one lacks, alone.

    The checkpoint's hash is left out: the file holds the seconds that the training took.
    """
    compared = {"model", "dataset", "protocol", "training", "seed"}
    origins = [result.model_dump(include=compared) for result in (known, other)]
    for origin in origins:
        origin["model"].pop("checkpoint_sha256", None)
    if origins[0] != origins[1] or _sizes(known) != _sizes(other):
        return False
    if metrics_beyond(known, other) and metrics_beyond(other, known):
        return False
    common = _computed(known) & _computed(other)
    tables = zip(_tables(known), _tables(other), strict=True)
    return all(mine.get(name) == theirs.get(name) for mine, theirs in tables for name in common)


def metrics_beyond(known: Result, other: Result) -> list[str]:
    """Return the metrics that ``other`` has computed and ``known`` has not."""
    return sorted(_computed(other) - _computed(known))


def _computed(result: Result) -> set[str]:
    """Return the metrics of which a result says more than why they were left out."""
    return {
        name
        for name, record in result.metrics.items()
        if record.value is not None or record.signature
    }


def _sizes(result: Result) -> dict[str, int]:
    return {name: group.n for name, group in result.groups.items()}


def _tables(result: Result) -> list[Mapping[str, MetricRecord]]:
    groups = [result.groups[name].metrics for name in sorted(result.groups)]
    return [result.metrics, result.macro, *groups]


def _check_same(result: Result, former: pd.DataFrame, evaluation: Evaluation) -> None:
    same_pairs = list(former["id"]) == list(evaluation.pair_scores["id"])
    if not same_pairs or not _is_recorded(result, former):
        raise DataError(
            "the scores per pair are not those the result was made of; remove scores.csv, and "
            "the same command makes it again"
        )


def _is_recorded(result: Result, scores: pd.DataFrame) -> bool:
    stated = result.pair_scores_sha256
    return stated is None or stated == pair_scores_sha256(scores)


def _place(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)
