"""Images that another tool made become a run and a row, with what its authors say of it."""

from __future__ import annotations

import warnings
import zipfile

import cv2
import pytest

import i2ibench
from i2ibench.cli.app import run_app
from i2ibench.errors import DataError, UsageError
from i2ibench.leaderboard.board import check_board
from i2ibench.results.method_facts import read_method
from i2ibench.results.record_files import read_result
from i2ibench.results.verification import verify

METHOD = """
title = "Their *method* | [x](y)"
authors = ["A. Author", "B. Author"]
paper = "https://example.org/paper"
parameters = 1234567
training_data = "BCI"
training_budget = "200 epochs"
hardware = "one A100"
saw_test_targets = false
"""


@pytest.fixture
def theirs(drawn, tmp_path):
    """A folder of predictions in JPEG and PNG, and the keywords that import it."""
    drawn.draw("test", 4)
    folder = tmp_path / "images"
    folder.mkdir()
    for path in sorted((drawn.root / "IHC/test").iterdir()):
        image = cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 1.0)
        cv2.imwrite(str(folder / f"{path.stem}_fake_B.png"), image)
    (tmp_path / "method.toml").write_text(METHOD)
    keywords = {
        "name": "theirs",
        "dataset": str(drawn.root),
        "protocol": "i2i-1",
        "device": "cpu",
        "method": tmp_path / "method.toml",
        "output": tmp_path / "runs",
        "board": tmp_path / "boards",
    }
    return folder, keywords


def test_a_folder_becomes_a_run_that_verifies_and_a_row_of_a_board(theirs, drawn, tmp_path):
    folder, keywords = theirs
    done = i2ibench.import_predictions(folder, **keywords)
    assert done.folder.parent == tmp_path / "runs/drawn/theirs"
    assert {path.stem for path in (done.folder / "predictions").iterdir()} == {
        path.stem for path in (drawn.root / "IHC/test").iterdir()
    }
    found = verify(done.folder, dataset=drawn.root)
    assert found.error() is None and found.hashes["predictions"] == "as recorded"
    board = done.board.read_text()
    row = next(line for line in board.splitlines() if "1,234,567" in line)
    for said in ("A. Author, B. Author", "[paper](https://example.org/paper)", "one A100"):
        assert said in row
    # Of the machine that scored nothing, and of their words nothing that markdown would act on.
    assert "CPU" not in row and r"Their *method* \| [x\](y)" in row
    check_board(tmp_path / "boards", "drawn")
    # The same images find their run again; other images are another run.
    assert i2ibench.import_predictions(folder, **keywords).folder == done.folder
    image = next(folder.iterdir())
    image.write_bytes(sorted(folder.iterdir())[1].read_bytes())
    assert i2ibench.import_predictions(folder, **keywords).folder != done.folder


def test_images_that_were_changed_after_the_import_are_found(theirs, drawn):
    folder, keywords = theirs
    done = i2ibench.import_predictions(folder, **keywords)
    one, other = sorted((done.folder / "predictions").iterdir())[:2]
    one.write_bytes(other.read_bytes())
    found = verify(done.folder, dataset=drawn.root)
    assert found.hashes["predictions"] == "differs" and found.error() is not None


def test_what_is_said_of_a_method_may_be_mended(theirs, tmp_path):
    folder, keywords = theirs
    with pytest.warns(UserWarning, match="nothing is known of theirs.*method.toml"):
        first = i2ibench.import_predictions(folder, **{**keywords, "method": None})
    assert "not stated" in first.board.read_text()
    second = i2ibench.import_predictions(folder, **keywords)
    assert second.folder == first.folder and "one A100" in second.board.read_text()
    assert read_result(first.folder / "result.json").model.method["parameters"] == 1234567
    assert len(list((tmp_path / "boards/drawn").glob("*.json"))) == 1


def test_a_method_that_saw_the_targets_is_never_ranked(theirs, tmp_path):
    folder, keywords = theirs
    (tmp_path / "method.toml").write_text(METHOD.replace("false", "true"))
    done = i2ibench.import_predictions(folder, **keywords)
    assert "saw the test targets" in done.board.read_text()


@pytest.mark.parametrize("inside", ["", "results/test_latest/images"])
def test_a_zip_is_taken_wherever_in_it_the_images_lie(theirs, tmp_path, inside):
    folder, keywords = theirs
    archive = tmp_path / "images.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in folder.iterdir():
            packed.write(path, f"{inside}/{path.name}".lstrip("/"))
            packed.writestr(f"__MACOSX/._{path.name}", b"x")
    done = i2ibench.import_predictions(archive, **keywords)
    assert done.folder == i2ibench.import_predictions(folder, **keywords).folder


