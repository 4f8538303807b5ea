"""The page of a comparison: what is proven, on which pairs, with all methods side by side."""

from __future__ import annotations

import re
from pathlib import Path

import factories
import numpy as np
import pandas as pd
import pytest

from i2ibench.comparison.compare import compare
from i2ibench.comparison.methods import read_methods
from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.errors import DataError, UsageError
from i2ibench.results.pair_scores import pair_scores_csv, read_pair_scores
from i2ibench.results.record_files import write_result
from i2ibench.web.comparison_page import write_comparison_page

SHIFTS = {"good": 2.0, "twin": 1.99, "bad": -2.0}


@pytest.fixture
def dataset(drawn) -> Dataset:
    return Dataset.open(str(drawn.draw("test", 24, size=24).root))


@pytest.fixture
def runs(dataset: Dataset, tmp_path: Path) -> list[Path]:
    """Runs of three methods, two of them nearly equal, with their predictions."""
    pairs = dataset.split("test")
    made = []
    base = np.random.default_rng(0).normal(20, 1, len(pairs))
    for index, (name, shift) in enumerate(SHIFTS.items()):
        folder = tmp_path / "runs" / name
        noise = np.random.default_rng(index).normal(0, 0.01, len(pairs))
        scores = factories.pair_scores({"psnr": base + shift + noise}, [p.group for p in pairs])
        scores["id"] = [pair.id for pair in pairs]
        write_result(folder / "result.json", factories.result(scores, name))
        (folder / "scores.csv").write_text(pair_scores_csv(scores))
        for pair in pairs:
            write_png(folder / f"predictions/{pair.id}.png", read_image(pair.target) // (index + 1))
        made.append(folder)
    return made


def _page(folder: Path, runs: list[Path], dataset: Dataset | None, **more) -> str:
    methods = read_methods(runs)
    comparison = compare(methods, margins={"psnr": 0.1})
    return write_comparison_page(folder, methods, comparison, dataset, **more).read_text("utf-8")


def test_the_verdict_names_who_is_better_and_who_is_equal(runs, dataset, tmp_path) -> None:
    verdict = _page(tmp_path / "page", runs, dataset).split('id="methods"')[0]
    listed = re.findall(r"<li><strong>(\w+)</strong>(.*?)</li>", verdict)
    assert [name for name, _ in listed] == ["good", "twin", "bad"]
    assert "surely better than bad" in listed[1][1]
    assert "equal to good (within 0.1)" in listed[1][1]
    assert "surely better than none" in listed[2][1]


def test_every_two_methods_have_a_bar_over_all_pairs_and_on_each_level(
    runs, dataset, tmp_path
) -> None:
    page = _page(tmp_path / "page", runs, dataset)
    bars = page.split('id="differences"')[1].split('id="extremes"')[0]
    assert bars.count("bar-chart") == 3 * (1 + 4)
    assert bars.count('class="margin"') == 3 * (1 + 4)
    assert 'class="equal"' in bars
    assert 'class="sure"' in bars


def test_a_sheet_holds_all_methods(runs, dataset, tmp_path) -> None:
    page = _page(tmp_path / "page", runs, dataset)
    for name in SHIFTS:
        assert f'"name":"{name}: prediction"' in page
    sheets = list((tmp_path / "page").rglob("*-sheet.jpg"))
    assert len(sheets) == 24
    assert "pair=" in page.split('id="extremes"')[1]


def test_without_images_the_page_has_the_scores_and_says_so(runs, tmp_path) -> None:
    page = _page(tmp_path / "page", runs, None)
    assert "the images are not at hand" in page
    assert '"psnr"' in page
    assert not list((tmp_path / "page").rglob("*.jpg"))


def test_other_pairs_than_those_compared_are_refused(runs, tmp_path, drawn) -> None:
    other = type(drawn)(tmp_path / "other").draw("test", 8, size=24)
    with pytest.raises(DataError, match="--dataset"):
        _page(tmp_path / "page", runs, Dataset.open(str(other.root)))


def test_more_methods_than_a_page_tells_apart_are_refused(runs, tmp_path) -> None:
    methods = read_methods(runs)
    comparison = compare(methods)
    with pytest.raises(UsageError, match="2 to 6"):
        write_comparison_page(tmp_path / "page", methods * 3, comparison, None)


def test_of_two_methods_each_level_is_a_row_and_few_pairs_decide_nothing(
    runs, dataset, tmp_path
) -> None:
    page = _page(tmp_path / "page", runs[::2], dataset)  # good and bad: 4 apart on every pair
    section = page.split('id="differences"')[1].split('id="extremes"')[0]
    assert section.count("<table") == 2
    rows = re.findall(r'<th scope="row"[^>]*>(.*?)<small>(\d+) pairs', section)
    assert rows == [("good − bad", "24"), ("0", "6"), ("1+", "6"), ("2+", "6"), ("3+", "6")]
    assert section.count("too few pairs to say: 6, and 16 are needed") == 4
    assert "cannot be told apart" not in section
    assert section.count("good is better") == 1


def test_a_pair_stands_once_among_those_that_differ_most(runs, dataset, tmp_path) -> None:
    page = _page(tmp_path / "page", runs, dataset)
    section = page.split('id="extremes"')[1].split('id="pairs"')[0]
    shown = re.findall(r'href="#pair=([^&]*)&', section)
    assert len(shown) == len(set(shown)) > 2


def test_notes_speak_of_no_column_of_other_tables(runs, dataset, tmp_path) -> None:
    page = _page(tmp_path / "page", runs, dataset)
    verdict = page.split('id="verdict"')[1].split('id="methods"')[0]
    assert "Intervals and tests are over seeds" in verdict
    assert "P(a)" not in verdict


def test_each_mean_is_the_methods_own_and_says_over_how_many_pairs(runs, tmp_path) -> None:
    scores = pair_scores_csv(_gaps(runs[1], 10))
    (runs[1] / "scores.csv").write_text(scores)
    methods = read_methods(runs)
    page = _page(tmp_path / "page", runs, None)
    table = page.split('aria-label="Mean scores"')[1].split("</table>")[0]
    cells = re.findall(r'data-value="([\d.]+)"[^>]*>[^<]*<small>(\d+) pairs', table)
    assert [int(pairs) for _, pairs in cells] == [24, 14, 24]
    for method, (mean, _) in zip(methods, cells, strict=True):
        assert float(mean) == pytest.approx(np.nanmean(method.scores["psnr"]))


def test_nothing_is_best_where_all_are_equal(runs, tmp_path) -> None:
    for run in runs[1:]:
        (run / "scores.csv").write_text((runs[0] / "scores.csv").read_text())
    page = _page(tmp_path / "page", runs, None)
    assert 'class="best"' not in page
    assert "do not differ on any pair" in page


def _gaps(run: Path, count: int) -> pd.DataFrame:
    scores = read_pair_scores(run / "scores.csv")
    scores.loc[: count - 1, "psnr"] = np.nan
    return scores
