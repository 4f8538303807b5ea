"""The site of boards in a real browser: filters, columns, sorting, ticks; each state an address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn_boards import draw_boards, draw_entry

from i2ibench.web.site import build_site

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)>\"'&"

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn board with a method whose authors say hostile things of it."""
    folder = draw_boards(tmp_path_factory.mktemp("boards"))
    said = {"title": HOSTILE, "saw_test_targets": False, "family": HOSTILE}
    draw_entry(folder, "given", 0.5, record={"method": said, "predictions": "external"})
    return build_site(folder, tmp_path_factory.mktemp("site")).index.parent


def _methods(page: Any) -> list[str]:
    """The methods of the table that is seen, in the order that is seen."""
    rows = page.locator(".track:visible .set:visible table.measured tbody tr:visible")
    return rows.evaluate_all("rows => rows.map(row => row.dataset.method)")


def _columns(page: Any) -> list[str]:
    heads = page.locator(".set:visible table.measured thead th:visible")
    return heads.evaluate_all("heads => heads.map(head => head.dataset.title || 'method')")


def _hash(page: Any) -> str:
    return page.evaluate("location.hash")


def test_filters_are_an_address_that_survives_a_reload(site: Path, open_page: Open) -> None:
    page = open_page(site / "boards" / "drawn.html")
    everything = _methods(page)
    assert {"pix2pix", "copy", "single", "given", "oracle"} <= set(everything)
    page.select_option("select[name=made]", "trained")
    page.fill("input[name=q]", "p")
    page.select_option("select[name=set]", "3+")
    page.select_option("select[name=columns]", "every")
    assert set(_methods(page)) == {"pix2pix", "pyramid"}
    assert "DAB-TPR" in _columns(page)
    state = _hash(page)
    page.reload()
    assert _hash(page) == state
    assert set(_methods(page)) == {"pix2pix", "pyramid"}
    assert page.locator("h4:visible").inner_text().startswith("HER2 3+")
    assert page.input_value("input[name=q]") == "p"
    page.click("button.reset")
    assert _hash(page) == ""
    assert _methods(page) == everything


def test_a_state_is_opened_by_its_address_alone(site: Path, open_page: Open) -> None:
    page = open_page(site / "boards" / "drawn.html", "#family=conditional+GAN&columns=ranked")
    assert set(_methods(page)) == {"pix2pix", "pyramid"}
    assert page.input_value("select[name=columns]") == "ranked"
    assert "2 of" in page.locator(".shown").inner_text()


def test_the_status_parts_measured_from_reported(site: Path, open_page: Open) -> None:
    page = open_page(site / "boards" / "drawn.html", "#status=reported")
    assert _methods(page) == []
    assert page.locator("#reported tbody tr:visible").count() == 2
    page.select_option("select[name=status]", "measured")
    assert page.locator("#reported tbody tr:visible").count() == 0
    assert len(_methods(page)) == 7


def test_a_header_sorts_to_the_best_then_the_worst_then_back(site: Path, open_page: Open) -> None:
    page = open_page(site / "boards" / "drawn.html")
    asked, head = _methods(page), page.locator(".set:visible th[data-key=psnr] button")
    head.click()
    best = _methods(page)
    assert best[0] == "oracle"
    head.click()
    assert _methods(page) == best[::-1]
    page.reload()
    assert _methods(page) == best[::-1]
    page.locator(".set:visible th[data-key=psnr] button").click()
    assert _methods(page) == asked


def test_ticked_methods_stand_side_by_side_with_what_the_tests_say(
    site: Path, open_page: Open
) -> None:
    page = open_page(site / "boards" / "drawn.html")
    compared = page.locator("table.compared")
    assert not compared.is_visible()
    for name in ("pix2pix", "copy"):
        page.check(f".set:visible input[aria-label='compare {name}']")
    heads = compared.locator("thead th").all_inner_texts()
    assert heads[1:3] == ["pix2pix", "copy"]
    assert "pix2pix surely before copy" in compared.inner_text()
    page.reload()
    assert "pix2pix surely before copy" in page.locator("table.compared").inner_text()
    page.go_back()
    assert not page.locator("table.compared").is_visible()


def test_ranks_are_drawn_and_lead_to_the_method(site: Path, open_page: Open) -> None:
    page = open_page(site / "boards" / "drawn.html")
    plots = page.locator(".set:visible svg.ranks")
    assert plots.count() >= 1
    assert plots.first.locator("circle").count() == 4, "methods alone rank"
    plots.first.locator("a", has_text="copy").first.click()
    page.wait_for_url("**/methods/copy.html")
    assert page.locator("h1").inner_text() == "copy"


def test_the_index_lists_every_method_of_every_board(site: Path, open_page: Open) -> None:
    page = open_page(site / "index.html", "#status=reported", size="phone")
    rows = page.locator("table.filtered tbody tr:visible")
    assert rows.count() == 2
    page.fill("input[name=q]", "theirs")
    assert rows.count() == 1
    assert "q=theirs" in _hash(page)


def test_a_hostile_text_is_text(site: Path, open_page: Open) -> None:
    page = open_page(site / "boards" / "drawn.html")
    page.select_option("select[name=family]", HOSTILE)
    assert _methods(page) == ["given"]
    assert page.locator("img").count() == 0
    page = open_page(site / "methods" / "given.html")
    assert HOSTILE in page.locator("main").inner_text()
    assert page.locator("img").count() == 0


def test_without_scripts_every_table_is_read(site: Path, open_page: Open) -> None:
    page = open_page(site / "boards" / "drawn.html", java_script_enabled=False)
    assert page.locator("table.measured:visible").count() == 6, "all pairs, mean, four levels"
    assert not page.locator(".filters").is_visible()
    assert page.locator("th:has-text('PSNR')").first.is_visible()


@pytest.mark.parametrize(
    ("size", "scheme", "names"),
    [
        ("desktop", "light", ["boards/drawn", "index", "methods/pix2pix", "guide"]),
        ("desktop", "dark", ["boards/drawn"]),
        ("phone", "light", ["boards/drawn", "methods/pix2pix"]),
        ("phone", "dark", ["index"]),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_overflows(
    site: Path,
    open_page: Open,
    serious_faults: Callable[[Any], list[str]],
    size: str,
    scheme: str,
    names: list[str],
) -> None:
    for name in names:
        page = open_page(site / f"{name}.html", "#pick=0,1", size, color_scheme=scheme)
        assert serious_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_address_of_what_the_board_has_not_shows_the_board(site: Path, open_page: Open) -> None:
    everything = _methods(open_page(site / "boards" / "drawn.html"))
    nonsense = "#track=gone&set=gone&columns=gone&made=gone&sort=gone&pick=99,x"
    page = open_page(site / "boards" / "drawn.html", nonsense)
    assert _methods(page) == everything
    for name in ("set", "columns", "made"):
        chosen = page.locator(f"select[name={name}]").evaluate("each => each.selectedIndex")
        assert chosen == 0, name


def test_what_decides_is_seen_without_scrolling(site: Path, open_page: Open) -> None:
    page = open_page(site / "index.html")
    page.set_viewport_size({"width": 1280, "height": 900})
    region = page.locator(".scroll.tall").bounding_box()
    decides = page.locator("table.filtered thead th", has_text="decides").bounding_box()
    assert decides["x"] + decides["width"] <= region["x"] + region["width"]
