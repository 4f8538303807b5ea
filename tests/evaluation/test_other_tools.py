"""Result folders of other tools: endings, and which way the tool was run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.errors import DataError
from i2ibench.evaluation.predictions import find_predictions

IDS = ("img0", "img1", "img10")


def _picture(seed: int, hue: int) -> np.ndarray:
    """A smooth picture of a hue, as the sides of pairs have."""
    small = np.random.default_rng(seed).integers(0, 100, (4, 4, 3)).astype(np.uint8)
    small[:, :, hue] += 140
    return np.kron(small, np.ones((6, 6, 1), np.uint8)).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of three pairs whose sides have different hues."""
    for number, name in enumerate(IDS):
        write_png(tmp_path / f"d/A/test/{name}.png", _picture(number, 0))
        write_png(tmp_path / f"d/B/test/{name}.png", _picture(number, 2))
    return tmp_path


def _results(root: Path, turned: bool, *kinds: str) -> Path:
    """Write results as pytorch-CycleGAN-and-pix2pix does, run ``turned`` or not; return them."""
    folder = root / "images"
    sides = {"A": 2, "B": 0} if turned else {"A": 0, "B": 2}
    for number, name in enumerate(IDS):
        for kind in kinds:
            picture = _picture(number, sides[kind[-1]])
            if not kind.startswith("real"):
                picture = picture // 2 + 60  # not quite what is wanted
            write_png(folder / f"{name}_{kind}.png", picture)
    return folder


CYCLEGAN = ("real_A", "real_B", "fake_A", "fake_B", "rec_A", "rec_B", "idt_A", "idt_B")


def _found(root: Path, folder: Path, direction: str) -> set[str]:
    pairs = Dataset.open(str(root / "d"), direction=direction).split("test")
    found = find_predictions(folder, pairs)
    assert list(found) == [pair.id for pair in pairs]
    return {path.stem.removeprefix(pair_id) for pair_id, path in found.items()}


