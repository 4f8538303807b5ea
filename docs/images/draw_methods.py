"""Draw docs/images/methods.png: what each method makes of the same five slides.

Run from the root of the project, after ``i2ibench campaign run campaigns/synthetic-board.toml``::

    python docs/images/draw_methods.py runs/synthetic-64

Of each method the finished run of the lowest seed is shown, whatever it looks like.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef

SHOWN = ("00000_test_0", "00001_test_1+", "00002_test_2+", "00003_test_3+", "00007_test_3+")
CUT, GAP, LABEL = 128, 4, 130
ORDER = (
    *("copy", "reinhard", "macenko", "mean-colour"),
    *("l1-unet", "nafnet", "pix2pix", "pyramid", "varpyramid", "pix2pixhd"),
    *("asp", "asp-variance", "cut", "fastcut", "cyclegan", "bbdm"),
)


def main() -> None:
    """Write the sheet: a row a method, source and target above."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders that hold a folder a model")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("methods.png"))
    arguments = parser.parse_args()
    pairs = {pair.id: pair for pair in Dataset.open("synthetic-64").split("test")}
    rows = {"H&E (source)": [read_image(pairs[each].source) for each in SHOWN]}
    rows["IHC (target)"] = [read_image(pairs[each].target) for each in SHOWN]
    for name in ORDER:
        run = of_lowest_seed(arguments.runs, name)
        if run is not None:
            files = [run / "predictions" / f"{each}.png" for each in SHOWN]
            rows[name] = [read_image(ImageRef(path)) for path in files]
    width = LABEL + len(SHOWN) * (CUT + GAP)
    sheet = Image.new("RGB", (width, 26 + len(rows) * (CUT + GAP)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(17)
    for column, each in enumerate(SHOWN):
        left = LABEL + column * (CUT + GAP)
        pen.text((left, 3), f"HER2 {each.rpartition('_')[2]}", fill="black", font=font)
    for row, (name, images) in enumerate(rows.items()):
        top = 26 + row * (CUT + GAP)
        pen.text((4, top + CUT // 2 - 10), name, fill="black", font=font)
        for column, pixels in enumerate(images):
            shown = Image.fromarray(pixels[:CUT, :CUT])
            sheet.paste(shown, (LABEL + column * (CUT + GAP), top))
    # A palette keeps the file small; nothing is measured on this picture.
    sheet.quantize(200, kmeans=8, dither=Image.Dither.NONE).save(arguments.output, optimize=True)


def of_lowest_seed(folders: list[Path], model: str) -> Path | None:
    """Return the finished run of a model with the lowest seed; None where there is none."""
    found = {}
    for folder in folders:
        for result in sorted((folder / model).glob("*/result.json")):
            found[json.loads(result.read_text(encoding="utf-8"))["seed"] or 0] = result.parent
    return found[min(found)] if found else None


if __name__ == "__main__":
    main()
