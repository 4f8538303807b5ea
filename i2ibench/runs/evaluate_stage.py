"""The third stage of a run: scores, samples and the record."""

from __future__ import annotations

from typing import Any

from i2ibench import provenance, registry
from i2ibench.evaluation.one_pass import evaluate as score
from i2ibench.evaluation.scores import Evaluation
from i2ibench.models.config import config_values
from i2ibench.models.foreign.onnx_file import OnnxModel
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import TrainableModel
from i2ibench.results.additions import refuse_to_lose
from i2ibench.results.build_record import build_result
from i2ibench.results.method_facts import facts_beside
from i2ibench.results.pair_scores import write_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import write_result
from i2ibench.runs.plan import Plan
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.score_folders import dataset_record
from i2ibench.training.checkpoint import summarize
from i2ibench.training.checkpoint_summary import CheckpointSummary
from i2ibench.translation.manifest import Manifest
from i2ibench.web.pictures import contact_sheet


def evaluate_stage(plan: Plan, manifest: Manifest, reporter: Reporter) -> Result:
    """Score the predictions, write ``scores.csv``, samples and, last, ``result.json``."""
    folder = plan.folder
    predictions = {
        identifier: folder.predictions / f"{identifier}.png" for identifier in manifest.files
    }
    refuse_to_lose(
        folder.result,
        plan.protocol.metric_names,
        allow_unverified_weights=plan.options.allow_unverified_weights,
    )
    reporter.stage(f"scoring {len(predictions)} predictions")
    evaluation = score(
        plan.test,
        predictions,
        protocol=plan.protocol,
        device=plan.device,
        allow_unverified_weights=plan.options.allow_unverified_weights,
        progress=reporter.progress,
        training_targets=plan.training_pairs,
    )
    write_pair_scores(folder.scores, evaluation)
    if not plan.options.without_pictures:
        contact_sheet(plan.test, predictions, folder.pictures / "samples.png")
    result = _record(plan, manifest, evaluation)
    write_result(folder.result, result)
    return result


def _record(plan: Plan, manifest: Manifest, evaluation: Evaluation) -> Result:
    trained = summarize(plan.folder.checkpoint) if plan.train is not None else None
    training: dict[str, Any] = {}
    if trained is not None and isinstance(plan.model, TrainableModel):
        training = {
            **plan.recipe.training.model_dump(mode="json"),
            "images": plan.recipe.images.model_dump(mode="json"),
            "pairs": len(plan.train or ()),
            "steps": trained.step,
            **_validated(plan),
            "precision": plan.precision,
        }
    if trained is not None and isinstance(plan.model, ExternalProgram):
        training = {
            "program": plan.options.model,
            "pairs": len(plan.train or ()),
            "precision": plan.precision,
        }
    return build_result(
        model={
            "name": plan.options.model,
            **_counted(plan),
            "config": config_values(plan.model.config),
            "checkpoint_sha256": manifest.checkpoint_sha256,
            "uses_target": plan.model.uses_target,
        },
        dataset=dataset_record(plan.test, plan.options.limit),
        evaluation=evaluation,
        cost={
            "train_seconds": _train_seconds(plan, trained),
            "translate_seconds": manifest.seconds,
            "evaluate_seconds": round(evaluation.seconds, 2),
            "peak_memory_mb": provenance.peak_memory_mb(),
        },
        seed=plan.options.seed,
        environment={**provenance.environment(), "device": plan.device},
        created=provenance.now(),
        training=training,
        run_id=plan.folder.path.name,
        experiment=plan.experiment,
    )


def _train_seconds(plan: Plan, trained: CheckpointSummary | None) -> float | None:
    """Return how long the training took; of one that was made elsewhere nothing is known."""
    if trained is not None:
        return round(trained.seconds, 2)
    return None if isinstance(plan.model, ExternalProgram | OnnxModel) else 0.0


def _counted(plan: Plan) -> dict[str, Any]:
    """Return what a record says of a model's size, and what its authors say of it.

    Of a program they alone know how large it is.
    """
    facts = facts_beside(registry.models.entry(plan.options.model))
    said = {} if facts is None else {"method": facts.recorded()}
    if isinstance(plan.model, ExternalProgram):
        return said
    return {"parameters": plan.model.parameter_count(), **said}


def _validated(plan: Plan) -> dict[str, Any]:
    """Return what a record says of a state that validation chose."""
    if not plan.keeps_best or plan.validation is None:
        return {}
    return {
        "chosen_step": summarize(plan.weights).step,
        "validation_pairs": len(plan.validation),
    }
