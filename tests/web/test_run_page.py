"""Pictures and the page of a run: complete, alone, safe whatever names data have."""

from __future__ import annotations

import math
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
from i2ibench.evaluation.scores import MetricValue
from i2ibench.leaderboard.board import read_board
from i2ibench.leaderboard.entries import add_entry
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record_files import write_result
from i2ibench.web.charts import Strip, interval_bar, line_chart, strip_chart
from i2ibench.web.extremes import draw_extremes
from i2ibench.web.pictures import contact_sheet, fit
from i2ibench.web.run_page import write_run_page
from i2ibench.web.run_sections import distributions
from i2ibench.web.verdict import verdict_of


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
        if tag not in {"meta", "img", "link", "input"}:
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


def _page(folder: Path, pairs, predictions, scores, result=None, **more):
    """Write a page and return its text."""
    made = result if result is not None else factories.result(scores)
    return write_run_page(folder, made, pairs, predictions, scores, **more).read_text("utf-8")


def test_the_page_is_whole_and_needs_nothing_from_outside(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    run = tmp_path / "run"
    run.mkdir()
    (run / "training.csv").write_text(
        "step,epoch,learning_rate,seconds,l1\n1,0,0.1,0.5,3.0\n2,0,0.1,1.0,2.0\n"
    )
    (run / "validation.csv").write_text("step,epoch,learning_rate,seconds,ssim\n2,0,,1.0,0.5\n")
    write_png(run / "previews/step-000002.png", np.zeros((8, 24, 3), np.uint8))
    result = factories.result(scores, "pyramid", run_id="abc")
    page = _page(tmp_path / "report", pairs, predictions, scores, result, training=run)
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    addresses = [
        attrs[name] for _, attrs in reader.tags for name in ("src", "href") if name in attrs
    ]
    assert addresses
    for address in addresses:
        assert address.startswith(("#", "data:")) or (tmp_path / "report" / address).is_file()
    anchors = {attrs["id"] for _, attrs in reader.tags if "id" in attrs}
    assert {a[1:] for a in addresses if a.startswith("#") and "=" not in a} <= anchors
    worst = scores["id"][scores["psnr"].idxmin()]
    shown = re.findall(r"badge (bad|good).*?<span>(.+?)</span>", page)
    assert ("bad", worst) in shown
    assert len(shown) == 4 * 2, "of each level the worst and the best, of three pairs"
    titles = re.findall(r'aria-label="([^"]+)"', page.split('id="training"')[1].split("<h3>")[0])
    assert titles == ["learning rate", "l1", "validation ssim"]
    assert "assets/previews/step-000002.jpg" in page
    assert result.metrics["psnr"].signature in page
    assert f"{result.metrics['psnr'].value:.2f}" in page


def test_pairs_on_which_a_metric_is_undefined_are_neither_best_nor_worst(
    pairs, predictions, tmp_path
) -> None:
    scores = _scores(pairs)
    scores.loc[[0, 4, 5], "psnr"] = np.nan
    page = _page(tmp_path, pairs, predictions, scores)
    ids = set(re.findall(r"badge (?:bad|good).*?<span>(.+?)</span>", page))
    assert ids
    assert ids <= set(scores["id"][scores["psnr"].notna()])
    assert "0 (1)" in page
    assert "1+ (2)" in page


def test_where_no_pair_is_worse_than_another_nothing_is_called_worst(
    pairs, predictions, tmp_path
) -> None:
    scores = _scores(pairs)
    scores["psnr"] = 20.0
    page = _page(tmp_path / "equal", pairs, predictions, scores)
    assert 'id="distributions"' in page
    assert "Worst and best" not in page


def test_a_dot_names_its_pair_among_all(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    page = _page(tmp_path, pairs, predictions, scores)
    groups = [
        [int(number) for number in found.split(",")]
        for found in re.findall(r'data-pairs="([\d,]+)"', page)
    ]
    assert sorted(number for group in groups for number in group) == list(range(len(pairs)))
    assert all(scores["group"][group].nunique() == 1 for group in groups)


def test_names_with_markup_cannot_break_the_page(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    model = {"name": "<script>alert(1)</script>", "config": {}}
    page = _page(tmp_path, pairs, predictions, scores, factories.result(scores, model))
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    strip = Strip("<b>", np.ones(3), [0, 1, 2], None)
    assert "<script>" not in strip_chart("<script>", '"><script>', [strip])


def test_a_page_without_training_has_no_curves(pairs, predictions, tmp_path) -> None:
    page = _page(tmp_path, pairs, predictions, _scores(pairs), training=tmp_path)
    assert 'id="training"' not in page


def test_a_damaged_history_is_named(pairs, predictions, tmp_path) -> None:
    (tmp_path / "training.csv").write_text("step,l1\n1,low\n")
    with pytest.raises(DataError, match=r"training\.csv: not a table of training steps"):
        _page(tmp_path / "page", pairs, predictions, _scores(pairs), training=tmp_path)


def test_what_was_not_measured_stands_with_its_remedy(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    lacking = MetricValue(None, 0, "", "lower", "", unavailable="run: i2ibench weights fetch x")
    result = factories.result(scores, metrics={"fid": lacking})
    page = _page(tmp_path, pairs, predictions, scores, result)
    assert "i2ibench weights fetch x" in page.split('id="missing"')[1]


def test_a_page_made_again_writes_nothing(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    _page(tmp_path / "page", pairs, predictions, scores)
    files = factories.times(tmp_path / "page")
    _page(tmp_path / "page", pairs, predictions, scores)
    assert factories.times(tmp_path / "page") == files


def test_a_page_without_pictures_shows_none_and_says_so(pairs, predictions, tmp_path) -> None:
    scores = _scores(pairs)
    _page(tmp_path, pairs, predictions, scores)
    assert list(tmp_path.rglob("*-sheet.jpg"))
    page = _page(tmp_path, pairs, predictions, scores, with_pictures=False)
    assert not list(tmp_path.rglob("*-sheet.jpg"))
    assert "No pictures" in page


def test_a_verdict_names_the_place_among_the_methods(tmp_path) -> None:
    board, draw = tmp_path / "boards", np.random.default_rng(0)
    results = {}
    for name, shift in (("good", 3.0), ("bad", -3.0), ("twin", 3.01)):
        scores = factories.pair_scores({"psnr": draw.normal(20, 1, 40) + shift})
        model = {"name": name, "parameters": 0, "config": {}, "checkpoint_sha256": None}
        results[name] = factories.result(scores, model, run_id=f"run{name}")
        add_entry(board, results[name], pair_scores=scores)
    verdict = verdict_of(read_board(board, "drawn"), results["bad"])
    assert verdict.sentence.startswith("Rank 3 of 3 methods in PSNR")
    assert [row.kind for row in verdict.rows].count("chosen") == 1
    assert verdict.rows[-1].label == "bad"
    other = factories.result(scores, "else", run_id="runelse")
    assert verdict_of(read_board(board, "drawn"), other) is None


def test_charts_stay_inside_their_frame_whatever_the_numbers() -> None:
    for values in (np.array([1.0]), np.zeros(5), np.array([1e-9, 1e9]), np.arange(5000.0)):
        chart = line_chart("loss", np.arange(len(values), dtype=float), values)
        numbers = re.search(r'points="(.*?)"', chart).group(1).replace(",", " ").split()
        assert all(0 <= float(number) <= 360 for number in numbers)
        assert len(numbers) <= 2 * 240
    chart = strip_chart("psnr", "psnr", [Strip("all", np.array([20.0, np.inf]), [0, 1], None)])
    assert "inf" not in chart
    assert "nan" not in chart
    for value in (None, math.nan, math.inf, -math.inf, 3.0):
        bar = interval_bar(value, (-math.inf, math.inf), (0.0, 1.0), zero=0.0, margin=9.0)
        assert all(0 <= float(n) <= 200 for n in re.findall(r"[MH]([\d.-]+)", bar))
        assert "nan" not in bar


def test_labels_of_many_levels_do_not_run_into_each_other() -> None:
    strips = [Strip(f"grade {i} of a list", np.array([1.0]), [i], None) for i in range(12)]
    chart = strip_chart("psnr", "psnr", strips)
    seen = re.findall(r'text-anchor="middle">([^<]*)<title>(.*?)</title>', chart)
    assert [whole for _, whole in seen] == [f"grade {i} of a list (1)" for i in range(12)]
    assert all(len(label) <= 5 for label, _ in seen)
    assert "…" not in strip_chart("psnr", "psnr", strips[:1])


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


def test_pairs_without_a_group_have_a_column_of_their_own(pairs) -> None:
    scores = _scores(pairs)
    scores.loc[[1, 4, 7], "group"] = None
    chart = dict(distributions(factories.result(scores), scores))["psnr"]
    listed = dict(re.findall(r'data-label="(.*?)" data-pairs="(.*?)"', chart))
    assert listed["HER2 unknown"] == "1,4,7"
    drawn = sorted(int(each) for numbers in listed.values() for each in numbers.split(","))
    assert drawn == list(range(len(pairs)))
