"""The first stage of a run: weights, by training, by fitting, or from a run that has them."""

from __future__ import annotations

import shutil
from pathlib import Path

from i2ibench import provenance
from i2ibench.data.images import read_pair
from i2ibench.data.loading import TrainingLoader
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.pixel_cache import PixelCache
from i2ibench.files import write_bytes
from i2ibench.models.closed_form import FittedModel
from i2ibench.models.config import config_values
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.guard import code_of
from i2ibench.models.interface import TrainableModel, TranslationModel
from i2ibench.runs.folder import (
    RunFolder,
    is_first_process,
    one_training,
    training_id,
    training_siblings,
)
from i2ibench.runs.plan import Plan
from i2ibench.runs.preflight import before_training
from i2ibench.runs.program_stage import train_by_program
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.time_estimate import TimeEstimate
from i2ibench.runs.validation import make_validation
from i2ibench.training.best_state import best_is_missing
from i2ibench.training.checkpoint import Checkpoint, save_checkpoint, summarize
from i2ibench.training.checkpoint_summary import copy_checkpoint
from i2ibench.training.engine import leave_processes, make_fabric
from i2ibench.training.logs import Log, Logs, TensorBoardLog, WandbLog, has_tensorboard
from i2ibench.training.loop import Training
from i2ibench.training.loop import train as train_loop


def train_stage(plan: Plan, reporter: Reporter) -> None:
    """Bring the weights of a plan into its folder, by training, fitting or reuse.

    Raises ``DataError`` where the training is finished, but its best state was deleted and no
    other run has it.
    """
    folder, pairs = plan.folder, plan.train
    if pairs is None:
        return
    trained = is_trained(folder)
    if trained and _has_best(plan, folder):
        return
    with one_training(plan.options.output, plan.experiment, reporter.stage):
        if not adopt_training(plan, reporter):
            _obtain_weights(plan, pairs, trained, reporter)


def _obtain_weights(plan: Plan, pairs: PairedDataset, trained: bool, reporter: Reporter) -> None:
    folder, model = plan.folder, plan.model
    if isinstance(model, ExternalProgram):
        seconds = train_by_program(plan, model, reporter)
        save_checkpoint(folder.checkpoint, _trained_at_once(plan, model, seconds))
        return
    if trained:
        raise best_is_missing(folder.path)
    if isinstance(model, FittedModel):
        reporter.stage(f"fitting {plan.options.model} to {len(pairs)} pairs")
        seconds = _fit(plan, model)
        save_checkpoint(folder.checkpoint, _trained_at_once(plan, model, seconds))
    elif isinstance(model, TrainableModel):
        _train(plan, model, pairs, reporter)


def adopt_training(plan: Plan, reporter: Reporter) -> bool:
    """Copy the weights of another run that was trained in the same way; False if there is none."""
    folder = plan.folder
    siblings = training_siblings(folder, plan.experiment)
    sibling = next((each for each in siblings if _has_best(plan, each)), None)
    if sibling is None:
        return False
    reporter.stage(f"weights of {sibling.path}, trained in the same way")
    for name in ("curves", "validation"):
        origin: Path = getattr(sibling, name)
        if origin.exists():
            write_bytes(getattr(folder, name), origin.read_bytes())
    if sibling.best_checkpoint.exists():
        copy_checkpoint(sibling.best_checkpoint, folder.best_checkpoint)
    if isinstance(plan.model, ExternalProgram):
        shutil.copytree(sibling.program_weights, folder.program_weights, dirs_exist_ok=True)
    copy_checkpoint(sibling.checkpoint, folder.checkpoint)
    return True


def _train(plan: Plan, model: TrainableModel, pairs: PairedDataset, reporter: Reporter) -> None:
    options, folder, settings = plan.options, plan.folder, plan.recipe.training
    validation_pairs = plan.validation  # checked here, before anything costly
    if is_first_process():
        before_training(plan, model, pairs)
    pixels = None
    if options.pixel_cache:
        # Before other processes of this training are started or waited for.
        pixels = PixelCache(pairs.pairs, plan.recipe.images.resize)
        pixels.fill(reporter.stage, reporter.progress)
    for remark in plan.remarks:
        reporter.stage(remark)
    reporter.stage(f"training {options.model} on {len(pairs)} pairs")
    fabric = make_fabric(plan.device, plan.precision, options.devices, options.nodes)
    on_gpu = plan.device.startswith("cuda")
    loader = TrainingLoader(
        pairs,
        plan.recipe.images,
        batch_size=settings.batch_size,
        seed=options.seed,
        drop_incomplete=model.drop_incomplete_batch,
        workers=8 if on_gpu else 0,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        pin_memory=on_gpu,
        pixels=pixels,
    )
    training = Training(
        options.model,
        training_id(plan.experiment),
        settings,
        options.seed,
        folder.path,
        plan.scaled_to,
    )
    log = _open_logs(plan) if fabric.is_global_zero else None
    validation = None
    if validation_pairs is not None and fabric.is_global_zero:
        validation = make_validation(
            validation_pairs,
            settings,
            folder.path,
            device=plan.device,
            precision=plan.precision,
            seed=options.seed,
            allow_unverified_weights=options.allow_unverified_weights,
            scaled_to=plan.scaled_to,
            log=log,
        )
    try:
        with code_of(options.model, "failed in training"):
            train_loop(
                model,
                loader,
                training,
                fabric,
                progress=TimeEstimate(reporter.training, reporter.stage),
                validation=validation,
                log=log,
            )
    finally:
        if log is not None:
            log.close()
    leave_processes(fabric)
    if not fabric.is_global_zero:
        # The other stages need one process.
        raise SystemExit(0)


def _open_logs(plan: Plan) -> Log | None:
    folder = plan.folder
    logs: list[Log] = []
    if plan.options.tensorboard and has_tensorboard():
        logs.append(TensorBoardLog(folder.path / "tensorboard"))
    if plan.options.wandb is not None:
        identity = folder.path.name
        logs.append(WandbLog(plan.options.wandb, folder.path, identity, plan.experiment))
    return Logs(logs) if logs else None


def _fit(plan: Plan, model: FittedModel) -> float:
    with provenance.stopwatch() as watch:
        model.fit(read_pair(pair) for pair in plan.train or ())
    return watch.seconds


def _trained_at_once(plan: Plan, model: TranslationModel, seconds: float) -> Checkpoint:
    return Checkpoint(
        model=plan.options.model,
        config=config_values(model.config),
        training_id=training_id(plan.experiment),
        step=1,
        total_steps=1,
        seconds=seconds,
        weights=model.state_dict(),
        optimizers={},
    )


def trained_weights(plan: Plan) -> Path:
    """Return the state to translate with; ``DataError`` where it was deleted after the training."""
    if not _has_best(plan, plan.folder):
        raise best_is_missing(plan.folder.path)
    return plan.weights


def _has_best(plan: Plan, folder: RunFolder) -> bool:
    """Whether the state that is translated with is there, beside the last."""
    if isinstance(plan.model, ExternalProgram) and not folder.program_weights.is_dir():
        return False
    return not plan.keeps_best or folder.best_checkpoint.exists()


def is_trained(folder: RunFolder) -> bool:
    """Whether the training of a run folder is finished."""
    return folder.checkpoint.exists() and summarize(folder.checkpoint).finished
