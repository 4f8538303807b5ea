"""The page of a comparison in Chromium: all methods of a pair at once, sorted by a difference."""

from __future__ import annotations

from pathlib import Path

import factories
import numpy as np
import pytest

from i2ibench.comparison.compare import compare
from i2ibench.comparison.methods import read_methods
from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record_files import write_result
from i2ibench.web.comparison_page import write_comparison_page

pytestmark = pytest.mark.browser


@pytest.fixture
def page_file(drawn, tmp_path: Path) -> Path:
    dataset = Dataset.open(str(drawn.draw("test", 8, size=32).root))
    pairs = dataset.split("test")
    runs = []
    for index, name in enumerate(("first", "second & <b>last</b>")):
        folder = tmp_path / f"run{index}"
        values = np.arange(8.0) * (1 - 2 * index) + 20
        scores = factories.pair_scores(
            {"psnr": values, "ssim": values / 40}, [p.group for p in pairs]
        )
        scores["id"] = [pair.id for pair in pairs]
        write_result(folder / "result.json", factories.result(scores, name))
        (folder / "scores.csv").write_text(pair_scores_csv(scores))
        for pair in pairs:
            write_png(folder / f"predictions/{pair.id}.png", read_image(pair.target) // (index + 1))
        runs.append(folder)
    methods = read_methods(runs)
    return write_comparison_page(tmp_path / "page", methods, compare(methods), dataset)


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_pair_is_shown_with_all_methods_and_axe_is_content(
    open_page, serious_faults, page_file, size
):
    page = open_page(page_file, size=size)
    if size == "desktop":
        assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator("#explorer-controls [name=sort]").select_option("psnr")
    page.locator("#explorer-controls [name=of]").select_option("0-1")
    ids = page.locator("#explorer-grid .card-id").all_text_contents()
    assert [each[:5] for each in ids] == [f"{index:05d}" for index in range(8)]
    assert "PSNR -14" not in page.locator("#explorer-grid").inner_text()
    page.locator("#explorer-grid a").last.click()
    page.locator("#viewer[open] svg").first.wait_for()
    names = page.locator("#viewer-panes figcaption").all_inner_texts()
    assert len(names) == 4
    assert names[3].startswith("second & <b>last</b>: prediction")
    assert page.locator(".viewer-table td.best").count() == 2
    if size == "desktop":
        assert serious_faults(page) == []


def test_a_pair_that_differs_most_opens_in_its_order(open_page, page_file):
    page = open_page(page_file)
    page.locator("#extremes .gallery a").first.click()
    assert page.locator("#viewer-title").inner_text().startswith("00007")
    assert "8 of 8" in page.locator("#viewer-where").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#viewer-title").inner_text().startswith("00006")
