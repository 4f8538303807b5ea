"""Methods of grey images are trained on grey images, and all their losses reach the generators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.models.interface import PairBatch, TrainableModel, build_model
from i2ibench.training.step import train_step
from i2ibench_baselines.grey import as_grey

SMALL = {"generator": "resnet_6blocks", "ngf": 2, "norm": "instance", "dropout": False}
METHODS = {
    "pix2pix": {"ndf": 2},
    "cyclegan": {"ndf": 2},
    "cut": {"ndf": 2, "nce_positions": 16, "nce_channels": 4},
    "pix2pixhd": {"ndf": 2, "downsamplings": 1, "blocks": 1},
    "asp": {"ndf": 2, "nce_positions": 16, "nce_channels": 4, "discriminator_layers": 3},
}
CHANNELS = [(1, 3), (3, 1), (1, 1)]


def small(name: str, taken: int, made: int) -> TrainableModel:
    shared = {"ngf": 2} if name == "pix2pixhd" else SMALL
    given = {**shared, **METHODS[name], "in_channels": taken, "out_channels": made}
    model = build_model(name, given)
    assert isinstance(model, TrainableModel)
    model.initialize(torch.Generator().manual_seed(0))
    return model.train()


def batch() -> PairBatch:
    drawn = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return PairBatch(*drawn.unbind())


def test_grey_levels_are_pillows_and_their_gradient_is_the_luma() -> None:
    levels = torch.randint(256, (16, 16, 3), generator=torch.Generator().manual_seed(0))
    expected = np.array(Image.fromarray(levels.numpy().astype(np.uint8)).convert("L"))
    images = (levels.permute(2, 0, 1)[None] / 127.5 - 1).requires_grad_()
    grey = as_grey(images, 1)
    found = ((grey[0, 0].detach() + 1) * 127.5).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    grey.sum().backward()
    of_each = images.grad[0, :, 0, 0]
    torch.testing.assert_close(of_each, torch.tensor([0.299, 0.587, 0.114]), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("taken", "made"), CHANNELS)
def test_both_cycles_train_both_grey_generators(taken: int, made: int) -> None:
    model = small("cyclegan", taken, made)
    back = model.inverse_generator.model
    assert (back[1].in_channels, back[-2].out_channels) == (made, taken)
    losses = next(iter(model.training_phases(batch()))).losses()
    for name in ("cycle_A", "cycle_B"):
        for generator in (model.generator, model.inverse_generator):
            (gradient,) = torch.autograd.grad(
                losses[name], [generator.model[1].weight], retain_graph=True
            )
            assert gradient.abs().max() > 0, name


def test_contrastive_losses_reach_a_prediction_that_is_seen_in_grey() -> None:
    model = small("cut", 1, 1)
    prediction = torch.rand(1, 3, 32, 32, requires_grad=True)
    model.contrast(model.encoded(prediction), model.encoded(batch().source)).backward()
    assert prediction.grad.abs().max() > 0


@pytest.mark.parametrize(("taken", "made"), CHANNELS)
@pytest.mark.parametrize("name", METHODS)
def test_what_is_grey_in_translation_is_grey_in_training(name: str, taken: int, made: int) -> None:
    model, judged = small(name, taken, made), []
    model.discriminator.register_forward_hook(lambda _, seen, __: judged.extend(seen))
    losses = train_step(model, model.optimizers(), batch())
    assert all(torch.isfinite(value) for value in losses.values())
    beside_source = name in ("pix2pix", "pix2pixhd")
    targets = judged[1::2] if beside_source else judged
    for image in targets:
        assert bool((image == image[:, :1]).all()) == (made == 1)
    if beside_source:
        assert all(bool((i == i[:, :1]).all()) == (taken == 1) for i in judged[::2])
