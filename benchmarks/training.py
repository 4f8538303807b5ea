"""Our training step against a plain float32 textbook loop of the same mathematics.

Both start from the same weights and see the same batches; steps alternate, so that a busy machine
slows both. Beside the wall-clock time stands the processor time, which other programs of a shared
machine disturb less (compare it with OMP_NUM_THREADS=1, as waiting threads count too).

The textbook loop: contiguous layout, float32, plain Adam, an octave of the pyramid as four 3x3
blurs of both images. Ours: ``i2ibench.training.loop.train_step`` with channels_last, fused Adam,
the collapsed pyramid, and bfloat16 where the processor computes in it. Dropout is off, as its
masks depend on the memory layout and would separate the curves.

    python benchmarks/training.py                        # all cases, 20 steps
    python benchmarks/training.py --case pyramid-256 --steps 60
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from textbook_steps import STEPS, settings_of, with_plain_norms
from torch import Tensor, nn

from i2ibench.models.interface import PairBatch, TrainableModel, build_model
from i2ibench.runtime import cpu_has_bf16
from i2ibench.training.engine import make_fabric, memory_layout
from i2ibench.training.step import train_step

WARM_UP = 2

# By side, "textbook" or "ours": wall-clock and processor seconds a step; the weighted image loss.
Times = dict[str, list[tuple[float, float]]]
Curves = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    model: str
    side: int
    batch: int


CASES = {
    "pix2pix-256": Case("pix2pix", 256, 1),
    "pyramid-256": Case("pyramid", 256, 2),
    "pyramid-512": Case("pyramid", 512, 2),
    "pix2pixhd-256": Case("pix2pixhd", 256, 1),
    "nafnet-256": Case("nafnet", 256, 2),
    "bbdm-128": Case("bbdm", 128, 4),
}


LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--case", choices=CASES, action="append", help="by default all")
    parser.add_argument("--steps", type=int, default=20, help=f"the first {WARM_UP} are not timed")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", choices=["fp32", "bf16"], help="of our step")
    parser.add_argument("--layout", choices=LAYOUTS, help="of our step; by default as runs choose")
    parser.add_argument("--ngf", type=int, default=64, help="width of both networks")
    arguments = parser.parse_args()
    if arguments.steps <= WARM_UP:
        parser.error(f"--steps must be above {WARM_UP}")
    precision = arguments.precision or ("bf16" if computes_bf16(arguments.device) else "fp32")
    print(f"{hardware(arguments.device)}, torch {torch.__version__}")
    print(f"ours: {precision}, layout {arguments.layout or 'of runs'}")
    layout = LAYOUTS[arguments.layout] if arguments.layout else None
    for name in arguments.case or CASES:
        compare(name, arguments.steps, arguments.device, precision, layout, arguments.ngf)


def compare(
    name: str, steps: int, device: str, precision: str, layout: torch.memory_format | None, ngf: int
) -> Times:
    """Train both sides of one case and print times, their ratio and the distance of the curves.

    Returns the seconds of every step.
    """
    case = CASES[name]
    fabric = make_fabric(device, precision)
    textbook, ours = (start(case, ngf, fused, device) for fused in (False, True))
    with_plain_norms(textbook)
    their_step = STEPS.get(case.model, textbook_step)
    layout = layout or memory_layout(ours, torch.device(device))
    ours.to(memory_format=layout)
    their_optimizers, our_optimizers = textbook.optimizers(), ours.optimizers()
    seconds: Times = {"textbook": [], "ours": []}
    curves: Curves = {"textbook": [], "ours": []}
    for batch in batches(case, steps, device):
        torch.manual_seed(0)
        started = now()
        losses = their_step(textbook, their_optimizers, batch)
        record("textbook", losses, seconds, curves, started, device)

        laid_out = PairBatch(
            batch.source.contiguous(memory_format=layout),
            batch.target.contiguous(memory_format=layout),
        )
        torch.manual_seed(0)
        started = now()
        losses = train_step(ours, our_optimizers, laid_out, fabric)
        record("ours", losses, seconds, curves, started, device)
    report(name, seconds, curves)
    return seconds


def textbook_step(
    model: TrainableModel, optimizers: Mapping[str, torch.optim.Optimizer], batch: PairBatch
) -> dict[str, Tensor]:
    """One step as the papers' code takes it."""
    generator, discriminator = model.generator, model.discriminator
    criterion = nn.BCEWithLogitsLoss()

    def judge(candidate: Tensor, real: bool) -> Tensor:
        logits = discriminator(batch.source, candidate)
        return criterion(logits, torch.full_like(logits, float(real)))

    fake = generator(batch.source)
    discriminator.requires_grad_(True)
    optimizers["discriminator"].zero_grad()
    d_fake, d_real = judge(fake.detach(), False), judge(batch.target, True)
    (0.5 * (d_fake + d_real)).backward()
    optimizers["discriminator"].step()

    discriminator.requires_grad_(False)
    optimizers["generator"].zero_grad()
    g_gan = judge(fake, True)
    g_image = image_loss(model, fake, batch.target)
    (g_gan + g_image).backward()
    optimizers["generator"].step()
    return {"G_GAN": g_gan.detach(), "G_image": g_image.detach()}


