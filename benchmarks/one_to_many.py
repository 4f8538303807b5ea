"""A toy with known modes: every source has two equally likely targets. Which of them are predicted?

    python benchmarks/one_to_many.py draw data/one-to-many
    i2ibench run --model varpyramid --dataset data/one-to-many ...
    python benchmarks/one_to_many.py modes data/one-to-many runs/one-to-many/*/*/

Sources are grey texture. A target is its source, tinted brown or blue by a coin that the source
does not show. A generator without noise cannot toss it: the best it can do for L1 is what lies
between the two, and for an adversarial loss either. A prediction's place is 0 where its mean colour
is that of the blue target of the same source, 1 at the brown one. ``modes`` prints, by run, the
share of predictions near each mode (within 0.25) and between them, the standard deviation of the
places (0.5 in the targets), and how near predictions are to the mean of both targets.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImageRef
from i2ibench.leaderboard.markdown import table

SIDE = 64
NUMBERS = {"train": 256, "val": 32, "test": 128}
# Added to the grey levels of a source, RGB.
TINTS = {"blue": np.array([-40, -20, 40]), "brown": np.array([40, -10, -60])}
NEAR = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("draw").add_argument("folder", type=Path)
    modes = commands.add_parser("modes")
    modes.add_argument("folder", type=Path, help="the drawn set")
    modes.add_argument("runs", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "draw":
        draw(arguments.folder)
    else:
        finished = [run for run in arguments.runs if (run / "result.json").is_file()]
        print(mode_table(finished, arguments.folder / "A" / "test"))


def draw(folder: Path, seed: int = 0) -> Path:
    """Draw the set as ``A/<split>`` and ``B/<split>``."""
    for split, number in NUMBERS.items():
        random = np.random.default_rng([seed, *split.encode()])
        for index in range(number):
            source = texture(random)
            tint = TINTS["brown" if random.random() < 0.5 else "blue"]
            for side, image in (("A", source), ("B", tinted(source, tint))):
                place = folder / side / split
                place.mkdir(parents=True, exist_ok=True)
                write_png(place / f"{index:04d}.png", image)
    return folder


def texture(random: np.random.Generator) -> np.ndarray:
    """Grey levels between 90 and 190, so that no tint is cut off."""
    coarse = random.uniform(100, 180, (8, 8)).astype(np.float32)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    grey = np.clip(smooth + random.normal(0, 6, smooth.shape), 90, 190).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def tinted(source: np.ndarray, tint: np.ndarray) -> np.ndarray:
    return np.clip(source.astype(int) + tint, 0, 255).astype(np.uint8)


def places(run: Path, sources: Path) -> np.ndarray:
    """Return where each prediction lies between its blue target (0) and its brown one (1)."""
    axis = (TINTS["brown"] - TINTS["blue"]).astype(float)
    found = []
    for path in sorted((run / "predictions").glob("*.png")):
        source = read_image(ImageRef(sources / path.name)).astype(float)
        moved = (read_image(ImageRef(path)) - source).mean((0, 1)) - TINTS["blue"]
        found.append(moved @ axis / (axis @ axis))
    return np.array(found)


def mode_table(runs: list[Path], sources: Path) -> str:
    """Return a markdown table: a row a kind of run, mean and standard deviation over its seeds."""
    kinds: dict[str, list[list[float]]] = defaultdict(list)
    for run in runs:
        config = json.loads((run / "experiment.json").read_text())["model"]["config"]
        weights = [f"{key} {value}" for key, value in config.items() if "_weight" in key]
        at = places(run, sources)
        between = (at > NEAR) & (at < 1 - NEAR)
        kinds[", ".join([run.parent.name, *weights])].append(
            [
                float((at <= NEAR).mean()),
                float((at >= 1 - NEAR).mean()),
                float(between.mean()),
                float(at.std()),
                float(at.mean()),
            ]
        )
    header = ["run", "seeds", "blue", "brown", "between", "sd of places", "mean place"]
    rows = []
    for kind, values in sorted(kinds.items()):
        means, spread = np.mean(values, 0), np.std(values, 0, ddof=min(1, len(values) - 1))
        cells = [f"{mean:.2f} ± {sd:.2f}" for mean, sd in zip(means, spread, strict=True)]
        rows.append([kind, str(len(values)), *cells])
    return table(header, rows, left=1)


if __name__ == "__main__":
    main()
