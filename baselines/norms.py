"""Normalisation layers of the official code."""

from __future__ import annotations

from typing import Literal

from torch import nn

from i2ibench_baselines.instance_norm import InstanceNorm

Norm = Literal["batch", "instance", "none"]


def has_bias(norm: Norm) -> bool:
    """Whether convolutions before a norm have a bias: only instance norm has none of its own."""
    return norm == "instance"


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return the official norm: batch (affine, running statistics) or instance (neither)."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return InstanceNorm(channels)
    return nn.Identity()
