"""Adam whose fused kernel sees memory as it lies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


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


def _in_order_of_memory(tensor: Tensor) -> Tensor:
    channels_last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return tensor.detach().permute(0, 2, 3, 1) if channels_last else tensor
