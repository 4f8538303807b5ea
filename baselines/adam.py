"""Adam whose fused kernel sees memory as it lies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from i2ibench.models.interface import ModelConfig

Momentum = Annotated[float, Field(ge=0, lt=1)]


class AdamConfig(ModelConfig):
    """Settings of Adam, of methods that have nothing else in common.

    Attributes:
        learning_rate: before the schedule.
        betas: decay of the two moments.
        fused_adam: one kernel for all parameters; the same mathematics, faster.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    betas: tuple[Momentum, Momentum] = (0.5, 0.999)
    fused_adam: bool = True

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        """Return a new Adam over the parameters of ``network`` that are trained."""
        trained = [each for each in network.parameters() if each.requires_grad]
        fused = self.fused_adam and has_fused_adam(trained)
        return make_adam(trained, lr=self.learning_rate, betas=self.betas, fused=fused)


def has_fused_adam(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether PyTorch has a fused Adam for the devices of these parameters."""
    return {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"}


def make_adam(
    parameters: Iterable[nn.Parameter], *, lr: float, betas: tuple[float, float], fused: bool
) -> torch.optim.Adam:
    """Return an Adam over ``parameters``: a ``DenseAdam`` where this PyTorch allows one."""
    kind = DenseAdam if fused and can_order_by_memory() else torch.optim.Adam
    return kind(parameters, lr=lr, betas=betas, fused=fused)


class DenseAdam(torch.optim.Adam):
    """Adam, element for element; fused on a CPU it does not copy channels-last weights.

    The kernel there first brings every tensor into the standard layout and afterwards back, which
    takes nine times as long as the update. As Adam treats each element alone, it is given views
    whose order of axes is the order in memory. States keep the layout and shape of the weights.
    """

    def _init_group(self, group: dict[str, Any], *lists: list[Tensor]) -> bool:
        complex_numbers: bool = super()._init_group(group, *lists)
        if group["fused"]:
            for tensors in lists:
                tensors[:] = map(_in_order_of_memory, tensors)
        return complex_numbers


@cache
def can_order_by_memory() -> bool:
    """Whether ``DenseAdam`` takes the steps of ``torch.optim.Adam`` in this build of PyTorch.

    The method it overrides is no public interface, so it is tried once on a few small weights of
    both layouts: weights and states must be equal to the bit, or plain Adam is used.
    """
    try:
        tried, expected = (_trial(kind) for kind in (DenseAdam, torch.optim.Adam))
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return False
    return len(tried) == len(expected) and all(map(torch.equal, tried, expected))


def _trial(kind: type[torch.optim.Adam]) -> list[Tensor]:
    """Return weights and states after three steps."""
    draw = torch.Generator().manual_seed(0)
    weights = [
        nn.Parameter(torch.randn(5, 3, 4, 2, generator=draw).to(memory_format=layout))
        for layout in (torch.channels_last, torch.contiguous_format)
    ]
    weights.append(nn.Parameter(torch.randn(5, generator=draw)))
    optimizer = kind(weights, lr=0.1, betas=(0.5, 0.999), fused=True)
    for _ in range(3):
        for weight in weights:
            drawn = torch.randn(weight.shape, generator=draw)
            weight.grad = torch.empty_like(weight).copy_(drawn)
        optimizer.step()
    states = [
        value
        for weight in weights
        for _, value in sorted(optimizer.state[weight].items())
        if isinstance(value, Tensor)
    ]
    return [weight.detach() for weight in weights] + states


def _in_order_of_memory(tensor: Tensor) -> Tensor:
    channels_last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return tensor.detach().permute(0, 2, 3, 1) if channels_last else tensor
