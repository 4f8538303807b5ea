"""Pictures and the page of a run: complete, self-contained, safe whatever names data have."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import factories
import numpy as np
import pytest

from i2ibench.comparison.compare import compare
from i2ibench.comparison.methods import read_methods
from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.images import read_image, read_pair, write_png
from i2ibench.data.pairs import ImageRef, PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record_files import write_result
from i2ibench.web.charts import line_chart, strip_chart
from i2ibench.web.extremes import draw_extremes
from i2ibench.web.pictures import contact_sheet, fit
from i2ibench.web.run_page import write_page


@pytest.fixture
def pairs(drawn) -> PairedDataset:
    return open_dataset(str(drawn.draw("test", 12).root), "test")


@pytest.fixture
def predictions(pairs: PairedDataset, tmp_path: Path) -> dict[str, Path]:
    """Predictions that are the targets, darkened."""
    found = {}
    for pair in pairs:
        found[pair.id] = tmp_path / "predictions" / f"{pair.id}.png"
        write_png(found[pair.id], read_image(pair.target) // 2)
    return found


def _scores(pairs: PairedDataset, seed: int = 0):
    scores = factories.pair_scores(
        {"psnr": np.random.default_rng(seed).normal(20, 3, len(pairs))},
        [pair.group for pair in pairs],
    )
    scores["id"] = [pair.id for pair in pairs]
    return scores


class _Reader(HTMLParser):
    """Collects the tags, and whether they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def test_a_contact_sheet_shows_source_target_and_prediction(pairs, predictions, tmp_path) -> None:
    sheet = read_image(ImageRef(contact_sheet(pairs, predictions, tmp_path / "s.png", tile=32)))
    first = next(pair for pair in pairs if pair.group == "0")
    for image in (*read_pair(first), read_image(ImageRef(predictions[first.id]))):
        distance = cv2.matchTemplate(sheet, image, cv2.TM_SQDIFF)
        y, x = np.unravel_index(distance.argmin(), distance.shape)
        assert np.array_equal(sheet[y : y + 32, x : x + 32], image)


def test_a_contact_sheet_has_a_row_a_level(pairs, predictions, tmp_path) -> None:
    all_levels = read_image(ImageRef(contact_sheet(pairs, predictions, tmp_path / "a.png")))
    some = {i: path for i, path in predictions.items() if i.endswith(("_0", "_3+"))}
    two_levels = read_image(ImageRef(contact_sheet(pairs, some, tmp_path / "b.png")))
    assert all_levels.shape[0] > 1.7 * two_levels.shape[0]


def test_a_sheet_without_predictions_is_refused(pairs, tmp_path) -> None:
    with pytest.raises(DataError, match="no picture"):
        contact_sheet(pairs, {}, tmp_path / "s.png")
    assert not (tmp_path / "s.png").exists()


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3), (64, 64)])
def test_fit_keeps_the_aspect_ratio(shape: tuple[int, int]) -> None:
    fitted = fit(np.zeros((*shape, 3), np.uint8), 64)
    assert max(fitted.shape[:2]) == 64
    assert min(fitted.shape[:2]) == max(1, round(64 * min(shape) / max(shape)))


def test_the_page_is_whole_and_needs_nothing_from_outside(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    history = tmp_path / "training.csv"
    history.write_text("step,epoch,learning_rate,seconds,l1\n1,0,0.1,0.5,3.0\n2,0,0.1,1.0,2.0\n")
    result = factories.result(scores, "pyramid", run_id="abc")
    page = write_page(tmp_path / "p.html", result, pairs, predictions, scores, history).read_text()
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in {tag for tag, _ in reader.tags}
    images = [attrs["src"] for tag, attrs in reader.tags if tag == "img"]
    assert len(images) == 2 * 3 * 3, "three best and three worst pairs, three images each"
    assert all(address.startswith("data:image/jpeg;base64,") for address in images)
    assert not re.search(r"(href|src)=\"(?!data:)", page)
    worst = scores["id"][scores["psnr"].idxmin()]
    assert f"{worst}, HER2" in page.split("PSNR: worst")[1].split("</figcaption>")[0]
    assert "l1" in page.split("<h2>Training</h2>")[1]
    assert result.metrics["psnr"].signature in page
    assert f"{result.metrics['psnr'].value:.2f}" in page


def test_pairs_on_which_a_metric_is_undefined_are_neither_best_nor_worst(
    pairs, predictions, tmp_path
) -> None:
    scores = _scores(pairs)
    scores.loc[scores["group"].duplicated(), "psnr"] = np.nan
    result = factories.result(scores)
    page = write_page(tmp_path / "p.html", result, pairs, predictions, scores).read_text()
    ids = re.findall(r"<figcaption>(.+?),", page)
    assert len(ids) == 2 * 3
    assert set(ids) <= set(scores["id"][scores["psnr"].notna()])
    assert f"all ({scores['psnr'].notna().sum()})" in page


def test_names_with_markup_cannot_break_the_page(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    model = {"name": "<script>alert(1)</script>", "config": {}}
    result = factories.result(scores, model)
    page = write_page(tmp_path / "p.html", result, pairs, predictions, scores).read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in strip_chart("<script>", {"<b>": np.ones(3)}, {})


def test_a_page_without_training_has_no_curves(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    result = factories.result(scores)
    missing = tmp_path / "absent.csv"
    page = write_page(tmp_path / "p.html", result, pairs, predictions, scores, missing).read_text()
    assert "<h2>Training</h2>" not in page


def test_a_damaged_history_is_named(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    history = tmp_path / "training.csv"
    history.write_text("step,l1\n1,low\n")
    with pytest.raises(DataError, match=r"training\.csv: not a table of training steps"):
        write_page(
            tmp_path / "p.html", factories.result(scores), pairs, predictions, scores, history
        )


def test_charts_stay_inside_their_frame_whatever_the_numbers() -> None:
    for values in (np.array([1.0]), np.zeros(5), np.array([1e-9, 1e9]), np.arange(5000.0)):
        chart = line_chart("loss", np.arange(len(values), dtype=float), values)
        numbers = re.search(r'points="(.*?)"', chart).group(1).replace(",", " ").split()
        assert all(0 <= float(number) <= 360 for number in numbers)
        assert len(numbers) <= 2 * 240
    chart = strip_chart("psnr", {"all": np.array([20.0, np.inf])}, {"all": None})
    assert "inf" not in chart
    assert "nan" not in chart


def test_the_pairs_that_differ_most_are_drawn(pairs, predictions, tmp_path) -> None:
    for index, name in enumerate(("one", "two")):
        folder = tmp_path / name
        scores = _scores(pairs, index)
        write_result(folder / "result.json", factories.result(scores, name))
        (folder / "scores.csv").write_text(pair_scores_csv(scores))
        (folder / "predictions").mkdir()
        for identifier, path in predictions.items():
            (folder / "predictions" / f"{identifier}.png").write_bytes(path.read_bytes())
    methods = read_methods([tmp_path / "one", tmp_path / "two"])
    comparison = compare(methods, extremes=1)
    with pytest.raises(UsageError, match="--dataset"):
        draw_extremes(methods, comparison, tmp_path / "d.png", None)
    sheet = draw_extremes(methods, comparison, tmp_path / "d.png", Dataset.open(pairs.root))
    assert read_image(ImageRef(sheet)).shape[0] > 2 * 200
