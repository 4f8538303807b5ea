"""A finished run whose missing weights have come: the metrics that rest on them are added."""

from __future__ import annotations

import warnings

from i2ibench import provenance
from i2ibench.evaluation.availability import arrived
from i2ibench.evaluation.one_pass import evaluate as score
from i2ibench.files import write_text
from i2ibench.results.additions import with_metrics, without_half_addition
from i2ibench.results.pair_scores import pair_scores_csv, read_pair_scores
from i2ibench.results.record import CostRecord, Result
from i2ibench.results.record_files import write_result
from i2ibench.runs.folder import RunFolder
from i2ibench.runs.plan import Plan
from i2ibench.runs.reporter import Reporter
from i2ibench.translation.manifest import read_manifest


def metrics_to_add(plan: Plan, result: Result) -> list[str]:
    """Return the metrics of a finished run that lacked their weights and need not any more."""
    return arrived(
        result.metrics,
        plan.protocol,
        plan.test,
        allow_unverified_weights=plan.options.allow_unverified_weights,
    )


def undo_half_addition(folder: RunFolder, result: Result) -> None:
    """Bring ``scores.csv`` back to ``result``, where an addition was stopped between the two."""
    former = without_half_addition(result, read_pair_scores(folder.scores))
    if former is not None:
        write_text(folder.scores, pair_scores_csv(former))


def predictions_are_those_scored(folder: RunFolder, result: Result) -> bool:
    """Whether every prediction is still the one that ``result`` was computed from."""
    manifest = read_manifest(folder.predictions)
    return (
        manifest.complete
        and manifest.checkpoint_sha256 == result.model.checkpoint_sha256
        and not manifest.differences(folder.predictions)
    )


def add_metrics(plan: Plan, result: Result, names: list[str], reporter: Reporter) -> Result:
    """Score the predictions of a finished run by ``names`` alone, and add them to its record.

    The former files stay until the new ones are complete; ``result.json`` is replaced last, so
    that a run stopped before is taken up by the same command.
    """
    folder = plan.folder
    reporter.stage(f"scoring by {', '.join(names)}, whose weights have come")
    predictions = {pair.id: folder.predictions / f"{pair.id}.png" for pair in plan.test}
    evaluation = score(
        plan.test,
        predictions,
        protocol=plan.protocol.only(names),
        device=plan.device,
        allow_unverified_weights=plan.options.allow_unverified_weights,
        progress=reporter.progress,
        training_targets=plan.training_pairs,
    )
    extended, scores = with_metrics(
        result,
        read_pair_scores(folder.scores),
        evaluation,
        order=plan.protocol.metric_names,
        cost=_cost(result, evaluation.seconds),
        environment={**provenance.environment(), "device": evaluation.device},
        created=provenance.now(),
    )
    write_text(folder.scores, pair_scores_csv(scores))
    write_result(folder.result, extended)
    if result.status != "measured":
        warnings.warn(
            f"{folder.path} was {result.status} before it had {', '.join(names)} and is now only "
            f"measured; check it again: i2ibench verify {folder.path} --record",
            stacklevel=2,
        )
    return extended


def _cost(result: Result, seconds: float) -> CostRecord:
    """Return the cost of ``result`` and of a later evaluation together."""
    then, now = result.cost.peak_memory_mb, provenance.peak_memory_mb()
    return result.cost.model_copy(
        update={
            "evaluate_seconds": round((result.cost.evaluate_seconds or 0.0) + seconds, 2),
            # A part that nobody measured leaves the whole unknown.
            "peak_memory_mb": None if then is None or now is None else max(then, now),
        }
    )
