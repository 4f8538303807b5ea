"""From an evaluation and its origin to a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from i2ibench.evaluation.scores import Evaluation, MetricValue
from i2ibench.provenance import plugins_used
from i2ibench.results.agreement_intervals import agreement_intervals
from i2ibench.results.evaluation_intervals import (
    EvaluationIntervals,
    Interval,
    Intervals,
    cluster_codes,
    evaluation_intervals,
)
from i2ibench.results.pair_scores import pair_scores_sha256
from i2ibench.results.record import (
    CostRecord,
    DatasetRecord,
    EnvironmentRecord,
    GroupRecord,
    IntervalRecord,
    MetricRecord,
    ModelRecord,
    ProtocolRecord,
    Result,
    Status,
)
from i2ibench.statistics.bootstrap import LEVEL, METHOD, METHODS, RESAMPLES

# A record that names more is not followed: it could ask for any amount of memory.
_MOST_RESAMPLES = 100_000


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
    intervals: IntervalRecord | None = None,
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
        intervals: how they are made; None for the present way. A record that names a way that this
            version does not know keeps its statement, and gets no intervals here.
        **extra: further fields of ``Result``, e.g. ``training`` (the budget) or ``run_id``.
    """
    made = _with_agreements(evaluation, _made_intervals(evaluation, intervals))
    if cluster_codes(evaluation.pair_scores) is not None:
        evaluation = _without_pair_intervals(evaluation)
    result = Result.model_validate(
        {
            "status": status,
            "model": model,
            "dataset": dataset,
            "protocol": ProtocolRecord(
                id=evaluation.protocol,
                sha256=evaluation.protocol_sha256,
                main=evaluation.main,
                ranked=evaluation.ranked,
                endpoints=evaluation.endpoints,
            ),
            "metrics": _records(evaluation.metrics, made.overall),
            "groups": {
                name: GroupRecord(
                    n=group.n, metrics=_records(group.metrics, made.groups.get(name, {}))
                )
                for name, group in evaluation.groups.items()
            },
            "macro": _records(evaluation.macro, made.macro),
            "intervals": made.statement,
            "cost": cost,
            "environment": environment,
            "seed": seed,
            "pair_scores_sha256": pair_scores_sha256(evaluation.pair_scores),
            "created": created,
            **extra,
        }
    )
    return _with_plugins(result)


def recomputed_result(result: Result, evaluation: Evaluation) -> Result:
    """Return what ``result`` would be, had it found ``evaluation``, to compare the two.

    Its intervals are made as the record says; of its origin only what names it is kept.
    """
    return build_result(
        model=result.model,
        dataset=result.dataset,
        evaluation=evaluation,
        intervals=result.intervals,
        cost={},
        seed=result.seed,
        environment={},
        created=result.created,
    )


def _with_plugins(result: Result) -> Result:
    """Say what code of other packages had a part in it."""
    model = None if result.model.is_external else result.model.name
    plugins = plugins_used(model, result.metrics) if result.environment else []
    if not plugins:
        return result
    environment = result.environment.model_copy(update={"plugins": plugins})
    return result.model_copy(update={"environment": environment})


def can_make_intervals(recorded: IntervalRecord) -> bool:
    """Whether intervals can be made here as a record says; no statement means the usual way."""
    if not recorded:
        return True
    return (
        recorded.method in METHODS
        and recorded.level == LEVEL
        and recorded.resamples is not None
        and 0 < recorded.resamples <= _MOST_RESAMPLES
        and recorded.seed is not None
    )


def _made_intervals(evaluation: Evaluation, wanted: IntervalRecord | None) -> EvaluationIntervals:
    if not wanted:
        return evaluation_intervals(evaluation)
    if not can_make_intervals(wanted):
        return EvaluationIntervals({}, {}, {}, wanted.model_dump(mode="json"))
    return evaluation_intervals(
        evaluation,
        method=str(wanted.method),
        resamples=int(wanted.resamples or RESAMPLES),
        seed=wanted.seed or 0,
    )


def _with_agreements(evaluation: Evaluation, made: EvaluationIntervals) -> EvaluationIntervals:
    """Add the intervals of agreements with the groups, overall and within each."""
    scores, seed = evaluation.pair_scores, made.statement.get("seed")
    if made.statement.get("method") != METHOD or not isinstance(seed, int):
        return made  # records of the older way have none
    groups = {
        name: {
            **found,
            **agreement_intervals(
                evaluation.groups[name].metrics, scores[scores["group"] == name], seed=seed
            ),
        }
        for name, found in made.groups.items()
    }
    overall = {**made.overall, **agreement_intervals(evaluation.metrics, scores, seed=seed)}
    return replace(made, overall=overall, groups=groups)


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
