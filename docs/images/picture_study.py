"""Take docs/images/study.png: one question of a study of drawn tissue, in Chromium.

Run from the root of the project, with the page of a study of macenko and reinhard on the synthetic
set::

    python docs/images/picture_study.py study/index.html
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright


def main(page_file: Path, picture: Path) -> None:
    """Go on to the first comparison, choose, and take the picture."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 640})
        page.goto(page_file.resolve().as_uri())
        page.fill("#reader", "R1")
        page.click("#go")
        while page.locator(".pictures.one").count():
            for key in ("2", "g", "Enter"):
                page.keyboard.press(key)
        page.keyboard.press("r")
        page.wait_for_function("[...document.images].every((each) => each.complete)")
        page.screenshot(path=picture)
        browser.close()
    # A palette keeps the file small; nothing is measured on this picture.
    Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("docs/images/study.png"))
