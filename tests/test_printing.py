"""Results, comparisons, boards and data sets print in a few lines, and as HTML in notebooks."""

from __future__ import annotations

import base64
import io
import re
import sys
import types
from html.parser import HTMLParser

import pandas as pd
import pytest
from factories import pair_scores, result
from PIL import Image

import i2ibench
from i2ibench.data.audit.findings import AuditReport, Finding
from i2ibench.notebook import Picture, Printed, Strong, html_table

VOID = {"img", "br"}


class Structure(HTMLParser):
    """Checks that every tag is closed, and keeps the texts and the addresses of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.pictures: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs)["src"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(shown: Printed) -> Structure:
    structure = Structure()
    structure.feed(shown._repr_html_())
    structure.close()
    assert not structure.open
    return structure


def is_short(shown: Printed) -> bool:
    assert str(shown) == repr(shown)
    lines = repr(shown).splitlines()
    return len(lines) == 3 and all(line.strip() for line in lines)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of models that do not train, on drawn pairs of four levels."""
    from conftest import DrawnFolder

    folder = tmp_path_factory.mktemp("printing")
    root = DrawnFolder(folder / "ward").draw("train", 8).draw("test", 8).root
    places = {"dataset": root, "device": "cpu", "output": folder / "runs", "board": folder / "b"}
    return [i2ibench.run(model=name, **places) for name in ("copy", "mean-colour")]


@pytest.mark.filterwarnings("ignore")
def test_a_run_prints_its_numbers_and_shows_its_pictures(runs):
    outcome = runs[0]
    assert is_short(outcome)
    assert is_short(outcome.result)
    assert "PSNR" in repr(outcome)
    assert str(outcome.folder) in repr(outcome)
    shown = read(outcome)
    assert {"overall", "HER2 3+", "macro mean"} <= set(shown.texts)
    [picture] = shown.pictures
    kind, data = picture.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    assert len(data) < 400_000
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert max(image.size) <= 900


def test_scores_comparisons_and_boards_are_frames(runs):
    scores = runs[0].to_frame()
    assert list(scores.columns[:3]) == ["id", "group", "cluster"]
    assert scores["psnr"].mean() == pytest.approx(runs[0].result.metrics["psnr"].value)
    numbers = runs[0].result.to_frame()
    one = numbers[(numbers["set"] == "all") & (numbers["metric"] == "psnr")]
    assert one["value"].item() == runs[0].result.metrics["psnr"].value
    compared = i2ibench.compare([run.folder for run in runs]).to_frame()
    assert {"set", "metric", "difference", "p_holm"} <= set(compared.columns)
    assert set(compared["set"]) == {"all", "0", "1+", "2+", "3+"}
    board = i2ibench.read_board(runs[0].board.parent, runs[0].result.dataset.name).to_frame()
    assert set(board["method"]) == {"copy", "mean-colour"}
    for frame in (scores, numbers, compared, board):
        assert isinstance(frame, pd.DataFrame)


def test_comparisons_boards_and_verifications_print(runs):
    comparison = i2ibench.compare([run.folder for run in runs], ["psnr", "ssim"])
    board = i2ibench.read_board(runs[0].board.parent, "ward")
    verified = i2ibench.verify(runs[0].folder, dataset=str(runs[0].folder.parents[3] / "ward"))
    for shown in (comparison, board, verified):
        assert is_short(shown)
        assert "table" in read(shown).tags
    assert "mean-colour" in repr(comparison)
    assert "2 methods" in repr(board)
    assert "confirmed" in repr(verified)
    empty = i2ibench.Board("ward", (), (), ())
    assert is_short(empty) or len(repr(empty).splitlines()) == 3
    read(empty)


def test_data_sets_print_and_show_a_pair_of_each_group(drawn):
    drawn.draw("train", 2).draw("test", 6)
    pairs = i2ibench.open_dataset(drawn.root)
    assert is_short(pairs)
    assert "6 pairs" in repr(pairs)
    assert len(read(pairs).pictures) == 4
    assert is_short(i2ibench.Dataset.open(drawn.root))
    elsewhere = i2ibench.Dataset.open("bci")
    assert "not on this machine" in repr(elsewhere)
    report = i2ibench.audit(drawn.root)
    assert is_short(report)
    assert "test 6 pairs" in repr(report)


def test_what_names_hold_is_shown_and_never_read_as_html():
    evil = '<script>alert("x")</script> & [bold]'
    finding = Finding("pairing", "error", evil, (evil,))
    report = AuditReport(evil, evil, "", (finding,), {}, 1.0)
    record = result(pair_scores({"psnr": [20.0, 21.0]}), {"name": evil})
    for shown in (report, record):
        structure = read(shown)
        assert "script" not in structure.tags
        assert any(evil in text for text in structure.texts)
    table = html_table(evil, [evil], [[Strong(evil), "a\nb"]])
    assert "<script" not in table
    assert "text-align:right" in html_table("", ["a", "b"], [["x", "1.0"], ["y", "inf"]])
    assert "a<br>b" in table
    assert "<b>&lt;script" in table

    class Shown(Printed):
        def _lines(self):
            return ["one"]

        def _pictures(self):
            import numpy as np

            return [Picture(evil, np.zeros((2000, 40, 3), np.uint8))]

    [picture] = read(Shown()).pictures
    assert picture.startswith("data:image/jpeg;base64,")


class Cell:
    """The output of a notebook's cell: what was displayed, and how often."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, content, display_id=False):
        self.update(content)
        return self

    def update(self, content):
        self.shown.append(content)


def test_progress_is_drawn_in_a_notebook_without_asking(drawn, tmp_path, monkeypatch):
    cell = Cell()
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display.HTML, display.display = str, cell.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    drawn.draw("test", 3)
    places = {"dataset": drawn.root, "device": "cpu", "output": tmp_path / "runs", "board": None}
    outcome = i2ibench.run(model="copy", **places)
    assert any("translating 3 images" in shown for shown in cell.shown)
    assert any(re.search('value="3" max="3"', shown) for shown in cell.shown)
    before = len(cell.shown)
    i2ibench.evaluate(outcome.folder / "predictions", dataset=drawn.root, metrics="psnr")
    assert len(cell.shown) > before
    del ipython.get_ipython
    ipython.get_ipython = lambda: None  # a script that only imports it
    before = len(cell.shown)
    i2ibench.run(model="copy", **places)
    assert len(cell.shown) == before
