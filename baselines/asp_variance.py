"""ASP with the variance penalty, to see whether it helps beyond the pyramid."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from i2ibench.models.interface import PairBatch
from i2ibench_baselines.asp import ASP, ASPConfig
from i2ibench_baselines.contrastive_gan import Weight
from i2ibench_baselines.losses import variance_penalty


class ASPVarianceConfig(ASPConfig):
    """Settings of the penalty; no paper has this combination, so the values are ours.

    Attributes:
        variance_weight: of the penalty; by default that of the other comparison with the target.
        variance_unbiased: divide by N - 1 (True) or by N; at batch 2 a factor of two.
    """

    variance_weight: Weight = 10.0
    variance_unbiased: bool = True


class ASPVariance(ASP):
    """ASP (arXiv:2303.06193) + the variance penalty of arXiv:2506.18371; a combination of ours."""

    Config = ASPVarianceConfig
    config: ASPVarianceConfig
    # The variance of a single image says nothing, and a short batch has another one.
    minimum_batch: ClassVar[int] = 2
    drop_incomplete_batch: ClassVar[bool] = True

    def generator_losses(self, prediction: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Return the losses of ASP and the variance penalty."""
        penalty = variance_penalty(prediction, batch.target, self.config.variance_unbiased)
        return {
            **super().generator_losses(prediction, batch),
            "G_variance": self.config.variance_weight * penalty,
        }