def image_loss(model: TrainableModel, fake: Tensor, real: Tensor) -> Tensor:
    if not hasattr(model.config, "pyramid_weights"):
        return model.config.l1_weight * F.l1_loss(fake, real)
    first, *others = model.config.pyramid_weights
    total = first * F.l1_loss(fake, real)
    for weight in others:
        fake, real = octave(fake), octave(real)
        total = total + weight * F.l1_loss(fake, real)
    return total


def octave(images: Tensor) -> Tensor:
    taps = torch.tensor([-1.0, 0.0, 1.0], device=images.device).square().div(-2.0).exp()
    taps = taps / taps.sum()
    kernel = torch.outer(taps, taps).expand(images.shape[1], 1, 3, 3)
    for _ in range(4):
        images = F.pad(images, (1, 1, 1, 1), mode="reflect")
        images = F.conv2d(images, kernel, groups=images.shape[1])
    return images[..., ::2, ::2]


def start(case: Case, ngf: int, fused: bool, device: str) -> TrainableModel:
    settings = settings_of(case.model, ngf) or {"ngf": ngf, "ndf": ngf, "dropout": False}
    torch.manual_seed(0)
    model = build_model(case.model, {**settings, "fused_adam": fused})
    model.initialize(torch.Generator().manual_seed(0))
    return model.to(device).train()


def batches(case: Case, steps: int, device: str) -> Iterator[PairBatch]:
    """Smooth random sources and a target that can be learnt from them."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        coarse = torch.rand(case.batch, 3, 16, 16, generator=generator) * 2 - 1
        source = F.interpolate(coarse, size=(case.side, case.side), mode="bicubic").clamp(-1, 1)
        target = source.flip(1).sin()
        yield PairBatch(source.to(device), target.to(device))


def record(
    side: str,
    losses: Mapping[str, Tensor],
    seconds: Times,
    curves: Curves,
    started: tuple[float, float],
    device: str,
) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    wall, processor = now()
    seconds[side].append((wall - started[0], processor - started[1]))
    compared = ("G_image", "G_L", "G_GAN_Feat", "L1")
    image = [value for key, value in losses.items() if key.startswith(compared)]
    curves[side].append(float(torch.stack(image).sum()))


def report(name: str, seconds: Times, curves: Curves) -> None:
    timed = {side: list(zip(*times[WARM_UP:], strict=True)) for side, times in seconds.items()}
    columns = {
        "median wall s": lambda side: statistics.median(timed[side][0]),
        "fastest wall s": lambda side: min(timed[side][0]),
        "median processor s": lambda side: statistics.median(timed[side][1]),
    }
    gaps = [
        abs(ours - theirs) / theirs
        for ours, theirs in zip(curves["ours"], curves["textbook"], strict=True)
    ]
    print(f"\n{name}")
    print("                    textbook      ours   ratio")
    for title, value in columns.items():
        theirs, ours = value("textbook"), value("ours")
        print(f"  {title:18}{theirs:8.3f}{ours:10.3f}{theirs / ours:8.2f}")
    print("  step      textbook      ours   relative gap of the weighted image loss")
    shown = sorted({0, *range(9, len(gaps), max(1, len(gaps) // 6)), len(gaps) - 1})
    for step in shown:
        theirs, ours = curves["textbook"][step], curves["ours"][step]
        print(f"  {step + 1:4}{theirs:14.4f}{ours:10.4f}   {gaps[step]:.1e}")
    print(f"  largest gap {max(gaps):.1e}, mean {statistics.mean(gaps):.1e}")


def now() -> tuple[float, float]:
    """Wall-clock and processor time."""
    return time.perf_counter(), time.process_time()


def computes_bf16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    return cpu_has_bf16()


def hardware(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    processor = platform.processor() or platform.machine()
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{processor} {capability}, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    main()
