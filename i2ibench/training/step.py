"""One training step: a model's phases in order, in each the optimisers it names are stepped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from i2ibench.errors import PluginError
from i2ibench.models.interface import PairBatch, Phase, TrainableModel
from i2ibench.registry import unknown_name


def check_optimizers(model: TrainableModel, found: Any) -> dict[str, Optimizer]:
    """Return what ``optimizers()`` gave; anything but named optimisers is refused.

    Raises:
        PluginError: names the model and what is wrong.
    """
    if isinstance(found, Mapping) and found:
        wrong = [name for name, each in found.items() if not isinstance(each, Optimizer)]
        if not wrong:
            return {str(name): each for name, each in found.items()}
        what = f"'{wrong[0]}' is {_kind(found[wrong[0]])}"
    else:
        what = f"it returned {_kind(found)}" if found else "it returned none"
    raise PluginError(
        f"{type(model).__name__}.optimizers(): {what}; return a dictionary of "
        'torch.optim optimisers by name, {"network": torch.optim.Adam(...)}'
    )


def train_step(
    model: TrainableModel,
    optimizers: Mapping[str, Optimizer],
    batch: PairBatch,
    fabric: Fabric | None = None,
) -> dict[str, Tensor]:
    """Run one training step and return every named loss, detached.

    In each phase only the parameters of its optimisers require gradients; the sum of the phase's
    losses is backpropagated once, and each of them stepped.

    Raises:
        PluginError: what the model yields are no phases, or their losses no scalars that can be
            trained on.
    """
    seen: dict[str, Tensor] = {}
    with _autocast(fabric):
        phases = _phases(model, batch)
    while True:
        with _autocast(fabric):
            phase = next(phases, None)
        if phase is None:
            if not seen:
                raise PluginError(f"{type(model).__name__}.training_phases() yields no phase")
            return seen
        stepped = _optimizers_of(model, optimizers, phase)
        frozen = _freeze([each for each in optimizers.values() if each not in stepped.values()])
        for optimizer in stepped.values():
            optimizer.zero_grad(set_to_none=True)
        with _autocast(fabric):
            losses = phase.losses()
        total = _total(model, phase, losses)
        if fabric is None:
            torch.autograd.backward(total)
        else:
            fabric.backward(total)
            _average_gradients(stepped.values(), fabric)
        for optimizer in stepped.values():
            optimizer.step()
        for parameter in frozen:
            parameter.requires_grad_(True)
        seen.update({name: value.detach() for name, value in losses.items()})


def _phases(model: TrainableModel, batch: PairBatch) -> Iterator[Any]:
    phases: Any = model.training_phases(batch)
    if isinstance(phases, Iterable) and not isinstance(phases, Tensor):
        return iter(phases)
    raise PluginError(
        f"{type(model).__name__}.training_phases() returned {_kind(phases)}; it must yield "
        "phases, as in: yield Phase('network', losses)"
    )


def _optimizers_of(
    model: TrainableModel, known: Mapping[str, Optimizer], phase: Any
) -> dict[str, Optimizer]:
    name = type(model).__name__
    if not isinstance(phase, Phase) or not callable(phase.losses):
        raise PluginError(
            f"{name}.training_phases() yields {_kind(getattr(phase, 'losses', phase))}; yield "
            "Phase(name of the optimiser, function that returns its losses)"
        )
    named = phase.optimizer if isinstance(phase.optimizer, tuple | list) else (phase.optimizer,)
    if not named:
        raise PluginError(f"{name}: a phase names no optimiser; name one, or a tuple of several")
    for each in named:
        if each not in known:
            what = unknown_name("optimiser of a phase", str(each), [*known])
            raise PluginError(f"{name}: {what}")
    return {each: known[each] for each in named}


def _title(phase: Phase) -> str:
    named = phase.optimizer
    return " and ".join(f"'{each}'" for each in ((named,) if isinstance(named, str) else named))


def _total(model: TrainableModel, phase: Phase, losses: Any) -> Tensor:
    name = type(model).__name__
    if not isinstance(losses, Mapping) or not losses:
        raise PluginError(
            f"{name}: the losses of phase {_title(phase)} are {_kind(losses)}; return one or "
            'more named scalars, {"L1": loss}'
        )
    for key, value in losses.items():
        if not isinstance(value, Tensor) or value.numel() != 1 or value.is_complex():
            made = f"has shape {tuple(value.shape)}" if isinstance(value, Tensor) else _kind(value)
            raise PluginError(
                f"{name}: loss {key} of phase {_title(phase)} must be a scalar tensor, but "
                f"{made}; use .mean() and neither .item() nor float()"
            )
    total: Tensor = torch.stack([value.float().reshape(()) for value in losses.values()]).sum()
    if not total.requires_grad:
        raise PluginError(
            f"{name}: no loss of phase {_title(phase)} depends on the "
            "parameters of its optimiser; compute it from the network's output, without "
            "detach() or no_grad"
        )
    return total


def _kind(value: object) -> str:
    kind = type(value).__name__
    empty = hasattr(value, "__len__") and not isinstance(value, Tensor) and not len(value)
    return f"an empty {kind}" if empty else f"of type {kind}"


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


def _average_gradients(optimizers: Iterable[Optimizer], fabric: Fabric) -> None:
    """Average the gradients of one phase over all ranks, flattened into one message.

    Wrapping each network in DDP breaks on alternating phases, as not every network takes part in
    every backward pass.
    """
    if fabric.world_size == 1:
        return
    gradients = [
        parameter.grad
        for optimizer in optimizers
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
