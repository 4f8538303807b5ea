"""Steps of CycleGAN, CUT and ASP as a plain float32 loop takes them, against ours.

The plain loop: contiguous layout, plain Adam, PyTorch's instance norm, the transposed blur, each
image through the generator by itself, whole feature maps brought into rows before positions are
taken. Ours: ``train_step`` with channels_last, fused Adam, and bfloat16 where the processor
computes in it. Steps alternate on the same batches; processor time is told, which other programs
disturb less (run it with OMP_NUM_THREADS=1, as waiting threads count too).

    OMP_NUM_THREADS=1 python benchmarks/textbook_contrastive.py --case cut --steps 6
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.models.interface import PairBatch, TrainableModel, build_model
from i2ibench.runtime import cpu_has_bf16
from i2ibench.training.engine import lay_out, make_fabric
from i2ibench.training.step import train_step
from i2ibench_baselines.losses import gaussian_pyramid_loss
from i2ibench_baselines.official_arithmetic import use_official_arithmetic

WARM_UP = 1

Optimizers = dict[str, torch.optim.Optimizer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--case", choices=STEPS, action="append", help="by default all")
    parser.add_argument("--steps", type=int, default=5, help=f"the first {WARM_UP} is not timed")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--ngf", type=int, default=64, help="width of generator and discriminator")
    parser.add_argument("--precision", choices=["fp32", "bf16"], help="of our step")
    arguments = parser.parse_args()
    if arguments.steps <= WARM_UP:
        parser.error(f"--steps must be above {WARM_UP}")
    precision = arguments.precision or ("bf16" if cpu_has_bf16() else "fp32")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, ours: {precision}")
    for name in arguments.case or STEPS:
        compare(name, arguments.steps, arguments.side, arguments.ngf, precision)


def compare(name: str, steps: int, side: int, ngf: int, precision: str) -> None:
    """Print the processor seconds of a step of both sides, and their ratio."""
    textbook, ours = (start(name, ngf, fused) for fused in (False, True))
    use_official_arithmetic(textbook)
    lay_out(ours, torch.channels_last)
    fabric = make_fabric("cpu", precision)
    their_optimizers, our_optimizers = textbook.optimizers(), ours.optimizers()
    seconds: dict[str, list[float]] = {"textbook": [], "ours": []}
    draw = torch.Generator().manual_seed(1)
    for number in range(steps):
        images = (torch.rand(2, 1, 3, side, side, generator=draw) * 2 - 1).unbind()
        plain = PairBatch(*images)
        laid_out = PairBatch(*(x.contiguous(memory_format=torch.channels_last) for x in images))
        for each, step in (
            ("textbook", lambda batch=plain: STEPS[name](textbook, their_optimizers, batch)),
            ("ours", lambda batch=laid_out: train_step(ours, our_optimizers, batch, fabric)),
        ):
            torch.manual_seed(number)
            started = time.process_time()
            step()
            seconds[each].append(time.process_time() - started)
    theirs, mine = (statistics.median(times[WARM_UP:]) for times in seconds.values())
    print(f"{name:10} textbook {theirs:8.2f} s   ours {mine:8.2f} s   ratio {theirs / mine:.2f}")


def start(name: str, ngf: int, fused: bool) -> TrainableModel:
    torch.manual_seed(0)
    model = build_model(name, {"ngf": ngf, "ndf": ngf, "fused_adam": fused})
    assert isinstance(model, TrainableModel)
    model.initialize(torch.Generator().manual_seed(0))
    return model.train()


def cyclegan_step(model: TrainableModel, optimizers: Optimizers, batch: PairBatch) -> None:
    a, b = batch.source, batch.target
    forth, back = model.generator, model.inverse_generator
    judges = (model.discriminator, model.inverse_discriminator)
    fake_b, fake_a = forth(a), back(b)
    rec_a, rec_b = back(fake_b), forth(fake_a)
    train_only(optimizers, "generators")
    loss = judged(judges[0], fake_b, 1.0) + judged(judges[1], fake_a, 1.0)
    loss = loss + 10 * (F.l1_loss(rec_a, a) + F.l1_loss(rec_b, b))
    loss = loss + 5 * (F.l1_loss(forth(b), b) + F.l1_loss(back(a), a))
    finish(loss, optimizers, "generators")
    train_only(optimizers, "discriminators")
    loss = torch.zeros(())
    for judge, real, fake in ((judges[0], b, fake_b), (judges[1], a, fake_a)):
        loss = loss + 0.5 * (judged(judge, real, 1.0) + judged(judge, fake.detach(), 0.0))
    finish(loss, optimizers, "discriminators")


def cut_step(model: TrainableModel, optimizers: Optimizers, batch: PairBatch) -> None:
    source, target = batch.source, batch.target
    fake, identity = model.generator(torch.cat([source, target])).chunk(2)
    discriminator_step(model, optimizers, fake, target)
    train_only(optimizers, "generator", "heads")
    loss = judged(model.discriminator, fake, 1.0)
    for made, given in ((fake, source), (identity, target)):
        query, key = features(model, made), features(model, given)
        loss = loss + 0.5 * patch_nce(model, query, key)
    finish(loss, optimizers, "generator", "heads")


def asp_step(model: TrainableModel, optimizers: Optimizers, batch: PairBatch) -> None:
    fake = model.generator(batch.source)
    discriminator_step(model, optimizers, fake, batch.target)
    train_only(optimizers, "generator", "heads")
    images = (batch.source, fake, batch.target)
    source, query, target = (features(model, image) for image in images)
    loss = judged(model.discriminator, fake, 1.0)
    loss = loss + 10 * patch_nce(model, query, source) + 10 * patch_nce(model, query, target)
    weights = model.config.pyramid_weights
    loss = loss + 10 * gaussian_pyramid_loss(fake, batch.target, weights)
    finish(loss, optimizers, "generator", "heads")


def discriminator_step(
    model: TrainableModel, optimizers: Optimizers, fake: Tensor, real: Tensor
) -> None:
    train_only(optimizers, "discriminator")
    loss = judged(model.discriminator, fake.detach(), 0.0) + judged(model.discriminator, real, 1.0)
    finish(0.5 * loss, optimizers, "discriminator")


def features(model: TrainableModel, image: Tensor) -> list[Tensor]:
    found, layers = [], model.config.nce_layers
    for place, layer in enumerate(model.generator.model[: layers[-1] + 1]):
        image = layer(image)
        if place in layers:
            found.append(image)
    return found


def patch_nce(model: TrainableModel, queries: list[Tensor], keys: list[Tensor]) -> Tensor:
    total = torch.zeros(())
    for place, (query, key) in enumerate(zip(queries, keys, strict=True)):
        positions = torch.randperm(key.shape[2] * key.shape[3])[: model.config.nce_positions]
        head: nn.Module = model.heads.get_submodule(f"mlp_{place}")
        rows = [
            F.normalize(head(each.permute(0, 2, 3, 1).flatten(1, 2)[0, positions]), dim=1)
            for each in (query, key.detach())
        ]
        similarities = rows[0] @ rows[1].detach().T / model.config.nce_temperature
        total = total + F.cross_entropy(similarities, torch.arange(len(positions)))
    return total / len(queries)


def judged(discriminator: nn.Module, image: Tensor, wanted: float) -> Tensor:
    logits = discriminator(image)
    return F.mse_loss(logits, torch.full_like(logits, wanted))


def train_only(optimizers: Optimizers, *names: str) -> None:
    for name, optimizer in optimizers.items():
        optimizer.zero_grad()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(name in names)


def finish(loss: Tensor, optimizers: Optimizers, *names: str) -> None:
    loss.backward()
    for name in names:
        optimizers[name].step()
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(True)


STEPS: dict[str, Callable[[TrainableModel, Optimizers, PairBatch], None]] = {
    "cyclegan": cyclegan_step,
    "cut": cut_step,
    "asp": asp_step,
}

if __name__ == "__main__":
    main()
