"""One training step: a model's phases in order, one optimiser stepped in each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from i2ibench.errors import UsageError
from i2ibench.models.interface import PairBatch, TrainableModel
from i2ibench.registry import unknown_name


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
        if not total.requires_grad:
            raise UsageError(
                f"{type(model).__name__}: no loss of phase '{phase.optimizer}' depends on the "
                "parameters of its optimiser; compute it from the network's output, without "
                "detach() or no_grad"
            )
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


def average_statistics(model: TrainableModel, fabric: Fabric) -> None:
    """Average the running statistics of normalisation, which each rank sees its own images of.

    No other buffer is touched: the mean of two ranks' image pools is of no image that was made.
    """
    if fabric.world_size == 1:
        return
    for module in model.modules():
        if isinstance(module, _NormBase):
            for statistic in (module.running_mean, module.running_var):
                if statistic is not None:  # as where statistics are not tracked
                    statistic.copy_(fabric.all_reduce(statistic, reduce_op="mean"))
