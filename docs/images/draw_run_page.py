"""Draw docs/images/run-page.png: the page of a run and one of its pairs, as a browser shows them.

Run from the root of the project; it needs Chromium. Runs that ``RUNS`` does not hold
are made first, which takes some minutes::

    python docs/images/draw_run_page.py [RUNS]
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import i2ibench

DATASET, SHOWN = "synthetic-64", "pyramid"
BESIDE = ("l1-unet", "pix2pix", "varpyramid", "macenko", "copy")
WIDTH, HEIGHTS, GAP = 1180, (690, 780), 10
# A pair of HER2 3+, sorted so that its neighbours are of its kind.
PAIR = "#group=3%2B&pair=00003_test_3%2B"


def main(runs: Path) -> None:
    """Write the picture from the pages in ``runs``, which are made where they are not there."""
    for model in (*BESIDE, SHOWN):
        outcome = i2ibench.run(model=model, dataset=DATASET, device="cpu", output=runs)
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHTS[0]})
        page.goto(outcome.page.resolve().as_uri())
        top = _picture(page)
        page.set_viewport_size({"width": WIDTH, "height": HEIGHTS[1]})
        page.goto(outcome.page.resolve().as_uri() + PAIR)
        page.reload()
        page.wait_for_load_state("networkidle")
        pair = _picture(page)
        browser.close()
    sheet = Image.new("RGB", (WIDTH, top.height + GAP + pair.height), "#9a948c")
    sheet.paste(top, (0, 0))
    sheet.paste(pair, (0, top.height + GAP))
    # A palette keeps the file small; nothing is measured on this picture.
    small = sheet.quantize(200, kmeans=8, dither=Image.Dither.NONE)
    small.save(Path(__file__).with_name("run-page.png"), optimize=True)


def _picture(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
