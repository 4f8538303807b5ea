"""Translating a folder: ours beside one image after another, and beside a textbook loop.

    python benchmarks/translation_folder.py                  # 64 images of 256 px, then of 1024 px
    python benchmarks/translation_folder.py --device cuda

All three read the same drawn PNG files and write PNG files with one network of random weights: the
U-Net of pix2pix, 16 channels wide, so small that files weigh. The textbook loop
is Pillow, ToTensor's arithmetic and the network in its standard layout; "one by one" are our own
steps without the threads that decode ahead and encode behind. Rounds alternate; told are medians
by the clock and of all processors together, and whether the pictures are the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from evaluation_scale import Clock
from PIL import Image
from training import hardware
from translation import draw, repeated

from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.leaderboard.markdown import table
from i2ibench.models.interface import InferencePolicy, TranslationModel, build_model
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import Manifest
from i2ibench.translation.translate import translate
from i2ibench.translation.translate_image import translate_image

POLICY = InferencePolicy()
SETTINGS = {"ngf": 16, "dropout": False}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    header = ["images", "loop", "seconds", "of all processors", "faster", "largest difference"]
    rows = []
    for side in arguments.sides:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(Path(folder), arguments.images, side, arguments)
    print(f"{hardware(arguments.device)}, torch {torch.__version__}, medians of rounds\n")
    print(table(header, rows, left=2))


def measure(folder: Path, count: int, side: int, arguments: argparse.Namespace) -> list[list[str]]:
    device = arguments.device
    files = draw_files(folder / "sources", count, side)
    model = build_model("pix2pix", SETTINGS)
    model.initialize(torch.Generator().manual_seed(0))
    plain = build_model("pix2pix", SETTINGS)
    plain.load_state_dict(model.state_dict())
    plain.to(device).eval()
    jobs: dict[str, Callable[[Path], None]] = {
        "textbook": lambda out: textbook(plain, files, out, device),
        "ours, one by one": lambda out: one_by_one(model, files, out, device),
        "ours": lambda out: ours(model, files, out, device),
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for turn in range(arguments.rounds + 1):
        for name, job in jobs.items():
            clock = Clock()
            job(folder / f"{name} {turn}")
            if turn:  # the first warms up
                spent[name].append(clock.seconds)
    rows = []
    first: float | None = None
    for name, seconds in spent.items():
        wall, processors = (statistics.median(each) for each in zip(*seconds, strict=True))
        first = first or wall
        gap = max(
            difference(folder / "textbook 0" / path.name, folder / f"{name} 0" / path.name)
            for path in files
        )
        rows.append(
            [
                f"{count} of {side} px",
                name,
                f"{wall:.2f}",
                f"{processors:.2f}",
                f"{first / wall:.2f}",
                str(gap),
            ]
        )
    return rows


def draw_files(folder: Path, count: int, side: int) -> list[Path]:
    random = np.random.default_rng(1)
    image = repeated(draw(), side)
    files = []
    for number in range(count):
        noisy = np.clip(image + random.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        files.append(folder / f"{number:03d}.png")
        write_png(files[-1], noisy)
    return files


def textbook(model: TranslationModel, files: list[Path], out: Path, device: str) -> None:
    out.mkdir()
    with torch.no_grad():
        for path in files:
            pixels = np.asarray(Image.open(path).convert("RGB"))
            source = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float().div(255)
            made = model.translate((source[None].to(device) - 0.5) / 0.5)[0]
            levels = ((made * 0.5 + 0.5) * 255).round().clamp(0, 255).byte()
            Image.fromarray(levels.permute(1, 2, 0).cpu().numpy()).save(out / path.name)


def one_by_one(model: TranslationModel, files: list[Path], out: Path, device: str) -> None:
    out.mkdir()
    model.to(device).to(memory_format=torch.channels_last)
    with inference_mode(model, POLICY):
        for path in files:
            source = read_image(ImageRef(path))
            made = translate_image(model, source, policy=POLICY, device=device)
            write_png(out / path.name, made)


def ours(model: TranslationModel, files: list[Path], out: Path, device: str) -> None:
    pairs = [ImagePair(path.stem, ImageRef(path), ImageRef(path)) for path in files]
    manifest = Manifest(
        model="pix2pix",
        checkpoint_sha256=None,
        protocol="i2i-2",
        preparation={},
        inference=POLICY,
        precision="fp32",
    )
    translate(model, PairedDataset("drawn", "test", tuple(pairs)), out, manifest, device=device)


def difference(first: Path, second: Path) -> int:
    one, other = (read_image(ImageRef(path)).astype(int) for path in (first, second))
    return int(np.abs(one - other).max())


if __name__ == "__main__":
    main()
