"""What a GPU gains: training, translation and evaluation against what users do today, in one run.

    python benchmarks/gpu.py                      # prints one table, ready to be pasted
    python benchmarks/gpu.py --device cpu --quick # tries the script where there is no GPU

Rivals: the textbook training loop of ``benchmarks/training.py``; translating one image after the
other in plain float32, as test scripts do; the three tools of ``benchmarks/evaluation.py``. Both
sides run on the same device, read the same files and alternate.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import evaluation
import numpy as np
import torch
import training

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import write_png
from i2ibench.data.loading import to_unit_range
from i2ibench.leaderboard.markdown import table
from i2ibench.models.interface import TranslationModel, build_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.runtime import allow_tf32
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import Manifest
from i2ibench.translation.translate import translate
from i2ibench.translation.translate_image import quantize, to_batch

Row = tuple[str, float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=60, help="of each training")
    parser.add_argument("--images", type=int, default=64, help="of each translation")
    parser.add_argument("--repeat", type=int, default=3, help="of translation and evaluation")
    parser.add_argument("--quick", action="store_true", help="narrow networks, few images")
    arguments = parser.parse_args()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("no CUDA device is usable here, so nothing was measured")
    quick = arguments.quick
    width, steps = (4, 4) if quick else (64, arguments.steps)
    count, repeat = (4, 1) if quick else (arguments.images, arguments.repeat)
    precision = "bf16" if training.computes_bf16(arguments.device) else "fp32"
    folder = Path(tempfile.mkdtemp(prefix="i2ibench-gpu-"))
    rows = [*training_rows(arguments.device, steps, width, ("fp32", precision))]
    for side in (64,) if quick else (256, 1024):
        rows += translation_rows(arguments.device, side, count, repeat, width, folder)
    rows += evaluation_rows(arguments.device, folder, repeat, quick)
    host = f"{training.hardware(arguments.device)}, {os.cpu_count()} processors"
    print(f"\n{host}, torch {torch.__version__}; {width} channels\n")
    cells = [
        [name, f"{theirs:.4g}", f"{ours:.4g}", f"{theirs / ours:.2f}"]
        for name, theirs, ours in rows
    ]
    print(table(["job", "today, s", "ours, s", "faster"], cells, left=1))


def training_rows(
    device: str, steps: int, width: int, precisions: tuple[str, ...]
) -> Iterator[Row]:
    """Median seconds a step, at each precision of ours."""
    for name in training.CASES:
        for precision in dict.fromkeys(precisions):
            seconds = training.compare(name, steps, device, precision, torch.channels_last, width)
            theirs, ours = (
                statistics.median(wall for wall, _ in seconds[side][training.WARM_UP :])
                for side in ("textbook", "ours")
            )
            yield f"training step, {name}, ours in {precision}", theirs, ours


def translation_rows(
    device: str, side: int, count: int, repeat: int, width: int, folder: Path
) -> Iterator[Row]:
    """Seconds for a folder of images, from PNG to PNG, of a ResNet with nine blocks."""
    root = draw_pairs(folder / f"pairs-{side}", count, side)
    pairs = open_dataset(str(root), split="test")
    allow_tf32("fp32")
    model = build_model("pyramid", {"ngf": width}).eval()
    precision = "bf16" if training.computes_bf16(device) else "fp32"
    jobs = {"plain": None, "fp32": "fp32", precision: precision}
    best = dict.fromkeys(jobs, float("inf"))
    for number in range(repeat + 1):  # the first round warms up
        for name, chosen in jobs.items():
            started = time.perf_counter()
            made = folder / f"made-{side}-{name}-{number}"
            if chosen is None:
                translate_plainly(model, root / "HE" / "test", made, device)
            else:
                translate(model, pairs, made, manifest(chosen), device=device)
            if number:
                best[name] = min(best[name], time.perf_counter() - started)
    for name in dict.fromkeys(["fp32", precision]):
        yield f"translation, {count} images of {side} px, ours in {name}", best["plain"], best[name]


def translate_plainly(model: TranslationModel, source: Path, folder: Path, device: str) -> None:
    """Read, translate and write one image after the other."""
    folder.mkdir()
    policy = InferencePolicy()
    model.to(device).to(memory_format=torch.contiguous_format)
    with inference_mode(model, policy):
        for path in sorted(source.iterdir()):
            image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            batch = to_unit_range(to_batch(image).contiguous(), device)
            write_png(folder / path.name, quantize(model.translate(batch)[0], policy))


def evaluation_rows(device: str, folder: Path, repeat: int, quick: bool) -> Iterator[Row]:
    """Seconds for PSNR, SSIM, LPIPS and FID together, start-up included."""
    evaluation.draw_weights(folder)
    sets = {"4 pairs of 96 px": (4, 96)} if quick else evaluation.SETS
    for name, (count, side) in sets.items():
        images = evaluation.draw_images(folder, count, side)
        theirs, ours = evaluation.speed(name, images, folder, repeat, device)
        yield f"evaluation, {name}", theirs, ours


def manifest(precision: str) -> Manifest:
    return Manifest(
        model="pyramid",
        checkpoint_sha256=None,
        protocol="i2i-1",
        preparation={},
        inference=InferencePolicy(),
        precision=precision,
    )


def draw_pairs(root: Path, count: int, side: int) -> Path:
    """Smooth random colours with texture, as pairs in the form of BCI."""
    random = np.random.default_rng(0)
    for index in range(count):
        coarse = random.integers(60, 256, (side // 16, side // 16, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        image = np.clip(image + random.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
        for stain in ("HE", "IHC"):
            folder = root / stain / "test"
            folder.mkdir(parents=True, exist_ok=True)
            write_png(folder / f"{index:05d}_test_0.png", image)
    return root


if __name__ == "__main__":
    main()