@pytest.mark.parametrize(
    ("kinds", "turned", "direction", "expected"),
    [
        pytest.param(CYCLEGAN, False, "AtoB", "_fake_B", id="cyclegan"),
        pytest.param(CYCLEGAN, False, "BtoA", "_fake_A", id="cyclegan-scored-back"),
        pytest.param(CYCLEGAN, True, "BtoA", "_fake_B", id="cyclegan-run-BtoA"),
        pytest.param(CYCLEGAN, True, "AtoB", "_fake_A", id="cyclegan-run-BtoA-scored-AtoB"),
        pytest.param(("real_A", "fake_B", "real_B"), False, "AtoB", "_fake_B", id="pix2pix"),
        pytest.param(("real_A", "fake_B", "real_B"), True, "BtoA", "_fake_B", id="pix2pix-BtoA"),
        pytest.param(("real_A", "fake_B"), True, "BtoA", "_fake_B", id="input-alone"),
        pytest.param(("fake_B",), False, "AtoB", "_fake_B", id="output-alone"),
        pytest.param(("real_B", "fake_B"), True, "BtoA", "_fake_B", id="target-alone-BtoA"),
        pytest.param(("fake_A", "fake_B"), False, "BtoA", "_fake_A", id="outputs-of-both-sides"),
    ],
)
def test_the_side_of_the_targets_is_scored(
    root: Path, kinds: tuple[str, ...], turned: bool, direction: str, expected: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert _found(root, _results(root, turned, *kinds), direction) == {expected}


@pytest.mark.parametrize(
    ("kinds", "turned", "direction", "told"),
    [
        (("fake_B",), False, "BtoA", "other side, unless the tool was itself run"),
        (("real_A", "fake_B", "real_B"), False, "BtoA", "give --direction AtoB"),
        (("real_A", "fake_B", "real_B"), True, "AtoB", "give --direction BtoA"),
        (("fake_A",), False, "AtoB", "'_fake_A' images are not predictions"),
        (("real_B", "fake_B"), True, "AtoB", "give --direction BtoA"),
        (("real_B", "fake_B"), False, "BtoA", "give --direction AtoB"),
    ],
)
def test_predictions_of_the_other_side_alone_are_refused(
    root: Path, kinds: tuple[str, ...], turned: bool, direction: str, told: str
) -> None:
    folder = _results(root, turned, *kinds)
    with pytest.raises(DataError, match=told):
        _found(root, folder, direction)


@pytest.mark.parametrize("ending", ["_fake_b", "-fake_B", "-Fake-B", ".fake_B"])
def test_a_side_is_known_however_it_is_spelt(root: Path, ending: str) -> None:
    folder = _results(root, False, "fake_B")
    for path in folder.iterdir():
        path.rename(path.with_name(path.name.replace("_fake_B", ending)))
    assert _found(root, folder, "AtoB") == {ending}
    with pytest.raises(DataError, match="other side, unless the tool was itself run"):
        _found(root, folder, "BtoA")


def _in_folders(root: Path, turned: bool, *kinds: str) -> Path:
    """Write results as CUT does, each kind in a folder of its own; return the predictions."""
    for path in _results(root, turned, *kinds).glob("*.png"):
        name, _, kind = path.stem.partition("_")
        (path.parent / kind).mkdir(exist_ok=True)
        path.rename(path.parent / kind / f"{name}.png")
    return root / "images/fake_B"


def test_folders_called_by_a_side_tell_the_direction_too(root: Path) -> None:
    folder = _in_folders(root, True, "real_A", "real_B", "fake_B")
    assert _found(root, folder, "BtoA") == {""}
    with pytest.raises(DataError, match="give --direction BtoA"):
        _found(root, folder, "AtoB")


def test_a_folder_called_by_the_other_side_alone_is_refused(root: Path) -> None:
    folder = _in_folders(root, False, "fake_B")
    assert _found(root, folder, "AtoB") == {""}
    with pytest.raises(DataError, match="in a folder of another name"):
        _found(root, folder, "BtoA")
    assert _found(root, folder.rename(root / "made"), "BtoA") == {""}


def test_outputs_of_both_sides_need_more_than_bare_targets(root: Path) -> None:
    folder = _results(root, False, "fake_A", "fake_B")
    targets = Dataset.of_targets(root / "d/A/test").split("test")
    with pytest.raises(DataError, match="nothing tells which of them"):
        find_predictions(folder, targets)


def test_results_scaled_by_the_tool_still_tell_their_direction(root: Path) -> None:
    folder = _results(root, True, "real_A", "fake_B", "real_B")
    for path in folder.glob("*_real_*.png"):
        write_png(path, np.ascontiguousarray(read_image_of(path)[::2, ::2]))
    assert _found(root, folder, "BtoA") == {"_fake_B"}


def read_image_of(path: Path) -> np.ndarray:
    from i2ibench.data.pairs import ImageRef

    return read_image(ImageRef(path))


def _write(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        write_png(folder / f"{name}.png", _picture(number, 1))
    return folder


def _named(ending: str) -> list[str]:
    return [name + ending for name in IDS]


@pytest.mark.parametrize(
    ("targets", "made", "expected"),
    [
        ("", ["_synthesized_image", "_input_label"], "_synthesized_image"),
        ("", ["_fake", "_real"], "_fake"),
        ("", ["-outputs"], "-outputs"),
        ("", ["-inputs", "-outputs", "-targets"], "-outputs"),
        ("_gt", ["_pred"], "_pred"),
        ("_real_B", ["_fake_B"], "_fake_B"),
        ("_ground_truth", [" (virtual stain)"], " (virtual stain)"),
        ("", ["_epoch_200"], "_epoch_200"),
        ("_gt", [""], ""),
        ("", [".Generated"], ".Generated"),
    ],
)
def test_an_ending_that_all_predictions_share_is_taken_off_and_said(
    tmp_path: Path, targets: str, made: list[str], expected: str, recwarn: pytest.WarningsRecorder
) -> None:
    real = _write(tmp_path / "real", *_named(targets))
    folder = _write(tmp_path / "made", *(name for ending in made for name in _named(ending)))
    found = find_predictions(folder, Dataset.of_targets(real).split("test"))
    assert {path.stem for path in found.values()} == set(_named(expected))
    told = [str(each.message) for each in recwarn]
    assert len(told) == 1
    for ending in filter(None, (targets, expected)):
        assert f"'{ending}'" in told[0]


def test_predictions_beside_their_targets_are_not_scored_against_themselves(
    tmp_path: Path,
) -> None:
    folder = _write(tmp_path / "both", *_named("_gt"), *_named("_pred"))
    with pytest.warns(UserWarning, match="'_gt' are taken for targets"):
        pairs = Dataset.of_targets(folder).split("test")
    assert [pair.id for pair in pairs] == list(IDS)
    with pytest.warns(UserWarning, match="took '_pred' off"):
        found = find_predictions(folder, pairs)
    assert {path.stem for path in found.values()} == set(_named("_pred"))
    assert {pair.target.path.stem for pair in pairs} == set(_named("_gt"))


def test_results_as_targets_of_themselves_score_the_generated_side(tmp_path: Path) -> None:
    folder = _write(tmp_path / "images", *_named("_real_A"), *_named("_real_B"), *_named("_fake_B"))
    with pytest.warns(UserWarning, match="'_real_B' are taken for targets"):
        pairs = Dataset.of_targets(folder).split("test")
    assert {path.stem for path in find_predictions(folder, pairs).values()} == set(
        _named("_fake_B")
    )


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (lambda: [*_named("_v1"), *_named("_v2")], "end in '_v1', '_v2', and any of them"),
        (lambda: [*_named("_fake"), *_named("_pred")], "end in '_fake', '_pred'"),
        (lambda: _named("_real"), "3 of 3 pairs have no prediction"),
        (lambda: _named("_fake")[:2], "1 of 3 pairs have no prediction: img10"),
        (lambda: [*IDS, "img0_fake_B"], "two predictions"),
    ],
)
def test_endings_that_say_nothing_certain_are_refused(
    root: Path, names: Callable[[], list[str]], told: str
) -> None:
    folder = _write(root / "made", *names())
    with pytest.raises(DataError, match=told):
        find_predictions(folder, Dataset.open(str(root / "d")).split("test"))


def test_names_that_are_ids_win_over_endings(root: Path) -> None:
    folder = _write(root / "made", *IDS, *_named("_pred"))
    found = find_predictions(folder, Dataset.open(str(root / "d")).split("test"))
    assert {path.stem for path in found.values()} == set(IDS)
