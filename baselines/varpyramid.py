"""Variance-penalized pyramid pix2pix: a penalty on the diversity that the generator loses."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from i2ibench_baselines.losses import variance_penalty
from i2ibench_baselines.pyramid import PyramidConfig, PyramidPix2Pix


class VariancePenalizedConfig(PyramidConfig):
    """Settings of the penalty. The paper's values are not accessible: these defaults are ours.

    Attributes:
        variance_weight: the paper's lambda; chosen by the sweep of docs/variance-penalty.md.
        variance_unbiased: divide by N - 1 (True) or by N; at batch 2 a factor of two.
    """

    variance_weight: Annotated[float, Field(ge=0)] = 100.0
    variance_unbiased: bool = True


class VariancePenalizedPyramid(PyramidPix2Pix):
    """Pyramid + variance penalty (Rehmat and Ur Rehman 2025, arXiv:2506.18371); batches of 2 up."""

    Config = VariancePenalizedConfig
    config: VariancePenalizedConfig
    # The variance of a single image says nothing, and a short batch has another one.
    minimum_batch: ClassVar[int] = 2
    drop_incomplete_batch: ClassVar[bool] = True

    def reconstruction_losses(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the pyramid's terms and the variance penalty."""
        penalty = variance_penalty(prediction, target, self.config.variance_unbiased)
        return {
            **super().reconstruction_losses(prediction, target),
            "G_variance": self.config.variance_weight * penalty,
        }
