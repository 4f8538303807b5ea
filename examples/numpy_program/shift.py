"""Shift the mean colour of each source by what training pairs differ: NumPy and Pillow alone."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image


def read(path: Path) -> np.ndarray:
    """Return an image as floats (H, W, 3)."""
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


def train(sources: Path, targets: Path, weights: Path) -> None:
    """Write the mean difference of the colours."""
    shifts = [(read(targets / path.name) - read(path)).mean((0, 1)) for path in sources.iterdir()]
    np.savetxt(weights / "shift.txt", np.mean(shifts, axis=0))


def translate(sources: Path, predictions: Path, weights: Path) -> None:
    """Write a prediction of the same name for each source."""
    shift = np.loadtxt(weights / "shift.txt")
    for path in sources.iterdir():
        made = np.clip(read(path) + shift, 0, 255).round().astype(np.uint8)
        Image.fromarray(made).save(predictions / path.name)


if __name__ == "__main__":
    {"train": train, "translate": translate}[sys.argv[1]](*map(Path, sys.argv[2:]))
