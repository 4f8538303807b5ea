"""Plain float32 training steps of more methods, as their papers' code takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.models.interface import PairBatch, TrainableModel
from i2ibench_baselines.instance_norm import InstanceNorm

Optimizers = Mapping[str, torch.optim.Optimizer]
Step = Callable[[TrainableModel, Optimizers, PairBatch], dict[str, Tensor]]


def pix2pixhd_step(
    model: TrainableModel, optimizers: Optimizers, batch: PairBatch
) -> dict[str, Tensor]:
    """All losses on one forward pass; the generator steps first. D is judged on three times."""
    judge = model.discriminator

    def lsgan(judged: list[list[Tensor]], value: float) -> Tensor:
        return sum(F.mse_loss(each[-1], torch.full_like(each[-1], value)) for each in judged)

    fake = model.generator(batch.source)
    fakes, reals = judge(batch.source, fake.detach()), judge(batch.source, batch.target)
    d_loss = 0.5 * (lsgan(fakes, 0.0) + lsgan(reals, 1.0))
    judged = judge(batch.source, fake)
    features = 0.0
    for mine, others in zip(judged, reals, strict=True):
        for a, b in zip(mine[:-1], others[:-1], strict=True):
            features = features + 10.0 / len(judged) * F.l1_loss(a, b.detach())
    g_loss = lsgan(judged, 1.0) + features
    optimizers["generator"].zero_grad()
    g_loss.backward()
    optimizers["generator"].step()
    optimizers["discriminator"].zero_grad()
    d_loss.backward()
    optimizers["discriminator"].step()
    return {"G_GAN_Feat": features.detach()}


def nafnet_step(
    model: TrainableModel, optimizers: Optimizers, batch: PairBatch
) -> dict[str, Tensor]:
    """L1 alone."""
    loss = F.l1_loss(model.generator(batch.source), batch.target)
    optimizers["generator"].zero_grad()
    loss.backward()
    optimizers["generator"].step()
    return {"G_L1": loss.detach()}


def bbdm_step(model: TrainableModel, optimizers: Optimizers, batch: PairBatch) -> dict[str, Tensor]:
    """L1 of the objective at drawn times, then the moving average."""
    m = torch.linspace(0.001, 0.999, 1000, device=batch.source.device)
    t = torch.randint(0, 1000, (len(batch.source),), device=batch.source.device)
    mixed = m[t].view(-1, 1, 1, 1)
    sigma = (2.0 * (mixed - mixed**2)).sqrt()
    noise = torch.randn_like(batch.target)
    noised = (1 - mixed) * batch.target + mixed * batch.source + sigma * noise
    wanted = mixed * (batch.source - batch.target) + sigma * noise
    loss = F.l1_loss(model.network(noised, batch.source, t), wanted)
    optimizers["network"].zero_grad()
    loss.backward()
    optimizers["network"].step()
    model.average.update(model.network)
    return {"L1": loss.detach()}


STEPS: dict[str, Step] = {
    "pix2pixhd": pix2pixhd_step,
    "nafnet": nafnet_step,
    "bbdm": bbdm_step,
}


def settings_of(model: str, width: int) -> dict[str, object] | None:
    """Return the settings of a case of this width; None for the methods of ``training.py``."""
    return {
        "pix2pixhd": {"ngf": width, "ndf": width, "downsamplings": 3},
        "nafnet": {"width": max(1, width // 2)},
        "bbdm": {"width": width, "multipliers": (1, 2, 4), "blocks": 1},
    }.get(model)


def with_plain_norms(network: nn.Module) -> None:
    """Put PyTorch's own instance norm where ours stands."""
    for name, child in network.named_children():
        if isinstance(child, InstanceNorm):
            setattr(network, name, nn.InstanceNorm2d(child.num_features))
        else:
            with_plain_norms(child)
