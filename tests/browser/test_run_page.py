"""A run's page in Chromium: filters, addresses, viewer, slider, keys, colours, a thousand pairs."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import factories
import numpy as np
import pytest

from i2ibench.data.images import write_png
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.web.run_page import write_run_page

pytestmark = pytest.mark.browser

LEVELS = ("0", "1+", "2+", "3+")
HOSTILE = "a&b=<img src=x onerror=alert(1)>\"'#%20;c"


def _write(folder: Path, count: int, **more: Any) -> Path:
    """Write the page of ``count`` pairs that share their images; the first id is hostile."""
    draw = np.random.default_rng(0)
    source, target = folder / "source.png", folder / "target.png"
    write_png(source, factories.stained(draw, 0.1, 64))
    write_png(target, factories.stained(draw, 0.5, 64))
    ids = [HOSTILE, *(f"pair {index:04d}" for index in range(1, count))]
    groups = [LEVELS[index % 4] for index in range(count)]
    pairs = tuple(
        ImagePair(each, ImageRef(source), ImageRef(target), group, f"slide {index % 5}")
        for index, (each, group) in enumerate(zip(ids, groups, strict=True))
    )
    dataset = PairedDataset("drawn", "test", pairs, group_name="HER2", group_order=LEVELS)
    scores = factories.pair_scores(
        {"psnr": np.linspace(30, 10, count), "ssim": draw.random(count), "dab-dice": 0.5},
        groups,
        [pair.cluster for pair in pairs],
    )
    if count > 4:
        scores.loc[0, "psnr"] = np.inf
    scores["id"] = ids
    result = factories.result(scores, "pyramid", run_id="abc")
    prediction = folder / "run/predictions/p.png"
    write_png(prediction, factories.stained(draw, 0.3, 64))
    predictions = dict.fromkeys(ids, prediction)
    return write_run_page(folder / "run/report", result, dataset, predictions, scores, **more)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("page"), 24)


def _ids(page: Any) -> list[str]:
    return page.locator("#explorer-grid .card-id").all_text_contents()


def _control(page: Any, name: str) -> Any:
    return page.locator(f"#explorer-controls [name={name}]")


def _shown(page: Any) -> str:
    return page.locator("#viewer-title").inner_text()


@pytest.mark.parametrize(("size", "colours"), [("desktop", "light"), ("phone", "dark")])
def test_nothing_serious_is_found_by_axe(open_page, serious_faults, page_file, size, colours):
    page = open_page(page_file, size=size, color_scheme=colours)
    assert serious_faults(page) == []
    page.locator("#explorer-grid a").nth(2).click()
    page.locator("#viewer[open] svg").first.wait_for()
    assert serious_faults(page) == []


def test_filters_leave_the_pairs_that_they_name(open_page, page_file):
    page = open_page(page_file)
    assert len(_ids(page)) == 24
    _control(page, "group").select_option("2+")
    assert _ids(page) == [f"pair {index:04d}" for index in range(2, 24, 4)]
    _control(page, "cluster").fill("slide 2")
    assert _ids(page) == ["pair 0002", "pair 0022"]
    page.get_by_role("button", name="Clear").click()
    _control(page, "id").fill("001")
    assert _ids(page) == ["pair 0001", *(f"pair {index:04d}" for index in range(10, 20))]
    assert "11 of 24 pairs" in page.locator("#explorer-count").inner_text()


def test_the_worst_stand_first_and_an_interval_of_scores_is_a_filter(open_page, page_file):
    page = open_page(page_file)
    _control(page, "sort").select_option("psnr")
    assert _ids(page)[0] == "pair 0023"
    assert _ids(page)[-1] == HOSTILE, "of infinite PSNR"
    _control(page, "order").select_option("best")
    assert _ids(page)[:2] == [HOSTILE, "pair 0001"]
    _control(page, "min").fill("20")
    _control(page, "max").fill("22")
    wanted = np.linspace(30, 10, 24)
    kept = [index for index in range(1, 24) if 20 <= wanted[index] <= 22]
    assert _ids(page) == [f"pair {index:04d}" for index in kept]


def test_every_state_is_an_address_that_survives_a_reload(open_page, page_file):
    page = open_page(page_file)
    _control(page, "sort").select_option("ssim")
    _control(page, "group").select_option("3+")
    page.locator("#explorer-grid a").nth(1).click()
    page.get_by_role("button", name="target DAB").click()
    page.get_by_role("button", name="Zoom in").click()
    page.keyboard.press("Shift+ArrowRight")
    boxes = page.locator("#viewer-panes svg")
    before = [_shown(page), boxes.count(), boxes.first.get_attribute("viewBox"), _ids(page)]
    page.reload()
    boxes.first.wait_for()
    assert before == [_shown(page), boxes.count(), boxes.first.get_attribute("viewBox"), _ids(page)]
    page.get_by_role("button", name="Close").click()
    assert "pair=" not in page.url
    assert "group=3" in page.url
    page.go_back()
    page.locator("#viewer[open]").wait_for(state="detached")


def test_keys_lead_through_the_pairs_that_are_shown(open_page, page_file):
    page = open_page(page_file, "#group=1%2B&pair=pair%200005")
    assert _shown(page) == "pair 0005"
    page.keyboard.press("ArrowRight")
    assert _shown(page) == "pair 0009"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert _shown(page) == "pair 0001"
    assert page.get_by_role("button", name="Previous").is_disabled()
    page.keyboard.press("Escape")
    assert not page.locator("#viewer[open]").count()


def test_one_zoom_moves_all_views(open_page, page_file):
    page = open_page(page_file, "#pair=pair%200003")
    views = page.locator("#viewer-panes svg")

    def parts() -> set[tuple[float, ...]]:
        found = set()
        for view in views.all():
            x, y, width, height = map(float, view.get_attribute("viewBox").split())
            # Views of 64 px begin every 80 px, at 4.
            within = ((x - 4) % 80, (y - 4) % 80, width, height)
            found.add(tuple(round(each, 2) for each in within))
        return found

    assert parts() == {(0, 0, 64, 64)}
    views.first.hover(position={"x": 40, "y": 40})
    page.mouse.wheel(0, -300)
    [(x, y, width, height)] = parts()
    assert width == height < 64
    page.mouse.down()
    page.mouse.move(0, 0)
    page.mouse.up()
    [moved] = parts()
    assert moved[:2] > (x, y)
    page.keyboard.press("0")
    assert parts() == {(0, 0, 64, 64)}


def test_a_slider_stands_between_any_two_views(open_page, page_file):
    page = open_page(page_file, "#pair=pair%200003")
    page.keyboard.press("s")
    page.get_by_label("View on the right").select_option("o0")
    page.get_by_label("Slider between both views").fill("25")
    assert page.locator(".slide-top").evaluate("each => each.style.clipPath").endswith("25%)")
    assert "slide=t%2Co0&at=25" in page.url
    assert page.locator(".slide svg").count() == 2
    page.reload()
    assert page.get_by_label("Slider between both views").input_value() == "25"


def test_a_dot_of_a_chart_opens_its_pair(open_page, page_file):
    page = open_page(page_file)
    chart = page.locator('svg.strips[data-metric="psnr"]')
    chart.scroll_into_view_if_needed()
    path = chart.locator("path.dots").nth(1)  # of 1+
    number = int(path.get_attribute("data-pairs").split(",")[2])
    x, y = map(float, path.get_attribute("d").split("M")[3].removesuffix("h0").split())
    box = chart.bounding_box()
    scale = box["width"] / 360
    page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)
    assert page.locator(".dot-said", has_text=f"pair {number:04d}").is_visible()
    page.mouse.down()
    page.mouse.up()
    assert _shown(page) == f"pair {number:04d}"


def test_a_score_stands_in_its_distribution(open_page, page_file):
    page = open_page(page_file, "#pair=pair%200001")
    row = page.locator(".viewer-table tr", has_text="PSNR")
    assert "better than 96 %" in row.inner_text()
    assert row.locator("svg rect").count() == 24
    assert (
        "equal on all pairs" in page.locator(".viewer-table tr", has_text="DAB-Dice").inner_text()
    )


def test_originals_are_loaded_on_demand(open_page, page_file):
    page = open_page(page_file, "#pair=pair%200001")
    image = page.locator('#viewer-panes svg[aria-label^="prediction of"] image')
    assert image.get_attribute("href").endswith("sheet.jpg")
    page.get_by_label("original files").check()
    assert image.get_attribute("href") == "../predictions/p.png"


def test_a_hostile_id_is_text(open_page, page_file):
    page = open_page(page_file, f"#pair={urllib.parse.quote(HOSTILE, safe='')}")
    assert _shown(page) == HOSTILE
    assert page.locator("img[src=x]").count() == 0
    page.reload()
    assert _shown(page) == HOSTILE


def test_the_theme_is_the_systems_until_one_is_chosen(open_page, page_file):
    page = open_page(page_file, color_scheme="dark")

    def paper() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    dark = paper()
    assert max(map(int, dark[4:-1].split(","))) < 60
    page.get_by_role("button", name="Light colours").click()
    assert min(map(int, paper()[4:-1].split(","))) > 200
    page.reload()
    assert paper() != dark


def test_the_page_reads_without_scripts(open_page, page_file):
    page = open_page(page_file, java_script_enabled=False)
    assert page.get_by_role("table").count() >= 2
    assert page.locator("svg.strips").count() == 3
    assert page.locator(".gallery img").count() > 4
    assert "need scripts" in page.locator(".no-scripts").inner_text()
    assert not page.locator("#explorer-controls").is_visible()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_nothing_is_wider_than_the_screen(open_page, page_file, size):
    page = open_page(page_file, size=size)
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
    page.locator("#explorer-grid a").nth(2).click()
    assert page.locator("#viewer").evaluate("each => each.scrollWidth - innerWidth") <= 0


def test_a_thousand_pairs_are_filtered_and_opened(open_page, tmp_path):
    page = open_page(_write(tmp_path, 1000))
    assert len(_ids(page)) == 1000
    loaded = page.evaluate("[...document.images].filter(each => each.complete).length")
    assert loaded < 400, "what is not looked at is not loaded"
    _control(page, "sort").select_option("psnr")
    assert _ids(page)[0] == "pair 0999"
    _control(page, "group").select_option("1+")
    assert len(_ids(page)) == 250
    page.locator("#explorer-grid a").first.click()
    assert _shown(page) == "pair 0997"


def test_a_page_without_pictures_says_so_in_the_viewer(open_page, tmp_path):
    page = open_page(_write(tmp_path, 4, with_pictures=False), "#pair=pair%200001")
    assert "no pictures" in page.locator("#viewer-panes").inner_text()
    assert page.locator(".viewer-table tr").count() == 4


def test_an_address_edited_by_hand_breaks_nothing(open_page, page_file):
    nonsense = "#sort=nope&of=0-9&order=nope&group=nope&min=abc&max=1e999"
    page = open_page(page_file, nonsense)
    for name in ("sort", "order"):
        assert _control(page, name).input_value() == "", name
    assert _control(page, "min").input_value() == ""
    page.get_by_role("button", name="Clear").click()
    assert len(_ids(page)) == 24
    # The fixture fails where the console complains of any of it.
    page = open_page(page_file, "#pair=pair%200001&views=zz&slide=a&zoom=-5&x=abc&y=9&at=1e999")
    assert _shown(page) == "pair 0001"


def test_a_range_is_asked_for_only_of_a_score(open_page, page_file):
    page = open_page(page_file)
    assert _control(page, "min").is_disabled()
    assert _control(page, "max").is_disabled()
    _control(page, "sort").select_option("psnr")
    assert _control(page, "min").is_enabled()


def test_keys_work_from_the_first_pair_to_the_last_and_after_views_were_redrawn(
    open_page, page_file
):
    page = open_page(page_file)
    page.locator("#explorer-grid a").first.focus()
    page.keyboard.press("Enter")
    inside = "document.getElementById('viewer').contains(document.activeElement)"
    assert page.evaluate(inside), "Previous is disabled, and had the focus"
    page.keyboard.press("ArrowRight")
    assert _shown(page) == "pair 0001"
    page.locator("#viewer-views button").first.focus()
    for key in ("ArrowRight", "s"):
        page.keyboard.press(key)
        assert page.evaluate(inside), key
    assert _shown(page) == "pair 0002"
    assert page.locator(".slide-at").is_visible()
    page.goto(page.url.split("#")[0] + "#pair=pair%200022")
    page.locator("#viewer-next").click()
    page.keyboard.press("ArrowLeft")
    assert _shown(page) == "pair 0022", "Next is disabled on the last pair"


def test_dots_are_reached_and_opened_by_keys_and_read_out(open_page, page_file):
    page = open_page(page_file)
    chart = page.locator('svg.strips[data-metric="psnr"]')
    chart.focus()

    def said() -> str:
        return str(chart.get_attribute("aria-valuetext"))

    # Of group 0 (pairs 0, 4, ... 20) the least PSNR is that of pair 20.
    assert said() == "pair 0020, HER2 0, PSNR 12.61 dB"
    page.keyboard.press("ArrowUp")
    assert said().startswith("pair 0016, HER2 0")
    assert page.locator(".dot-said", has_text="pair 0016").is_visible()
    page.keyboard.press("ArrowRight")
    assert ", HER2 1+," in said(), "of the next column, at about this height"
    page.keyboard.press("End")
    assert said().startswith("pair 0003, HER2 3+")
    page.keyboard.press("ArrowUp")
    assert said().startswith("pair 0003, HER2 3+"), "the highest of its column"
    assert chart.get_attribute("aria-valuenow") == chart.get_attribute("aria-valuemax") == "24"
    page.keyboard.press("Enter")
    assert _shown(page) == "pair 0003"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.metric") == "psnr", "where one was"
