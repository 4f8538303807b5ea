"""The training loop: takes a model's phases in order and steps one optimiser in each.

Precision, devices, schedules, checkpoints and logs live here, never in a model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Optimizer

from i2ibench.data.loading import RawBatch, TrainingLoader, to_unit_range
from i2ibench.errors import DataError, Interrupted, UsageError
from i2ibench.models.interface import PairBatch, TrainableModel
from i2ibench.registry import unknown_name
from i2ibench.seeds import derive_seed
from i2ibench.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from i2ibench.training.history import History
from i2ibench.training.interrupt import interrupt_requested
from i2ibench.training.readings import Progress, Readings, TrainingDiverged
from i2ibench.training.recipe import TrainingSettings
from i2ibench.training.schedule import learning_rate_factor

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
    """

    model_name: str
    training_id: str
    settings: TrainingSettings
    seed: int
    folder: Path

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
) -> Checkpoint:
    """Train ``model`` to the end of its budget, continuing from the last checkpoint.

    Returns the final state. Ctrl-C and SIGTERM finish the current step, save, and raise
    ``Interrupted``; a loss that is not finite raises ``TrainingDiverged`` and the last checkpoint
    is kept.
    """
    settings, device = training.settings, fabric.device
    total_steps = (settings.epochs + settings.decay_epochs) * loader.batches_per_epoch
    # The generator's seed, not the global one: initial weights do not depend on what ran before.
    model.initialize(torch.Generator().manual_seed(derive_seed(training.seed, "initialize")))
    model.to(device).to(memory_format=torch.channels_last)
    model.train()
    optimizers = model.optimizers()
    base_rates = {
        name: [group["lr"] for group in optimizer.param_groups]
        for name, optimizer in optimizers.items()
    }
    step, seconds = _resume(model, optimizers, training, total_steps)
    history = History(
        training.folder / "training.csv", first_step=step, writes=fabric.is_global_zero
    )
    started = saved_at = time.monotonic()
    readings = Readings(history, fabric, progress, total_steps)

    def state() -> Checkpoint:
        return Checkpoint(
            model=training.model_name,
            config=model.config.model_dump(mode="json"),
            training_id=training.training_id,
            step=step,
            total_steps=total_steps,
            seconds=seconds + time.monotonic() - started,
            weights=model.state_dict(),
            optimizers={name: each.state_dict() for name, each in optimizers.items()},
        )

    def save() -> Checkpoint:
        readings.flush()
        checkpoint = state()
        _refuse_non_finite_weights(checkpoint)
        history.sync()
        if fabric.is_global_zero:
            save_checkpoint(training.checkpoint_path, checkpoint)
        return checkpoint

    if step >= total_steps:
        return load_checkpoint(training.checkpoint_path)
    with interrupt_requested() as interrupted, history:
        for raw in loader.batches(step, total_steps):
            epoch = step // loader.batches_per_epoch
            factor = learning_rate_factor(
                epoch, settings.epochs, settings.decay_epochs, settings.schedule_step
            )
            _set_learning_rates(optimizers, base_rates, factor)
            torch.manual_seed(derive_seed(training.seed, "step", step, fabric.global_rank))
            losses = train_step(model, optimizers, _to_device(raw, device), fabric)
            _average_statistics(model, fabric)
            step += 1
            elapsed = seconds + time.monotonic() - started
            readings.add(step, epoch, losses, _first_rate(optimizers), elapsed)
            if _any_rank(interrupted(), fabric):
                save()
                raise Interrupted(
                    f"stopped after step {step} of {total_steps}; the same command continues"
                )
            if _any_rank(time.monotonic() - saved_at > _CHECKPOINT_SECONDS, fabric):
                save()
                saved_at = time.monotonic()
        return save()


def train_step(
    model: TrainableModel,
    optimizers: Mapping[str, Optimizer],
    batch: PairBatch,
    fabric: Fabric | None = None,
) -> dict[str, Tensor]:
    """Run one training step and return every named loss, detached.

    In each phase only the parameters of its optimiser require gradients; the sum of the phase's
    losses is backpropagated and that one optimiser stepped.
    """
    seen: dict[str, Tensor] = {}
    phases = model.training_phases(batch)
    while True:
        with _autocast(fabric):
            phase = next(phases, None)
        if phase is None:
            return seen
        if phase.optimizer not in optimizers:
            raise UsageError(
                f"{type(model).__name__}: "
                + unknown_name("optimiser of a phase", phase.optimizer, [*optimizers])
            )
        optimizer = optimizers[phase.optimizer]
        others = [each for name, each in optimizers.items() if name != phase.optimizer]
        frozen = _freeze(others)
        optimizer.zero_grad(set_to_none=True)
        with _autocast(fabric):
            losses = phase.losses()
        if not losses or any(value.numel() != 1 for value in losses.values()):
            raise UsageError(
                f"{type(model).__name__}: the losses of phase '{phase.optimizer}' must be one or "
                "more named scalars"
            )
        total: Tensor = torch.stack([value.float() for value in losses.values()]).sum()
        if fabric is None:
            torch.autograd.backward(total)
        else:
            fabric.backward(total)
            _average_gradients(optimizer, fabric)
        optimizer.step()
        for parameter in frozen:
            parameter.requires_grad_(True)
        seen.update({name: value.detach() for name, value in losses.items()})


def _autocast(fabric: Fabric | None) -> Any:
    return nullcontext() if fabric is None else fabric.autocast()


def _freeze(optimizers: list[Optimizer]) -> list[torch.nn.Parameter]:
    """Stop gradients into the other phases' networks; returns what must be thawed."""
    parameters = [
        parameter
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.requires_grad
    ]
    for parameter in parameters:
        parameter.requires_grad_(False)
    return parameters


def _average_gradients(optimizer: Optimizer, fabric: Fabric) -> None:
    """Average the gradients of one phase over all ranks, flattened into one message.

    Wrapping each network in DDP breaks on alternating phases, as not every network takes part in
    every backward pass.
    """
    if fabric.world_size == 1:
        return
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    flat = fabric.all_reduce(flat, reduce_op="mean")
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def _average_statistics(model: TrainableModel, fabric: Fabric) -> None:
    """Average the running statistics of normalisation, which each rank sees its own images of."""
    if fabric.world_size == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.copy_(fabric.all_reduce(buffer, reduce_op="mean"))


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
    return checkpoint.step, checkpoint.seconds


def _to_device(raw: RawBatch, device: torch.device) -> PairBatch:
    return PairBatch(
        to_unit_range(raw.source, device).contiguous(memory_format=torch.channels_last),
        to_unit_range(raw.target, device).contiguous(memory_format=torch.channels_last),
        raw.ids,
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
