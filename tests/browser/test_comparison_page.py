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
    return _write(drawn, tmp_path, ("first", "second & <b>last</b>"))


def _write(drawn, tmp_path: Path, names: tuple[str, ...]) -> Path:
    """Write the page of methods of these names; every second one is the first one's mirror."""
    dataset = Dataset.open(str(drawn.draw("test", 8, size=32).root))
    pairs = dataset.split("test")
    runs = []
    for index, name in enumerate(names):
        folder = tmp_path / f"run{index}"
        values = np.arange(8.0) * (1 - 2 * (index % 2)) + 20 + index // 2
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


def test_at_200_percent_no_verdict_is_hidden(open_page, page_file):
    page = open_page(page_file)
    page.set_viewport_size({"width": 640, "height": 450})
    for region in page.locator("#differences .scroll:visible").all():
        assert region.evaluate("each => each.scrollWidth <= each.clientWidth")
    assert page.get_by_role("columnheader", name="verdict").count() > 0, "still a table to readers"


def test_paper_shows_what_is_folded_and_nothing_to_click(open_page, page_file):
    page = open_page(page_file)
    folded = page.locator("details:not([open])").count()
    assert folded
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert "click" not in page.locator("main").inner_text()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == folded


def test_a_pair_that_differs_most_opens_in_its_order(open_page, page_file):
    page = open_page(page_file)
    page.locator("#extremes .gallery a").first.click()
    assert page.locator("#viewer-title").inner_text().startswith("00007")
    assert "8 of 8" in page.locator("#viewer-where").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#viewer-title").inner_text().startswith("00006")


HOSTILE = [
    "<script>alert(1)</script>",
    "\"q'&amp;",
    "new\nline",
    "rtl\u202egnp",
    "x" * 180,
    "a=b&c#%20?",
]


def test_hostile_ids_are_text_and_lead_to_their_pair(open_page, tmp_path):
    runs = []
    for name, values in {
        "a<b>": np.arange(6.0),
        "undefined\u200b": [1, 2, np.nan, 9, 1, 1],
    }.items():
        scores = factories.pair_scores({"psnr": np.asarray(values)}, ["0"] * 5 + ["3+"])
        scores["id"] = HOSTILE
        folder = tmp_path / str(len(runs))
        write_result(folder / "result.json", factories.result(scores.fillna(0), name))
        (folder / "scores.csv").write_text(pair_scores_csv(scores))
        runs.append(folder)
    methods = read_methods(runs)
    file = write_comparison_page(tmp_path / "page", methods, compare(methods), None)
    page = open_page(file, size="phone")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    shown = [each.replace("\n", r"\x0a").replace("\u202e", r"\u202e") for each in HOSTILE]
    assert page.locator("#explorer-grid .card-id").all_text_contents() == shown
    links = page.locator("#extremes .gallery a")
    assert links.count() == 5, "one pair has no value on one side"
    for link in links.all():
        wanted = link.locator("figcaption").inner_text()
        link.click()
        title = page.locator("#viewer-title").inner_text()
        assert title in shown
        assert wanted.startswith(title)
        page.keyboard.press("Escape")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_six_methods_of_long_names_fit_the_screen(open_page, serious_faults, drawn, tmp_path, size):
    names = [f"a-method-of-a-rather-long-name-{letter}" for letter in "abcdef"]
    page = open_page(_write(drawn, tmp_path, tuple(names)), "#pair=00003_test_3%2B", size=size)
    page.locator("#viewer[open] svg").first.wait_for()
    verdicts = page.locator("#differences .scroll").first
    assert verdicts.evaluate("each => each.scrollWidth <= each.clientWidth"), "no verdict is hidden"
    scores = page.locator("#viewer-scores .scroll")
    assert scores.evaluate("each => each.scrollWidth <= each.clientWidth")
    assert page.locator("#viewer").evaluate("each => each.scrollWidth - innerWidth") <= 0
    rows = page.locator(".viewer-table tbody").first.locator("tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["PSNR ↑", *names]
    assert page.locator(".chips-row").count() == 3, "the pair's own, predictions, differences"
    page.get_by_role("button", name=f"{names[5]}: difference", exact=True).click()
    assert page.locator("#viewer-panes svg").count() == 9
    if size == "desktop":
        assert serious_faults(page) == []
