"""From an evaluation and its origin to a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from i2ibench.evaluation.scores import Evaluation, MetricValue
from i2ibench.files import sha256_bytes
from i2ibench.results.evaluation_intervals import (
    Interval,
    Intervals,
    cluster_codes,
    evaluation_intervals,
)
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record import (
    CostRecord,
    DatasetRecord,
    EnvironmentRecord,
    GroupRecord,
    MetricRecord,
    ModelRecord,
    ProtocolRecord,
    Result,
    Status,
)


def build_result(
    *,
    model: ModelRecord | Mapping[str, Any],
    dataset: DatasetRecord | Mapping[str, Any],
    evaluation: Evaluation,
    cost: CostRecord | Mapping[str, Any],
    seed: int | None,
    environment: EnvironmentRecord | Mapping[str, Any],
    created: str,
    status: Status = "measured",
    **extra: Any,
) -> Result:
    """Join an evaluation with its origin and its intervals.

    Args:
        model: name, parameters, config, checkpoint_sha256.
        dataset: name, split, pairs, group_name, manifest_sha256, ...
        evaluation: what was scored; a metric that brings its own interval keeps it.
        cost: train_seconds, translate_seconds, evaluate_seconds, peak_memory_mb, ...
        seed: of the training; None where nothing is random.
        environment: ``provenance.environment()``.
        created: ``provenance.now()``.
        status: ``"measured"``, or ``"verified"`` after a recomputation.
        **extra: further fields of ``Result``, e.g. ``training`` (the budget) or ``run_id``.
    """
    intervals = evaluation_intervals(evaluation)
    if cluster_codes(evaluation.pair_scores) is not None:
        evaluation = _without_pair_intervals(evaluation)
    return Result.model_validate(
        {
            "status": status,
            "model": model,
            "dataset": dataset,
            "protocol": ProtocolRecord(id=evaluation.protocol, sha256=evaluation.protocol_sha256),
            "metrics": _records(evaluation.metrics, intervals.overall),
            "groups": {
                name: GroupRecord(
                    n=group.n, metrics=_records(group.metrics, intervals.groups[name])
                )
                for name, group in evaluation.groups.items()
            },
            "macro": _records(evaluation.macro, intervals.macro),
            "intervals": intervals.statement,
            "cost": cost,
            "environment": environment,
            "seed": seed,
            "pair_scores_sha256": sha256_bytes(
                pair_scores_csv(evaluation.pair_scores).encode("utf-8")
            ),
            "created": created,
            **extra,
        }
    )


def _records(metrics: Mapping[str, MetricValue], intervals: Intervals) -> dict[str, MetricRecord]:
    return {name: _record(value, intervals.get(name)) for name, value in metrics.items()}


def _without_pair_intervals(evaluation: Evaluation) -> Evaluation:
    """Drop intervals that metrics bring: they take pairs as independent, which clusters are not."""

    def dropped(metrics: Mapping[str, MetricValue]) -> dict[str, MetricValue]:
        return {name: replace(metric, ci95=None) for name, metric in metrics.items()}

    groups = {
        name: replace(group, metrics=dropped(group.metrics))
        for name, group in evaluation.groups.items()
    }
    return replace(evaluation, metrics=dropped(evaluation.metrics), groups=groups)


def _record(metric: MetricValue, interval: Interval | None) -> MetricRecord:
    value, notes = metric.value, metric.notes
    if value is not None and value in (float("inf"), float("-inf")):
        # JSON has no infinity; the note keeps what the number cannot say.
        value, notes = None, notes or ("infinite",)
    return MetricRecord(
        value=value,
        n=metric.n,
        unit=metric.unit,
        better=metric.better,
        signature=metric.signature,
        ci95=metric.ci95 or interval,
        unavailable=metric.unavailable,
        notes=notes,
    )
