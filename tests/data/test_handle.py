"""The handle of a data set: found once, said once, listed once."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import TINY

from i2ibench import Options, open_dataset
from i2ibench.cli.app import run_app
from i2ibench.data.dataset import Dataset
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.runs.plan import resolve

PANELS = ("IHC", "hematoxylin", "DAPI", "Lap2", "marker", "segmentation")


@pytest.fixture
def six_panels(tmp_path: Path) -> Path:
    """Files of six panels in a row, each panel of its own grey."""
    for split in ("train", "test"):
        folder = tmp_path / "six" / split
        folder.mkdir(parents=True)
        for index in range(3):
            panels = [np.full((16, 16, 3), 20 * n + index, np.uint8) for n in range(6)]
            cv2.imwrite(str(folder / f"{index}.png"), np.hstack(panels))
    return tmp_path / "six"


def test_a_handle_gives_what_opening_a_split_gives(drawn) -> None:
    root = drawn.draw("train", 4).draw("test", 6).root
    handle = Dataset.open(root, direction="BtoA", limit=5)
    assert handle.splits == ("train", "test")
    for split, count in (("train", 4), ("test", 5)):
        assert len(handle.split(split)) == count
        assert handle.split(split) == open_dataset(root, split, direction="BtoA", limit=5)
    assert handle.split_if_there("val") is None
    with pytest.raises(DataError, match="has no split 'val'"):
        handle.split("validation")


def test_a_split_is_listed_and_checked_once(drawn) -> None:
    handle = Dataset.open(drawn.draw("test", 4).root)
    first = handle.split("test")
    (drawn.root / "IHC" / "test" / "00001_test_1+.png").unlink()
    assert handle.split("testing") is first
    with pytest.raises(DataError, match="no partner"):
        open_dataset(drawn.root)


def test_a_command_that_opens_all_splits_says_once_what_a_folder_is_called(tmp_path, drawn) -> None:
    drawn.draw("train", 8).draw("val", 4).draw("test", 4)
    own = drawn.root.rename(tmp_path / "bci")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plan = resolve(
            Options(model="varpyramid", dataset=str(own), settings=TINY, output=tmp_path / "runs")
        )
        assert plan.validation is not None
    told = [str(each.message) for each in caught if "own-bci" in str(each.message)]
    assert len(told) == 1
    assert plan.dataset.name == "own-bci"
    assert not plan.dataset.is_of_catalogue


def test_a_set_that_is_absent_has_a_card_and_says_how_to_get_it() -> None:
    handle = Dataset.open("facades")
    assert (handle.root, handle.is_of_catalogue) == (None, True)
    assert handle.card.title
    with pytest.raises(MissingError, match="datasets facades --fetch"):
        handle.split("test")


def test_a_bare_folder_of_targets_is_a_data_set_of_one_split(tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    for name in ("b", "a", "c"):
        cv2.imwrite(str(folder / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    handle = Dataset.of_targets(folder, limit=2)
    assert handle.splits == ("test",)
    assert [pair.id for pair in handle.split()] == ["a", "b"]
    assert handle.split_if_there("train") is None
    with pytest.raises(DataError, match="absent"):
        Dataset.of_targets(tmp_path / "absent")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused_when_the_set_is_opened(drawn, limit: int) -> None:
    with pytest.raises(UsageError, match="limit must be at least 1"):
        Dataset.open(drawn.draw("test", 2).root, limit=limit)


@pytest.mark.parametrize("verb", ["audit", "datasets", "doctor --dataset"])
def test_verbs_take_the_direction_that_their_message_advises(
    verb: str, six_panels: Path, capsys
) -> None:
    arguments = [*verb.split(), str(six_panels)]
    code = run_app(arguments)
    out, err = capsys.readouterr()
    advice = "--direction 1to2"
    assert advice in " ".join((out + err).split())
    if verb != "audit":  # a fault of the data is a finding of an audit, not its end
        assert code == 3
    assert run_app([*arguments, *advice.split()]) == 0


def test_the_direction_chooses_the_panels(six_panels: Path) -> None:
    pairs = Dataset.open(six_panels, direction="3to5").split("test")
    assert [pairs[0].source.box[0], pairs[0].target.box[0]] == [32, 64]
    with pytest.raises(UsageError, match="unknown direction '3to9'"):
        Dataset.open(six_panels, direction="3to9").split("test")


def test_a_linked_folder_of_targets_keeps_the_name_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "kept" / "images").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "kept" / "images" / "a.png"), np.zeros((8, 8, 3), np.uint8))
    link = tmp_path / "my_targets"
    link.symlink_to(tmp_path / "kept" / "images")
    assert Dataset.of_targets(link).name == "my_targets"


def test_a_split_of_bare_targets_that_is_not_there_is_no_silent_test(tmp_path, capsys) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.zeros((8, 8, 3), np.uint8))
    assert run_app(["evaluate", str(folder), "--targets", str(folder), "--split", "val"]) == 3
    assert "has no split 'val'" in capsys.readouterr().err


def test_a_path_object_is_never_a_name_of_the_catalogue(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        Dataset.open(Path("bci"))
