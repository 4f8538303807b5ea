"""How predictions are made; apart from the networks, so that scoring never loads torch for it."""

from __future__ import annotations

from typing import Literal

import pydantic

from i2ibench.settings import Settings

Augmentation = Literal["none", "flips", "dihedral"]


class InferencePolicy(Settings):
    """How predictions are made; part of a protocol and of the predictions' manifest.

    Attributes:
        normalization: ``running`` statistics (evaluation mode), or those of the ``batch`` as the
            official test scripts use without ``--eval``.
        dropout: whether dropout stays active.
        quantization: ``round`` to the nearest grey level, or ``truncate`` as the official code
            does (a bias of half a level).
        seed: of stochastic predictions; None where nothing is stochastic.
        augmentation: the mean over the 4 ``flips`` or the 8 ``dihedral`` symmetries of the square,
            each prediction turned back; averaging blurs, which PSNR and SSIM reward.
        samples: the mean over this many stochastic passes.
    """

    added_later = frozenset({"augmentation", "samples"})

    normalization: Literal["running", "batch"] = "running"
    dropout: bool = False
    quantization: Literal["round", "truncate"] = "round"
    seed: int | None = None
    augmentation: Augmentation = "none"
    samples: int = pydantic.Field(default=1, ge=1)

    @pydantic.model_validator(mode="after")
    def _samples_differ(self) -> InferencePolicy:
        if self.samples > 1 and (not self.dropout or self.seed is None):
            raise ValueError("samples > 1 need active dropout and a seed, or all would be equal")
        return self
