"""The training loop: steps, schedule, validation, checkpoints.

Precision, devices, schedules, checkpoints and logs live here, never in a model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch.optim import Optimizer

from i2ibench.data.loading import RawBatch, TrainingLoader, to_unit_range
from i2ibench.errors import DataError, Interrupted
from i2ibench.models.config import config_values
from i2ibench.models.interface import PairBatch, TrainableModel, TrainingProgress
from i2ibench.runtime import seed_global_generators
from i2ibench.seeds import derive_seed
from i2ibench.training.best_state import Validated, Validation
from i2ibench.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from i2ibench.training.engine import lay_out, lay_out_states, memory_layout
from i2ibench.training.history import History
from i2ibench.training.interrupt import interrupt_requested
from i2ibench.training.logs import Log
from i2ibench.training.loss_readout import LossReadout, Progress, TrainingDiverged
from i2ibench.training.plateau import Plateau
from i2ibench.training.recipe import TrainingSettings
from i2ibench.training.schedule import learning_rate_factor
from i2ibench.training.step import average_statistics, check_optimizers, train_step

# A crash loses at most this much work; writing a checkpoint takes about a second.
_CHECKPOINT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Training:
    """What one training needs besides model and data.

    Attributes:
        model_name: registered name, for the checkpoint.
        training_id: hash of the resolved experiment; a checkpoint of another is refused.
        settings: budget and schedule.
        seed: fixes everything random.
        folder: receives ``training.csv`` and ``checkpoints/last.ckpt``.
        scaled_to: side of the square at which its images are translated, for the checkpoint.
    """

    model_name: str
    training_id: str
    settings: TrainingSettings
    seed: int
    folder: Path
    scaled_to: int | None = None

    @property
    def checkpoint_path(self) -> Path:
        """The complete state after the last saved step."""
        return self.folder / "checkpoints" / "last.ckpt"


def train(
    model: TrainableModel,
    loader: TrainingLoader,
    training: Training,
    fabric: Fabric,
    *,
    progress: Progress | None = None,
    validation: Validation | None = None,
    log: Log | None = None,
) -> Checkpoint:
    """Train ``model`` to the end of its budget, continuing from the last checkpoint.

    Returns the final state. Ctrl-C and SIGTERM finish the current step, save, and raise
    ``Interrupted``; a loss that is not finite raises ``TrainingDiverged`` and the last checkpoint
    is kept.

    Args:
        model: with its settings; initial weights are drawn here.
        loader: of the training pairs.
        training: what else decides the outcome.
        fabric: device and precision.
        progress: called with (step, total, losses).
        validation: scores along the way; they never touch the weights.
        log: further readers of losses and scores.
    """
    settings, device = training.settings, fabric.device
    total_steps = (settings.epochs + settings.decay_epochs) * loader.batches_per_epoch
    # Seeds of its own: initial weights do not depend on what ran before.
    first_seed = derive_seed(training.seed, "initialize")
    seed_global_generators(first_seed)
    model.initialize(torch.Generator().manual_seed(first_seed))
    layout = memory_layout(model, device)
    lay_out(model.to(device), layout)
    model.train()
    optimizers = check_optimizers(model, model.optimizers())
    base_rates = {
        name: [group["lr"] for group in optimizer.param_groups]
        for name, optimizer in optimizers.items()
    }
    plateau = None if settings.plateau is None else Plateau(settings.plateau)
    step, seconds = _resume(model, optimizers, training, total_steps, plateau)
    history = History(
        training.folder / "training.csv", first_step=step, writes=fabric.is_global_zero
    )
    started = saved_at = time.monotonic()
    readout = LossReadout(history, fabric, progress, total_steps, log)
    validated = Validated(validation if fabric.is_global_zero else None, training.folder, step, log)

    def state() -> Checkpoint:
        return Checkpoint(
            model=training.model_name,
            config=config_values(model.config),
            training_id=training.training_id,
            step=step,
            total_steps=total_steps,
            seconds=seconds + time.monotonic() - started,
            weights=model.state_dict(),
            optimizers={name: each.state_dict() for name, each in optimizers.items()},
            scaled_to=training.scaled_to,
            plateau=None if plateau is None else plateau.state(),
        )

    def save() -> Checkpoint:
        readout.flush()
        checkpoint = state()
        _refuse_non_finite_weights(checkpoint)
        history.sync()
        validated.history.sync()
        if fabric.is_global_zero:
            save_checkpoint(training.checkpoint_path, checkpoint)
        return checkpoint

    if step >= total_steps:
        return load_checkpoint(training.checkpoint_path)
    with interrupt_requested() as interrupted, history, validated.history:
        for raw in loader.batches(step, total_steps):
            epoch = step // loader.batches_per_epoch
            factor = learning_rate_factor(
                epoch, settings.epochs, settings.decay_epochs, settings.schedule_step
            )
            if plateau is not None:
                factor *= plateau.factor
            _set_learning_rates(optimizers, base_rates, factor)
            seed_global_generators(derive_seed(training.seed, "step", step, fabric.global_rank))
            position = TrainingProgress(epoch, settings.epochs, settings.decay_epochs)
            batch = _to_device(raw, device, layout, position)
            losses = train_step(model, optimizers, batch, fabric)
            average_statistics(model, fabric)
            if plateau is not None:
                plateau.see(_mean_loss(losses, fabric))
            step += 1
            elapsed = seconds + time.monotonic() - started
            readout.add(step, epoch, losses, _first_rate(optimizers), elapsed)
            if validated.is_due(step, loader.batches_per_epoch, total_steps):
                readout.flush()
                validated.score(model, step, epoch, elapsed, state)
            if _any_rank(interrupted(), fabric):
                save()
                raise Interrupted(
                    f"stopped after step {step} of {total_steps}; the same command continues"
                )
            if _any_rank(time.monotonic() - saved_at > _CHECKPOINT_SECONDS, fabric):
                save()
                saved_at = time.monotonic()
        return save()


def _any_rank(wish: bool, fabric: Fabric) -> bool:
    """Whether any rank wishes it: ranks must save and stop after the same step."""
    if fabric.world_size == 1:
        return wish
    wishes = fabric.all_reduce(torch.tensor(float(wish), device=fabric.device), reduce_op="sum")
    return float(wishes) > 0


def _resume(
    model: TrainableModel,
    optimizers: Mapping[str, Optimizer],
    training: Training,
    total_steps: int,
    plateau: Plateau | None,
) -> tuple[int, float]:
    if not training.checkpoint_path.exists():
        return 0, 0.0
    checkpoint = load_checkpoint(training.checkpoint_path)
    if checkpoint.training_id != training.training_id or checkpoint.total_steps != total_steps:
        raise DataError(
            f"{training.checkpoint_path}: belongs to another training; move it away or choose "
            "another --output"
        )
    model.load_state_dict(dict(checkpoint.weights))
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(checkpoint.optimizers[name])
        lay_out_states(optimizer)
    if plateau is not None and checkpoint.plateau is not None:
        plateau.load(checkpoint.plateau)
    return checkpoint.step, checkpoint.seconds


def _mean_loss(losses: Mapping[str, torch.Tensor], fabric: Fabric) -> float:
    """Return the sum of a step's losses: the mean over all ranks, whose rates must fall alike."""
    total = torch.stack([value.float() for value in losses.values()]).sum()
    if fabric.world_size > 1:
        total = fabric.all_reduce(total, reduce_op="mean")
    return float(total)


def _to_device(
    raw: RawBatch, device: torch.device, layout: torch.memory_format, progress: TrainingProgress
) -> PairBatch:
    return PairBatch(
        to_unit_range(raw.source, device).contiguous(memory_format=layout),
        to_unit_range(raw.target, device).contiguous(memory_format=layout),
        raw.ids,
        progress,
    )


def _set_learning_rates(
    optimizers: Mapping[str, Optimizer], base_rates: Mapping[str, list[float]], factor: float
) -> None:
    for name, optimizer in optimizers.items():
        for group, base in zip(optimizer.param_groups, base_rates[name], strict=True):
            group["lr"] = base * factor


def _first_rate(optimizers: Mapping[str, Optimizer]) -> float:
    return float(next(iter(optimizers.values())).param_groups[0]["lr"])


def _refuse_non_finite_weights(checkpoint: Checkpoint) -> None:
    for name, tensor in checkpoint.weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise TrainingDiverged(f"{name} is not finite after step {checkpoint.step}")
