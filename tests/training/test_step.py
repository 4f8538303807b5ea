"""A step trains exactly the networks that its phases name."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.models.interface import (
    ModelConfig,
    PairBatch,
    Phase,
    TrainableModel,
    TrainingProgress,
)
from i2ibench.training.engine import make_fabric
from i2ibench.training.loop import Training, train
from i2ibench.training.recipe import TrainingSettings
from i2ibench.training.step import train_step


class Three(TrainableModel):
    """Three scalars of which two are trained on one loss, then the third."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.first, self.second, self.third = (nn.Parameter(torch.ones(())) for _ in range(3))
        self.seen: list[TrainingProgress] = []
        self.trained: list[list[bool]] = []

    def translate(self, source: Tensor) -> Tensor:
        return source * self.first * self.second * self.third

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        names = ("first", "second", "third")
        return {name: torch.optim.SGD([getattr(self, name)], lr=0.1) for name in names}

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        self.seen.append(batch.progress)
        yield Phase(("first", "second"), self._losses)
        yield Phase("third", self._losses)

    def _losses(self) -> dict[str, Tensor]:
        self.trained.append([each.requires_grad for each in self.parameters()])
        return {"product": self.first * self.second * self.third}


def test_optimisers_of_one_phase_are_stepped_on_one_loss_and_the_others_frozen() -> None:
    model = Three(ModelConfig())
    losses = train_step(model, model.optimizers(), PairBatch(*torch.zeros(2, 1, 3, 4, 4)))
    # Both gradients are taken before either is stepped; the third sees what both have become.
    assert [round(each.item(), 6) for each in model.parameters()] == [0.9, 0.9, 1 - 0.1 * 0.81]
    assert model.trained == [[True, True, False], [False, False, True]]
    assert all(each.requires_grad for each in model.parameters())
    assert round(float(losses["product"]), 6) == 0.81


def test_the_loop_tells_each_step_its_epoch(drawn, tmp_path) -> None:
    drawn.draw("train", 2)
    model = Three(ModelConfig())
    pairs = open_dataset(str(drawn.root), "train")
    loader = TrainingLoader(pairs, ImageSettings(), batch_size=1, seed=5)
    settings = TrainingSettings(epochs=1, decay_epochs=2, batch_size=1)
    train(model, loader, Training("three", "id", settings, 5, tmp_path), make_fabric("cpu", "fp32"))
    assert [(each.epoch, each.decayed) for each in model.seen] == [
        (0, 0.0), (0, 0.0), (1, 0.0), (1, 0.0), (2, 0.5), (2, 0.5),
    ]  # fmt: skip
    assert {(each.epochs, each.decay_epochs) for each in model.seen} == {(1, 2)}
