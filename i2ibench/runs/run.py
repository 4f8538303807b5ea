"""The main job: train, translate, evaluate, board. The only place that knows the order."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from i2ibench import provenance
from i2ibench.errors import UsageError
from i2ibench.evaluation.one_pass import evaluate as score
from i2ibench.evaluation.scores import Evaluation
from i2ibench.files import sha256_file
from i2ibench.leaderboard.board import build_board
from i2ibench.leaderboard.entries import EntryExistsError, add_entry
from i2ibench.models.interface import TrainableModel
from i2ibench.results.additions import refuse_to_lose
from i2ibench.results.record import (
    Result,
    build_result,
    read_result,
    write_pair_scores,
    write_result,
)
from i2ibench.runs.add_metrics import (
    add_metrics,
    metrics_to_add,
    predictions_are_those_scored,
    undo_half_addition,
)
from i2ibench.runs.folder import RunFolder, is_first_process, working_in
from i2ibench.runs.plan import Options, Plan, model_from_checkpoint, resolve
from i2ibench.runs.reporter import Reporter as Reporter
from i2ibench.runs.score_folders import dataset_record
from i2ibench.runs.train_stage import is_trained, train_stage, trained_weights
from i2ibench.runtime import allow_tf32
from i2ibench.training.checkpoint import load_checkpoint
from i2ibench.translation.manifest import MANIFEST_NAME, Manifest
from i2ibench.translation.translate import translate as translate_dataset
from i2ibench.web.pictures import contact_sheet
from i2ibench.web.run_page import write_page


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: its record, its folder, and the board that shows it."""

    result: Result
    folder: Path
    board: Path | None


def run(options: Options, reporter: Reporter | None = None) -> Outcome:
    """Train, translate, evaluate and add to the board; finished stages are not repeated."""
    reporter = reporter or Reporter()
    plan = _open(options, reporter)
    folder = plan.folder
    with working_in(folder):
        result = _finished(plan, reporter) if _is_finished(folder) else None
        if result is None:
            train_stage(plan, reporter)
            manifest = translate_stage(plan, reporter)
            result = evaluate_stage(plan, manifest, reporter)
        return Outcome(result, folder.path, _enter_board(plan, result))


def run_repeats(options: Options, repeats: int, reporter: Reporter | None = None) -> list[Outcome]:
    """Run with the seeds ``options.seed``, + 1, ...; the board shows their mean and spread."""
    seeds = range(options.seed, options.seed + repeats)
    return [run(replace(options, seed=seed), reporter) for seed in seeds]


def train(options: Options, reporter: Reporter | None = None) -> RunFolder:
    """Train only; the folder then holds the checkpoint that ``translate`` and ``run`` use."""
    reporter = reporter or Reporter()
    plan = _open(options, reporter)
    with working_in(plan.folder):
        train_stage(plan, reporter)
    return plan.folder


def translate(options: Options, reporter: Reporter | None = None) -> RunFolder:
    """Translate the test split with a finished training or ``options.checkpoint``."""
    reporter = reporter or Reporter()
    plan = _open(options, reporter)
    if plan.train is not None and not is_trained(plan.folder):
        raise UsageError(
            f"{options.model} is not trained yet in {plan.folder.path}; run i2ibench train with "
            "the same options first, or give --checkpoint"
        )
    with working_in(plan.folder):
        translate_stage(plan, reporter)
    return plan.folder


def translate_stage(plan: Plan, reporter: Reporter) -> Manifest:
    """Write the predictions of the test split."""
    model, checkpoint = plan.model, plan.options.checkpoint
    if plan.train is not None:
        checkpoint = trained_weights(plan)
        model = model_from_checkpoint(plan.options.model, checkpoint)
    manifest = Manifest(
        model=plan.options.model,
        checkpoint_sha256=sha256_file(checkpoint) if checkpoint else None,
        protocol=plan.protocol.id,
        preparation=plan.protocol.preparation.model_dump(mode="json"),
        inference=plan.protocol.inference,
        precision=plan.precision,
        tile=plan.options.tile,
    )
    allow_tf32(plan.precision)
    reporter.stage(f"translating {len(plan.test)} images")
    return translate_dataset(
        model,
        plan.test,
        plan.folder.predictions,
        manifest,
        device=plan.device,
        progress=reporter.progress,
    )