def test_an_archive_that_leads_outside_writes_nothing(theirs, tmp_path):
    _, keywords = theirs
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr("../outside.png", b"x")
    with pytest.raises(DataError, match="leads outside"):
        i2ibench.import_predictions(tmp_path / "bad.zip", **keywords)
    assert not (tmp_path / "runs").exists() and not list(tmp_path.rglob("outside.png"))


def missing(folder):
    next(folder.iterdir()).unlink()


def resized(folder):
    path = next(folder.iterdir())
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (16, 16)))


def torn(folder):
    path = next(folder.iterdir())
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize("fault", [missing, resized, torn])
def test_incomplete_predictions_are_refused_and_nothing_is_published(theirs, tmp_path, fault):
    folder, keywords = theirs
    fault(folder)
    with pytest.raises(DataError):
        i2ibench.import_predictions(folder, **keywords)
    assert not list(tmp_path.rglob("result.json")) and not (tmp_path / "boards").exists()


@pytest.mark.parametrize("name", ["copy", "pix2pix", "a/b", ""])
def test_a_name_of_a_model_or_of_no_folder_is_refused(theirs, name):
    folder, keywords = theirs
    with pytest.raises(UsageError, match="--name"):
        i2ibench.import_predictions(folder, **{**keywords, "name": name})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("saw_test_targets = false", "", "saw_test_targets"),
        ("saw_test_targets = false", 'saw_test_targets = "no"', "saw_test_targets"),
        ("hardware", "hardwear", "did you mean hardware"),
        ("https://example.org/paper", "javascript:alert(1)", "paper"),
        ("one A100", "one\\nA100", "one line"),
        ("1234567", "-1", "parameters"),
        ("title =", "title", "TOML"),
    ],
)
def test_what_cannot_be_said_of_a_method_is_told(tmp_path, old, new, words):
    path = tmp_path / "method.toml"
    path.write_text(METHOD.replace(old, new, 1))
    with pytest.raises(DataError, match=rf"method\.toml.*{words}"):
        read_method(path)


def test_an_entry_is_removed_by_name_run_or_model(theirs, tmp_path, capsys):
    folder, keywords = theirs
    first = i2ibench.import_predictions(folder, **keywords)
    image = next(folder.iterdir())
    image.write_bytes(sorted(folder.iterdir())[1].read_bytes())
    i2ibench.import_predictions(folder, **keywords)
    board = ["--board", str(tmp_path / "boards")]
    assert run_app(["leaderboard", "remove", "drawn", "theirs", *board]) == 2
    assert "names 2 entries" in capsys.readouterr().err.replace("\n", " ")
    assert run_app(["leaderboard", "remove", "drawn", first.folder.name, *board]) == 0
    assert run_app(["leaderboard", "remove", "drawn", "theirz", *board]) == 2
    assert "known: theirs-" in capsys.readouterr().err
    assert [*(tmp_path / "boards/drawn").glob("*.json")] != []
    assert run_app(["leaderboard", "remove", "drawn", "theirs", *board]) == 0
    assert [*(tmp_path / "boards/drawn").iterdir()] == []
    assert "No entries yet" in (tmp_path / "boards/drawn.md").read_text()
    assert (first.folder / "result.json").exists()


def test_the_command_imports_and_says_what_is_missing(theirs, tmp_path, capsys):
    folder, keywords = theirs
    arguments = [
        *("import", str(folder), "--name", "theirs", "--dataset", keywords["dataset"]),
        *("--protocol", "i2i-1", "--output", str(tmp_path / "runs")),
    ]
    with warnings.catch_warnings():
        assert run_app(arguments) == 0
    told = capsys.readouterr()
    assert "saw_test_targets" in told.err and "PSNR" in told.out.upper()
    assert (tmp_path / "runs/leaderboards/drawn.md").exists()


def test_a_fault_within_an_archive_names_the_archive(theirs, tmp_path):
    folder, options = theirs
    archive = tmp_path / "made.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.iterdir())[1:]:
            file.write(path, path.name)
    with pytest.raises(DataError, match=r"made\.zip: 1 of 4 pairs have no prediction"):
        i2ibench.import_predictions(archive, **options)


def test_hidden_folders_and_companions_of_macos_are_no_predictions(theirs, tmp_path):
    folder, options = theirs
    for place in (".ipynb_checkpoints", "__MACOSX", "made/.cache"):
        (tmp_path / "all" / place).mkdir(parents=True)
        (tmp_path / "all" / place / "a.png").write_bytes(b"x")
    folder.rename(tmp_path / "all/made/images")
    result = i2ibench.import_predictions(tmp_path / "all", **options).result
    assert result.dataset.pairs == 4
