"""Pages from the command line: every verb that writes one names it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import factories
import pytest

from i2ibench.cli.app import run_app


@pytest.fixture
def said(capsys):
    """A function that runs a line and returns what it said, without its line breaks."""

    def run(*line: object) -> str:
        capsys.readouterr()
        assert run_app([str(each) for each in line]) == 0
        return capsys.readouterr().err.replace("\n", " ")

    return run


def _page(said: str) -> Path:
    found = re.search(r"page +(\S+index\.html)", said)
    assert found is not None, said
    assert Path(found[1]).is_file()
    return Path(found[1])


@pytest.fixture
def runs(drawn, tmp_path, said) -> list[Path]:
    drawn.draw("test", 8)
    made = []
    for model in ("copy", "blurred-target"):
        line = ("run", "-m", model, "-d", drawn.root, "--device", "cpu", "--protocol", "i2i-2")
        made.append(_page(said(*line, "-o", tmp_path / "runs")).parents[1])
    return made


def test_run_and_report_name_their_page(runs, drawn, tmp_path, said):
    page = runs[0] / "report/index.html"
    first = page.read_text("utf-8")
    assert "On no board" not in first
    assert "between rank 2" not in first, "no rank is shown that this would explain"
    assert (runs[0] / "report/samples.png").exists()
    again = _page(said("report", runs[0], "--dataset", drawn.root))
    assert again == page
    assert page.read_text("utf-8") != first, "the board has another method now"
    assert "blurred-target" in page.read_text("utf-8")
    _page(said("report", runs[0], "--dataset", drawn.root, "--without-pictures"))
    assert "No pictures" in page.read_text("utf-8")
    assert not (runs[0] / "report/samples.png").exists()
    elsewhere = _page(said("report", runs[0], "--dataset", drawn.root, "-o", tmp_path / "site"))
    assert elsewhere.parent == tmp_path / "site"


def test_evaluate_names_a_page_for_each_model_and_says_how_to_get_one(drawn, tmp_path, said):
    drawn.draw("test", 4)
    folders = [drawn.root / "HE/test", drawn.root / "IHC/test"]
    line = ("evaluate", "-d", drawn.root, "--metrics", "psnr,ssim")
    assert "--output" in said(*line, folders[0])
    _page(said(*line, folders[0], "-o", tmp_path / "one"))
    both = said(*line, *folders, "-o", tmp_path / "both", "--name", "a", "--name", "b")
    assert both.count("page ") == 2
    assert (tmp_path / "both/a/report/index.html").is_file()
    assert (tmp_path / "both/b/report/index.html").is_file()


def test_import_names_its_page(drawn, tmp_path, said):
    drawn.draw("test", 4)
    line = ("import", drawn.root / "HE/test", "--name", "theirs", "-d", drawn.root)
    page = _page(said(*line, "-o", tmp_path / "runs", "--protocol", "i2i-2", "--without-pictures"))
    assert "theirs on drawn" in page.read_text("utf-8")
    assert not list(page.parent.rglob("*-sheet.jpg"))


def test_compare_writes_a_page_and_says_where_pictures_would_come_from(runs, drawn, tmp_path, said):
    bare = said("compare", *runs, "--page", tmp_path / "bare", "--metrics", "psnr")
    assert "--dataset" in bare
    _page(bare)
    page = _page(said("compare", *runs, "--page", tmp_path / "cmp", "--dataset", drawn.root))
    assert list(page.parent.rglob("*-sheet.jpg"))


def test_compare_tells_whose_predictions_a_page_has_not(runs, drawn, tmp_path, said):
    bare = shutil.copytree(runs[1], tmp_path / "bare")
    shutil.rmtree(bare / "predictions")
    text = said("compare", runs[0], bare, "--page", tmp_path / "cmp", "--dataset", drawn.root)
    assert "no predictions beside blurred-target" in text
    assert not list(_page(text).parent.rglob("*-sheet.jpg"))


def test_a_finished_run_writes_no_page_again(runs, drawn, tmp_path, said):
    page = runs[1] / "report/index.html"
    before = page.stat().st_mtime_ns
    line = (
        "run",
        "-m",
        "blurred-target",
        "-d",
        drawn.root,
        "--device",
        "cpu",
        "--protocol",
        "i2i-2",
    )
    assert _page(said(*line, "-o", tmp_path / "runs")) == page
    assert page.stat().st_mtime_ns == before


def test_whoever_makes_a_page_of_private_images_is_told(runs, drawn, tmp_path, said, monkeypatch):
    factories.register_dataset(monkeypatch, "drawn", {"title": "drawn", "publishable": False})
    told = "images of drawn may not be published"
    report = said("report", runs[0], "--dataset", drawn.root)
    assert told in report
    assert "--without-pictures" in report
    assert told not in said("report", runs[0], "--dataset", drawn.root, "--without-pictures")
    page = ("compare", *runs, "--page", tmp_path / "page")
    assert told in said(*page, "--dataset", drawn.root)