def evaluate_stage(plan: Plan, manifest: Manifest, reporter: Reporter) -> Result:
    """Score the predictions, write ``scores.csv``, pictures and, last, ``result.json``."""
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
    contact_sheet(plan.test, predictions, folder.pictures / "samples.png")
    result = _record(plan, manifest, evaluation)
    write_page(
        folder.pictures / "index.html",
        result,
        plan.test,
        predictions,
        evaluation.pair_scores,
        folder.path / "training.csv",
    )
    write_result(folder.result, result)
    return result


def _open(options: Options, reporter: Reporter) -> Plan:
    # Said before, because the synthetic set is drawn, and any set hashed, when first opened.
    reporter.stage(f"opening {options.dataset}")
    plan = resolve(options)
    reporter.stage(f"{plan.test.name}: {len(plan.test)} test pairs, {plan.test.layout}")
    return plan


def _record(plan: Plan, manifest: Manifest, evaluation: Evaluation) -> Result:
    trained = load_checkpoint(plan.folder.checkpoint) if plan.train is not None else None
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
    return build_result(
        model={
            "name": plan.options.model,
            "parameters": plan.model.parameter_count(),
            "config": plan.model.config.model_dump(mode="json"),
            "checkpoint_sha256": manifest.checkpoint_sha256,
            "uses_target": plan.model.uses_target,
        },
        dataset=dataset_record(plan.test, plan.options.limit),
        evaluation=evaluation,
        cost={
            "train_seconds": round(trained.seconds, 2) if trained else 0.0,
            "translate_seconds": manifest.seconds,
            "evaluate_seconds": round(evaluation.seconds, 2),
            "peak_memory_mb": provenance.peak_memory_mb(),
        },
        seed=plan.options.seed,
        environment={**provenance.environment(), "device": plan.device},
        created=provenance.now(),
        training=training,
        run_id=plan.folder.path.name,
    )


def _validated(plan: Plan) -> dict[str, Any]:
    """Return what a record says of a state that validation chose."""
    if not plan.keeps_best or plan.validation is None:
        return {}
    return {
        "chosen_step": load_checkpoint(plan.weights).step,
        "validation_pairs": len(plan.validation),
    }


def _is_finished(folder: RunFolder) -> bool:
    # The result is written last; what was deleted since is made again.
    parts = (folder.result, folder.scores, folder.predictions / MANIFEST_NAME)
    return all(part.exists() for part in parts)


def _finished(plan: Plan, reporter: Reporter) -> Result | None:
    """Return the result of a finished run, with metrics whose weights have come since.

    None where its predictions were changed or deleted, and must be made again to be scored.
    """
    folder = plan.folder
    result = read_result(folder.result)
    names: list[str] = []
    if is_first_process():
        undo_half_addition(folder, result)
        names = metrics_to_add(plan, result)
    if not names:
        reporter.stage(f"already finished: {folder.path}")
        return result
    if not predictions_are_those_scored(folder, result):
        return None
    return add_metrics(plan, result, names, reporter)


def _enter_board(plan: Plan, result: Result) -> Path | None:
    if plan.options.board is None or plan.options.limit is not None:
        return None
    try:
        add_entry(plan.options.board, result, pair_scores=plan.folder.scores)
    except EntryExistsError as error:
        # Another machine's measurement of this very run, such as a shipped one: both stay.
        warnings.warn(f"the board keeps its entry: {error}", stacklevel=2)
    return build_board(plan.options.board, plan.test.name)
