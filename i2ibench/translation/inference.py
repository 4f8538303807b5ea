"""The state in which a model translates: what a protocol's policy says of norms and dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from i2ibench.models.interface import InferencePolicy, TranslationModel

_NORMS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)
_DROPOUTS = (
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.AlphaDropout, nn.FeatureAlphaDropout),
)


@contextmanager
def inference_mode(model: TranslationModel, policy: InferencePolicy) -> Iterator[None]:
    """Put ``model`` into the state a policy asks for, without gradients; restores it after.

    ``normalization="batch"`` leaves the running statistics as they are: batch statistics are used
    for the output, but translating a test set must not change the model.
    """
    was_training = {module: module.training for module in model.modules()}
    momenta = {module: module.momentum for module in model.modules() if isinstance(module, _NORMS)}
    model.eval()
    for module in model.modules():
        if isinstance(module, _NORMS) and policy.normalization == "batch":
            module.train()
            module.momentum = 0.0
        elif isinstance(module, _DROPOUTS) and policy.dropout:
            module.train()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, momentum in momenta.items():
            module.momentum = momentum
        for module, training in was_training.items():
            module.training = training
