"""Draw docs/images/synthetic-levels.png: one synthetic slide of each HER2 level.

Run from the root of the project::

    python docs/images/draw_synthetic_levels.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from i2ibench.data.synthetic.drawing import SyntheticOptions, draw_pair, list_synthetic

TILE, GAP, LABEL = 256, 6, 26


def main() -> None:
    """Write the sheet: levels from left to right, H&E above, IHC below."""
    options = SyntheticOptions()
    pairs = list_synthetic(options)[4:8]
    sheet = Image.new("RGB", (4 * TILE + 5 * GAP, LABEL + 2 * (TILE + GAP) + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for column, pair in enumerate(pairs):
        left = GAP + column * (TILE + GAP)
        pen.text((left, 5), f"HER2 {pair.level}", fill="black", font=font)
        for row, image in enumerate(draw_pair(options, pair)):
            sheet.paste(Image.fromarray(image), (left, LABEL + GAP + row * (TILE + GAP)))
    # A palette keeps the file small; nothing is measured on this picture.
    small = sheet.quantize(200, kmeans=8, dither=Image.Dither.NONE)
    small.save(Path(__file__).with_name("synthetic-levels.png"), optimize=True)


if __name__ == "__main__":
    main()
