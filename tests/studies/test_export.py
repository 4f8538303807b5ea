"""A study on the disk: blind, whole, bound to its key; and what stands against one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import DrawnFolder
from scripted_reader import saved, scripted

import i2ibench
from i2ibench.cli.app import run_app
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError, UsageError
from i2ibench.files import sha256_file
from i2ibench.studies.export import StudyExport
from i2ibench.studies.export import export_study as export
from i2ibench.studies.key import Preference, read_key
from i2ibench.studies.report import import_study


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a drawn data set ``tissue`` and runs of three methods on it."""
    folder = tmp_path_factory.mktemp("study")
    DrawnFolder(folder / "tissue").draw("train", 4).draw("test", 24)
    for model in ("copy", "mean-colour", "reinhard"):
        i2ibench.run(
            model=model,
            dataset=str(folder / "tissue"),
            protocol="bci-2022-1024",
            device="cpu",
            output=folder / "runs",
            board=folder / "boards",
        )
    return folder


def _runs(place: Path) -> list[Path]:
    return sorted((place / "runs" / "tissue").glob("*/*"))


def export_study(runs: object, output: Path, **options: object) -> StudyExport:
    """Export from runs whose data set is the folder ``tissue`` beside them."""
    given = [runs] if isinstance(runs, Path) else runs
    tissue = next((each.parents[2].parent / "tissue" for each in given), None)
    return export(given, output, **{"dataset": str(tissue), **options})


@pytest.fixture(scope="module")
def study(place: Path) -> StudyExport:
    return export_study(_runs(place), place / "study", images=3, comparisons=1)


def test_a_reader_finds_nothing_that_says_what_an_image_is(study: StudyExport, place: Path) -> None:
    key = read_key(study.key)
    folder = study.page.parent
    assert study.key.parent == folder.parent
    text = "".join(path.read_text() for path in folder.rglob("*.[hcj]*"))
    words = [*key.methods, *key.pairs, str(place), "maker", *key.methods.values()]
    words += [each.manifest_sha256 for each in (key.dataset,)]
    assert not [word for word in words if word != "copy" and word in text]
    names = {path.stem for path in (folder / "images").iterdir()}
    assert all(re.fullmatch(r"[0-9a-f]{12}(-source|-left|-right)?", name) for name in names)
    # Nothing but pixels in the files, all of one size.
    for path in (folder / "images").iterdir():
        chunks = re.findall(rb"(tEXt|iTXt|zTXt|eXIf|tIME|iCCP)", path.read_bytes())
        assert not chunks
    shapes = {read_image(ImageRef(path)).shape for path in (folder / "images").iterdir()}
    assert shapes == {(32, 32, 3)}


def test_every_image_is_what_the_key_says(study: StudyExport, place: Path) -> None:
    key = read_key(study.key)
    images = study.page.parent / "images"
    assert {path.name: sha256_file(path) for path in images.iterdir()} == key.files
    predictions = {run.parent.name: run / "predictions" for run in _runs(place)}
    tissue = place / "tissue"

    def expected(maker: str | None, pair: str) -> Path:
        return (tissue / "IHC" / "test" if maker is None else predictions[maker]) / f"{pair}.png"

    for name, item in key.items.items():
        shown = {"": None}
        if isinstance(item, Preference):
            shown = {"-left": item.left, "-right": item.right}
            source = read_image(ImageRef(tissue / "HE" / "test" / f"{item.pair}.png"))
            assert np.array_equal(read_image(ImageRef(images / f"{name}-source.png")), source)
        else:
            shown = {"": item.maker}
        for side, maker in shown.items():
            found = read_image(ImageRef(images / f"{name}{side}.png"))
            assert np.array_equal(found, read_image(ImageRef(expected(maker, item.pair))))


def test_the_same_command_draws_the_same_study(study: StudyExport, place: Path) -> None:
    again = export_study(_runs(place), place / "again" / "study", images=3, comparisons=1)
    assert again.study == study.study
    assert again.key.read_bytes() == study.key.read_bytes()
    # Killed between key and page: the same command writes the page to the key that is there.
    shutil.rmtree(again.page.parent)
    assert export_study(_runs(place), place / "again" / "study", images=3, comparisons=1) == again
    other = export_study(_runs(place), place / "other", images=3, comparisons=1, seed=1)
    assert other.study != study.study


def test_a_whole_study_comes_back_as_it_was_answered(
    study: StudyExport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = read_key(study.key)
    file = scripted(
        key,
        "R1",
        read=lambda name, item, level: level,
        real=lambda name, item: item.maker in (None, "copy"),
        choice=lambda name, item: "left" if item.left is None else "right",
    )
    path = saved(tmp_path, file)
    assert run_app(["study", "import", str(study.key), str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["readings"]["maker"][0]["accuracy"]["value"] == 1
    taken = {each["name"]: each for each in content["real_by_maker"]}
    assert taken["copy"]["generated_called_real"]["value"] == 1
    assert taken["reinhard"]["generated_called_real"]["value"] == 0
    assert {each["metric"] for each in content["metrics"]} >= {"psnr", "ssim"}
    report = tmp_path / "report.md"
    line = ["study", "import", str(study.key), str(path), "--markdown", str(report)]
    assert run_app(line) == 0
    shown = capsys.readouterr().out
    for word in ("taken for real", "Bradley-Terry", "reinhard", "psnr", "Robbins"):
        assert word in shown and word in report.read_text()


def test_one_method_without_comparisons_is_a_study_too(place: Path, tmp_path: Path) -> None:
    made = export_study(_runs(place)[0], tmp_path / "one", images=2, comparisons=0, repeats=0)
    assert (made.ratings, made.preferences) == (16, 0)


def test_predictions_that_changed_are_not_shown(place: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(_runs(place)[0], run)
    first = sorted((run / "predictions").glob("*.png"))
    shutil.copyfile(first[1], first[0])
    with pytest.raises(DataError, match="changed"):
        export_study([run], tmp_path / "study", dataset=str(place / "tissue"))
    assert not (tmp_path / "study").exists() and not (tmp_path / "study.key.json").exists()


def test_wrong_usage_is_told_and_leaves_nothing(place: Path, tmp_path: Path) -> None:
    runs = _runs(place)
    for wrong, words in (
        ({"runs": []}, "needs runs"),
        ({"runs": [runs[0], runs[0]]}, "one method"),
        ({"runs": runs, "images": 0, "comparisons": 0}, "without anything"),
        ({"runs": runs, "repeats": 0.5}, "repeats"),
        ({"runs": runs, "output": place / "tissue"}, "absent or empty"),
    ):
        with pytest.raises(UsageError, match=words):
            export_study(**{"output": tmp_path / "study", **wrong})
    assert not list(tmp_path.iterdir())


def test_the_key_of_another_study_is_not_overwritten(
    study: StudyExport, place: Path, tmp_path: Path
) -> None:
    shutil.copyfile(study.key, tmp_path / "study.key.json")
    with pytest.raises(UsageError, match="another study"):
        export_study(_runs(place), tmp_path / "study", images=1, comparisons=0)
    assert [path.name for path in tmp_path.iterdir()] == ["study.key.json"]


def test_answers_to_another_study_are_refused(
    study: StudyExport, place: Path, tmp_path: Path
) -> None:
    other = export_study(_runs(place), tmp_path / "other", images=1, comparisons=0, repeats=0)
    file = scripted(
        read_key(other.key),
        "R1",
        read=lambda name, item, level: level,
        real=lambda name, item: True,
        choice=lambda name, item: "left",
    )
    with pytest.raises(DataError, match="another study"):
        import_study(study.key, saved(tmp_path, file))
