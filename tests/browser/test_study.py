"""A study in Chromium: answered by a scripted reader who clicks, saved, and opened with the key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import stained
from scripted_reader import drawn_key, file_of, shifted

from i2ibench.data.images import write_png
from i2ibench.studies.draw import Design
from i2ibench.studies.key import Key, Preference, Rating, study_id, write_key
from i2ibench.studies.report import import_study
from i2ibench.studies.study_page import IMAGES, write_study_page

pytestmark = pytest.mark.browser

RANK = {None: 2, "good": 1, "poor": 0}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    """A study of two methods whose images are blobs, and its key."""
    folder = tmp_path_factory.mktemp("study")
    key = drawn_key(("poor", "good"), Design(images=2, comparisons=1, repeats=0.2))
    image = stained(np.random.default_rng(0), 0.4, 64)
    for name, item in key.items.items():
        for side in ("-source", "-left", "-right") if isinstance(item, Preference) else ("",):
            write_png(folder / "page" / IMAGES / f"{name}{side}.png", image)
    blocks: dict[str, list[list[str]]] = {"ratings": [[], [], []], "preferences": [[], [], []]}
    for name, item in key.items.items():
        kind = "ratings" if isinstance(item, Rating) else "preferences"
        blocks[kind][2 if item.repeats else 0].append(name)
    page = {"level_name": "HER2", "levels": list(key.levels), **blocks}
    key = key.model_copy(update={"page": page, "study": study_id(page, {})})
    write_key(folder / "key.json", key)
    return write_study_page(folder / "page", key.study, page), key


def _begin(page: Any, code: str) -> None:
    page.fill("#reader", code)
    page.click("#go")
    page.wait_for_selector("#task:not([hidden])")


def _shown(page: Any) -> str:
    """Return the name of the item that is asked."""
    source = page.locator("#pictures img").first.get_attribute("src")
    return str(source).removeprefix("images/").removesuffix(".png").partition("-")[0]


def _answer(page: Any, key: Key) -> None:
    """Click what a reader says who reads ``poor`` one level too low and takes ``good`` for real."""
    item = key.items[_shown(page)]
    if isinstance(item, Rating):
        level = shifted(key.pairs[item.pair].group or "", -1 if item.maker == "poor" else 0)
        page.click(f"label:has(input[name=level][value='{level}'])")
        said = "no" if item.maker == "poor" else "yes"
        page.click(f"label:has(input[name=real][value='{said}'])")
    else:
        choice = "left" if RANK[item.left] > RANK[item.right] else "right"
        page.click(f"label:has(input[name=choice][value='{choice}'])")
    page.click("#next")


def _saved(page: Any, button: str, folder: Path) -> Path:
    with page.expect_download() as found:
        page.click(button)
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def test_what_a_reader_clicks_comes_out(
    study: tuple[Path, Key], open_page: Callable[..., Any], tmp_path: Path
) -> None:
    file, key = study
    page = open_page(file)
    _begin(page, "R1")
    for _ in key.items:
        _answer(page, key)
    path = _saved(page, "#save", tmp_path)
    assert path.name == f"answers-{key.study[:8]}-R1.json"
    report = import_study(file.parents[1] / "key.json", path)
    assert report.readers[0].complete and report.readers[0].answered == len(key.items)
    by_maker = {each.name: each for each in report.readings["maker"]}
    assert by_maker["real images"].accuracy.value == by_maker["good"].accuracy.value == 1
    assert by_maker["good"].kappa.value == 1
    # Two images of each of four levels, of which 0 cannot be read lower.
    assert by_maker["poor"].accuracy.value == 2 / 8
    assert by_maker["poor"].shift.value == -6 / 8
    real = {each.name: each for each in report.real_by_maker}
    assert real["good"].generated_called_real.value == 1
    assert real["poor"].generated_called_real.value == 0
    assert report.real_by_reader[0].balanced_accuracy == 0.75
    place = {maker: number for number, maker in enumerate(report.strengths.makers)}
    wins = report.strengths.wins
    assert wins[place["real images"]][place["good"]] == 4
    assert wins[place["good"]][place["poor"]] == 4
    assert wins[place["poor"]] == (0, 0, 0)
    assert report.within[0].same_choice.value == 1 and report.within[0].same_level.value == 1


def test_answers_outlive_a_reload_and_travel_as_a_part(
    study: tuple[Path, Key], open_page: Callable[..., Any], tmp_path: Path
) -> None:
    file, key = study
    page = open_page(file)
    _begin(page, "R2")
    for _ in range(5):
        _answer(page, key)
    page.reload()
    assert page.input_value("#reader") == "R2"
    page.click("#go")
    assert page.text_content("#task-title").startswith("6 of")
    # Back shows what was said; an answer can be changed.
    page.click("#back")
    assert page.locator("#form input:checked").count() == 2
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    path = _saved(page, "#task .save", tmp_path)
    assert "part" in path.name
    content = json.loads(path.read_text())
    assert len(content["answers"]) == 5 and not content["complete"]
    assert [each["level"] for each in content["answers"].values()].count(None) == 1

    elsewhere = open_page(file)  # a browser that knows nothing of it
    elsewhere.locator("summary").click()
    elsewhere.set_input_files("#load", path)
    elsewhere.wait_for_selector("#task:not([hidden])")
    assert elsewhere.text_content("#task-title").startswith("6 of")
    assert _shown(elsewhere) == _shown(page)


def test_files_that_do_not_fit_are_told_and_change_nothing(
    study: tuple[Path, Key], open_page: Callable[..., Any], tmp_path: Path
) -> None:
    file, key = study
    page = open_page(file)
    page.locator("summary").click()
    rating = next(name for name, item in key.items.items() if isinstance(item, Rating))
    hostile = {"place": 0, "seconds": 1, "level": "<img src=x onerror=alert(1)>", "real": True}
    wrong = {
        "another study": file_of("0" * 64, "R3", {}),
        "no answers of this study": file_of(key.study, "R3", {rating: hostile}),
        "no answers": file_of(key.study, "<b>R3", {}),
    }
    for words, content in wrong.items():
        path = tmp_path / "file.json"
        path.write_text(json.dumps(content))
        page.set_input_files("#load", path)
        page.wait_for_function(
            "words => document.getElementById('problem').textContent.includes(words)", arg=words
        )
        assert page.locator("#start").is_visible()
        page.set_input_files("#load", [])


def test_readers_see_their_own_order_and_what_repeats_last(
    study: tuple[Path, Key], open_page: Callable[..., Any]
) -> None:
    file, key = study
    page = open_page(file)
    orders = []
    for code in ("R5", "R6", "R5"):
        page.reload()
        _begin(page, code)
        order = []
        for _ in range(6):
            order.append(_shown(page))
            for letter in "rnx":  # keys alone answer every question
                page.keyboard.press(letter)
            page.keyboard.press("Enter")
        orders.append(order)
    assert orders[0] != orders[1]
    # Who comes back goes on behind what is answered.
    assert not set(orders[0]) & set(orders[2])
    assert len({*orders[0], *orders[2]}) == 12
    assert not any(key.items[name].repeats for name in orders[0])


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_step_fits_and_a_screen_reader_can_follow(
    study: tuple[Path, Key],
    open_page: Callable[..., Any],
    serious_faults: Callable[[Any], list[str]],
    size: str,
) -> None:
    file, key = study
    page = open_page(file, size=size, color_scheme="dark" if size == "phone" else "light")
    assert serious_faults(page) == []
    _begin(page, "R7")
    seen = set()
    for _ in key.items:
        kind = key.items[_shown(page)].kind
        if kind not in seen:
            seen.add(kind)
            assert serious_faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.locator(".zoom").first.click()
            assert page.locator("figure.shown").count() == 1
            page.locator("figure.shown .zoom").click()
        for letter in "rnx":
            page.keyboard.press(letter)
        page.keyboard.press("Enter")
    assert seen == {"rating", "preference"}
    assert serious_faults(page) == []


def test_a_data_set_without_levels_asks_for_none(
    study: tuple[Path, Key], open_page: Callable[..., Any], tmp_path: Path
) -> None:
    file, key = study
    shutil.copytree(file.parent / IMAGES, tmp_path / "page" / IMAGES)
    ratings = [name for name, item in key.items.items() if isinstance(item, Rating)][:3]
    items = {name: key.items[name].model_copy(update={"repeats": None}) for name in ratings}
    facts = {name: each.model_copy(update={"group": None}) for name, each in key.pairs.items()}
    page = {"level_name": None, "levels": [], "ratings": [ratings], "preferences": []}
    plain = key.model_copy(
        update={
            "levels": (),
            "page": page,
            "study": study_id(page, {}),
            "items": items,
            "pairs": facts,
        }
    )
    write_key(tmp_path / "key.json", plain)
    opened = open_page(write_study_page(tmp_path / "page", plain.study, page))
    assert "level" not in str(opened.text_content("#start"))
    _begin(opened, "R8")
    for _ in ratings:
        opened.keyboard.press("g")
        opened.keyboard.press("Enter")
    report = import_study(tmp_path / "key.json", _saved(opened, "#save", tmp_path))
    assert report.readings == {} and report.ceilings == () and report.level_name is None
    assert report.real_by_reader[0].generated_called_real.value in (0, None)
    titles = [title for title, _, _ in report.tables()]
    assert not [title for title in titles if "level" in title]
