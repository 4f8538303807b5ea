"""Translating one image by a trained generator: ours against plain float32.

    python benchmarks/translation.py --model pyramid --checkpoint runs/.../checkpoints/last.ckpt
    python benchmarks/translation.py --model pyramid --checkpoint latest_net_G.pth --image he.png

Plain: contiguous layout, float32, PyTorch's reflection padding. Ours: ``translate_image`` in
float32 and in bfloat16, whole and in tiles. Runs alternate; deviations are grey levels of the
written uint8 image. Without ``--image`` one is drawn: reflected copies of smooth random colours.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from training import hardware

from i2ibench.data.images import read_image
from i2ibench.data.loading import to_unit_range
from i2ibench.data.pairs import ImageRef
from i2ibench.models.interface import InferencePolicy, TranslationModel
from i2ibench.runs.initial_model import model_from_checkpoint
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.translate_image import quantize, translate_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--side", type=int, default=1024, help="the image is repeated up to it")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    image = draw() if arguments.image is None else read_image(ImageRef(arguments.image))
    source = repeated(image, arguments.side)
    plain = model_from_checkpoint(arguments.model, arguments.checkpoint)
    ours = model_from_checkpoint(arguments.model, arguments.checkpoint)
    with_plain_padding(plain)
    ours.to(memory_format=torch.channels_last)
    policy = InferencePolicy()
    tile = arguments.side // 2
    jobs = {
        "plain fp32": lambda: translate_plainly(plain, source, policy),
        "ours fp32": lambda: translate_image(ours, source, policy=policy, tile=0),
        "ours bf16": lambda: translate_image(ours, source, policy=policy, precision="bf16", tile=0),
        f"ours fp32, tiles of {tile}": lambda: translate_image(
            ours, source, policy=policy, tile=tile
        ),
    }
    print(f"{hardware('cpu')}, torch {torch.__version__}; {arguments.side} px")
    with inference_mode(plain, policy), inference_mode(ours, policy):
        seconds: dict[str, list[float]] = {name: [] for name in jobs}
        made = {name: job() for name, job in jobs.items()}  # warms up
        for _ in range(arguments.repeat):
            for name, job in jobs.items():
                started = time.perf_counter()
                job()
                seconds[name].append(time.perf_counter() - started)
    first = next(iter(jobs))
    for name in jobs:
        fastest = min(seconds[name])
        gap = np.abs(made[name].astype(int) - made[first].astype(int))
        print(
            f"  {name:26s} {fastest:6.2f} s  {min(seconds[first]) / fastest:5.2f} times; levels "
            f"off: mean {gap.mean():.4f}, largest {gap.max()}, {np.mean(gap > 0):.2%} of values"
        )


def translate_plainly(
    model: TranslationModel, source: np.ndarray, policy: InferencePolicy
) -> np.ndarray:
    batch = torch.from_numpy(source).permute(2, 0, 1)[None].contiguous()
    return quantize(model.translate(to_unit_range(batch, "cpu"))[0], policy)


def with_plain_padding(model: nn.Module) -> None:
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReflectionPad2d):
                setattr(module, name, nn.ReflectionPad2d(child.padding))


def draw() -> np.ndarray:
    random = np.random.default_rng(0)
    coarse = random.integers(90, 256, (16, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC)


def repeated(image: np.ndarray, side: int) -> np.ndarray:
    """Reflect an image up to ``side`` pixels each way and cut what is beyond."""
    below, right = (max(0, side - length) for length in image.shape[:2])
    return np.pad(image, ((0, below), (0, right), (0, 0)), mode="symmetric")[:side, :side]


if __name__ == "__main__":
    main()
