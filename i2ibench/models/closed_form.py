"""Methods without a training loop: the floor under every board, and the oracles above it.

A trained model that does not beat copying the source or painting the mean colour has learned
nothing; an oracle that reads the target shows what a metric rewards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pydantic
import torch
from torch import Tensor, nn

from i2ibench.errors import DataError, UsageError
from i2ibench.models.interface import ModelConfig, TranslationModel

# A source and its target as uint8 (H, W, 3) in RGB.
Uint8Pair = tuple[np.ndarray, np.ndarray]


class FittedModel(TranslationModel):
    """A method whose few statistics are computed from the training pairs in one pass.

    Subclasses register their statistics as buffers, so that a checkpoint is the ``state_dict``,
    and implement ``_fit``.
    """

    fitted: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    def fit(self, pairs: Iterable[Uint8Pair]) -> None:
        """Store the statistics of ``pairs``, uint8 ``(H, W, 3)`` RGB each, read once in order.

        Raises:
            DataError: there are no pairs.
        """
        self._fit(pairs)
        self.fitted.fill_(True)

    def translate(self, source: Tensor) -> Tensor:
        """Return the predictions of ``source``; both ``(N, 3, H, W)`` in [-1, 1]."""
        if not bool(self.fitted):
            raise UsageError(
                f"{type(self).__name__} has not been fitted; fit it to training pairs or load a "
                "checkpoint"
            )
        # Statistics and logarithms lose their meaning in bf16: leave a caller's mixed precision.
        with torch.autocast(source.device.type, enabled=False):
            return self._translate(source.float()).to(source.dtype)

    def _fit(self, pairs: Iterable[Uint8Pair]) -> None:
        raise NotImplementedError

    def _translate(self, source: Tensor) -> Tensor:
        raise NotImplementedError


class OracleModel(TranslationModel):
    """A method that reads the target: shown on boards as a bound, never ranked."""

    uses_target: ClassVar[bool] = True

    def translate(self, source: Tensor) -> Tensor:
        """Refuse: an oracle has nothing to say without the target."""
        raise UsageError(f"{type(self).__name__} is an oracle; it needs the target of each pair")

    def translate_with_target(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the predictions; all three ``(N, 3, H, W)`` in [-1, 1]."""
        raise NotImplementedError


class CopySource(TranslationModel):
    """Copy the source: how far doing nothing gets."""

    def translate(self, source: Tensor) -> Tensor:
        """Return ``source``."""
        return source


class MeanColour(FittedModel):
    """Paint the mean colour of the training targets: the best constant under squared error."""

    colour: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.register_buffer("colour", torch.zeros(3))

    def _fit(self, pairs: Iterable[Uint8Pair]) -> None:
        total = np.zeros(3)
        pixels = 0
        for _, target in pairs:
            total += target.reshape(-1, 3).sum(axis=0, dtype=np.int64)
            pixels += target.shape[0] * target.shape[1]
        if pixels == 0:
            raise no_training_pairs(self)
        self.colour.copy_(torch.from_numpy(total / pixels / 127.5 - 1))

    def _translate(self, source: Tensor) -> Tensor:
        return self.colour[None, :, None, None].expand_as(source).clone()


class BlurredTargetConfig(ModelConfig):
    """Settings of the oracle.

    Attributes:
        sigma: standard deviation of the Gaussian in pixels.
    """

    sigma: float = pydantic.Field(default=4.0, gt=0, le=64)


class BlurredTarget(OracleModel):
    """Blur the target: an oracle that shows how much a metric forgives missing detail."""

    Config: ClassVar[type[ModelConfig]] = BlurredTargetConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        sigma = config.sigma if isinstance(config, BlurredTargetConfig) else 4.0
        offsets = torch.arange(-int(3 * sigma + 0.5), int(3 * sigma + 0.5) + 1)
        weights = torch.exp(-offsets.double().square() / (2 * sigma**2))
        self.register_buffer("weights", (weights / weights.sum()).float(), persistent=False)

    weights: Tensor

    def translate_with_target(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the blurred ``target``; all ``(N, 3, H, W)`` in [-1, 1]."""
        radius = len(self.weights) // 2
        kernel = self.weights.to(target)
        blurred = target.flatten(0, 1)[:, None]
        # Replicated borders: reflection would need images larger than the kernel's radius.
        for sides, shape in (((radius, radius, 0, 0), (1, -1)), ((0, 0, radius, radius), (-1, 1))):
            padded = nn.functional.pad(blurred, sides, mode="replicate")
            blurred = nn.functional.conv2d(padded, kernel.view(1, 1, *shape))
        return blurred.view_as(target)


def no_training_pairs(model: TranslationModel) -> DataError:
    """Return the error of a fit without pairs."""
    return DataError(f"{type(model).__name__} cannot be fitted: the training split has no pairs")
