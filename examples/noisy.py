"""A stochastic model: it draws noise for each image, and one seed gives the same images again."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from i2ibench import ModelConfig, PairBatch, Phase, TrainableModel


class NoisyConfig(ModelConfig):
    """How wide the network is, and how much noise it draws."""

    width: int = 16
    noise: float = 0.1


class Noisy(TrainableModel):
    """Two convolutions over the source and a plane of noise."""

    Config = NoisyConfig
    config: NoisyConfig
    # Translation seeds torch's generator for each pair, by its id: the order does not matter.
    stochastic = True

    def __init__(self, config: NoisyConfig) -> None:
        super().__init__(config)
        self.layers = nn.Sequential(
            nn.Conv2d(4, config.width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(config.width, 3, 3, padding=1),
            nn.Tanh(),
        )

    def translate(self, source: Tensor) -> Tensor:
        """Return predictions in [-1, 1], of the size of ``source``."""
        noise = self.config.noise * torch.randn_like(source[:, :1])
        made: Tensor = self.layers(torch.cat([source, noise], 1))
        return made

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the one optimiser."""
        return {"layers": torch.optim.Adam(self.parameters(), lr=1e-3)}

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the one phase: mean absolute difference."""
        prediction = self.translate(batch.source)
        yield Phase("layers", lambda: {"L1": (prediction - batch.target).abs().mean()})
