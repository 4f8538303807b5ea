"""BBDM: a Brownian bridge from source to target, walked back by a network that was taught it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from i2ibench.models.interface import PairBatch, Phase, TrainableModel
from i2ibench_baselines.adam import AdamConfig, Momentum
from i2ibench_baselines.bridge import (
    Bridge,
    Mixing,
    Objective,
    make_bridge,
    noised,
    objective,
    sample,
    sampling_times,
)
from i2ibench_baselines.bridge_network import ConditionedUNet
from i2ibench_baselines.losses import l1_loss
from i2ibench_baselines.moving_average import MovingAverage

Count = Annotated[int, Field(ge=1)]


class BBDMConfig(AdamConfig):
    """Settings of BBDM in pixel space; defaults are those of the official Template-BBDM.yaml.

    Attributes:
        width: channels of the U-Net at the full size.
        multipliers: of ``width`` at each size, from the full one downwards.
        blocks: residual blocks a size.
        times: of the bridge, T.
        mixing: schedule of m_t: ``linear`` or ``sin``.
        largest_variance: factor on the bridge's variance.
        objective: what the network learns: ``grad`` (x_t - x0), ``noise`` or ``ysubx`` (y - x0).
        loss: ``l1`` or ``l2`` of the objective.
        average_decay: of the moving average of weights that translates.
        average_every: steps between two updates of it.
        average_start: steps until it begins to average; before, it follows the weights.
        sampling_steps: times that are visited in translation; ``times`` visits all.
        eta: factor on the noise of each sampling step.
        clip: whether each implied target is cut to [-1, 1] in sampling.
        spread_samples: samples of a pair between which the spread is kept; 1 keeps none.
    """

    translation_only: ClassVar[frozenset[str]] = frozenset(
        {"sampling_steps", "eta", "clip", "spread_samples"}
    )

    width: Count = 128
    multipliers: Annotated[tuple[Count, ...], Field(min_length=1, max_length=6)] = (1, 4, 8)
    blocks: Count = 2
    times: Annotated[int, Field(ge=3, le=10_000)] = 1000
    mixing: Mixing = "linear"
    largest_variance: Annotated[float, Field(gt=0)] = 1.0
    objective: Objective = "grad"
    loss: Literal["l1", "l2"] = "l1"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.995
    average_every: Count = 8
    average_start: Annotated[int, Field(ge=0)] = 30_000
    sampling_steps: Annotated[int, Field(ge=3, le=10_000)] = 200
    eta: Annotated[float, Field(ge=0)] = 1.0
    clip: bool = True
    spread_samples: Annotated[int, Field(ge=1, le=1000)] = 5


class BBDM(TrainableModel):
    """BBDM (Li et al. 2023, arXiv:2205.07680) in pixel space: stochastic; needs diffusers."""

    Config = BBDMConfig
    config: BBDMConfig
    stochastic: ClassVar[bool] = True

    def __init__(self, config: BBDMConfig) -> None:
        super().__init__(config)
        self.network = ConditionedUNet(
            width=config.width, multipliers=config.multipliers, blocks=config.blocks
        )
        self.average = MovingAverage(
            self.network,
            decay=config.average_decay,
            every=config.average_every,
            start=config.average_start,
        )
        self.size_multiple = 2 ** (len(config.multipliers) - 1)
        self.spread_samples = config.spread_samples
        self._bridge = make_bridge(config.times, config.mixing, config.largest_variance)

    def parameter_count(self) -> int:
        """Return the number of parameters of the network."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def translate(self, source: Tensor) -> Tensor:
        """Return one sample for each source, by the averaged weights."""
        config = self.config
        return sample(
            self._bridge_on(source),
            source.float(),
            lambda x, y, t: self.average.network(x, y, t).float(),
            torch.randn_like,
            times=sampling_times(config.sampling_steps, config.times),
            eta=config.eta,
            clip=config.clip,
            kind=config.objective,
        )

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the network's Adam."""
        return {"network": self.config.adam(self.network)}

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the one phase; the average takes in the weights that its step has left."""
        yield Phase("network", lambda: self._losses(batch))
        self.average.update(self.network)

    def _losses(self, batch: PairBatch) -> dict[str, Tensor]:
        config, y, x0 = self.config, batch.source, batch.target
        bridge = self._bridge_on(y)
        t = torch.randint(0, config.times, (len(y),), device=y.device)
        noise = torch.randn_like(x0)
        said = self.network(noised(bridge, x0, y, t, noise), y, t)
        wanted = objective(bridge, x0, y, t, noise, config.objective)
        if config.loss == "l1":
            return {"L1": l1_loss(said, wanted)}
        return {"L2": F.mse_loss(said.float(), wanted)}

    def _bridge_on(self, images: Tensor) -> Bridge:
        if self._bridge.m.device != images.device:
            self._bridge = self._bridge.to(images.device)
        return self._bridge
