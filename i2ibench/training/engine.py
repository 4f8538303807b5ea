"""The engine of a training, which is Lightning Fabric, and how weights lie in memory."""

from __future__ import annotations

import logging
import warnings
from typing import Literal

import torch
from lightning_fabric import Fabric

from i2ibench.errors import UsageError
from i2ibench.runtime import allow_tf32, cpu_has_bf16

_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {
    "fp32": "32-true",
    "tf32": "32-true",
    "bf16": "bf16-mixed",
}

_CONVOLUTIONS = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
_WIDE = 256


def memory_layout(model: torch.nn.Module, device: torch.device) -> torch.memory_format:
    """Return the faster layout of a training: channels-last, but on a CPU for two kinds of network.

    Wide ones in plain fp32, measured on a processor without bf16 instructions: with 16 channels
    channels-last takes 2 to 15 % less time, with 64 (inner layers of 256 and more) 19 to 41 % more.
    And those with group norm, whose channels-last kernels are slow in bf16: a step of a U-Net of
    diffusion takes 25 to 50 % more there, and in fp32 as long.
    """
    if device.type == "cpu" and any(isinstance(m, torch.nn.GroupNorm) for m in model.modules()):
        return torch.contiguous_format
    widest = max(
        (m.out_channels for m in model.modules() if isinstance(m, _CONVOLUTIONS)), default=0
    )
    if device.type == "cpu" and not cpu_has_bf16() and widest >= _WIDE:
        return torch.contiguous_format
    return torch.channels_last


def lay_out(model: torch.nn.Module, layout: torch.memory_format) -> None:
    """Bring weights and buffers of images into a layout; those of volumes have no channels-last."""
    if all(each.dim() != 5 for each in (*model.parameters(), *model.buffers())):
        model.to(memory_format=layout)
        return
    for each in (*model.parameters(), *model.buffers()):
        if each.dim() == 4:
            each.data = each.data.contiguous(memory_format=layout)


def lay_out_states(optimizer: torch.optim.Optimizer) -> None:
    """Bring states that were saved on a machine of another layout into that of their weights.

    Loaded weights are copied into the layout that is there; loaded states keep their own. PyTorch's
    fused kernels pair elements as they lie in memory, so where the two differ they silently update
    each weight by the moments of another.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def make_fabric(device: str, precision: str, devices: int = 1, nodes: int = 1) -> Fabric:
    """Return a launched engine.

    Args:
        device: resolved, see ``runtime.resolve_device``.
        precision: resolved, see ``runtime.resolve_precision``.
        devices: processes on this node, each with a device of its own (CPU: a process each).
        nodes: machines; SLURM and torchrun tell each process its place.
    """
    allow_tf32(precision)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind, _, index = device.partition(":")
    distributed = devices * nodes > 1
    if index and distributed:
        raise UsageError(f"--device {device} names one device; use --device {kind} with --devices")
    with warnings.catch_warnings():
        # Fabric remarks on unused hardware; the choice here is deliberate.
        warnings.simplefilter("ignore")
        fabric = Fabric(
            accelerator=kind,
            devices=[int(index)] if index else devices,
            num_nodes=nodes,
            strategy="ddp" if distributed else "auto",
            precision=_FABRIC_PRECISION[precision],
        )
    fabric.launch()
    return fabric


def leave_processes(fabric: Fabric) -> None:
    """Part from the other processes of a training, once all of them are done with it.

    A process that ends with the group still open may abort in the threads of the group, and Fabric
    then kills the first process, which has images to translate.
    """
    if fabric.world_size > 1:
        fabric.barrier()
        torch.distributed.destroy_process_group()
