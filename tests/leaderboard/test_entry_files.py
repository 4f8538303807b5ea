"""Only whole, visible files are entries, and a bad one stops no other board."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from factories import pair_scores, result

from i2ibench.cli.app import run_app
from i2ibench.data.dataset import Dataset
from i2ibench.data.group_names import check_group_names
from i2ibench.data.images import write_png
from i2ibench.errors import DataError, UsageError
from i2ibench.leaderboard.board import board_names, build_board, read_board
from i2ibench.leaderboard.entries import add_entry, check_place
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve


def _of(name: str) -> dict[str, Any]:
    return {"name": name, "split": "test", "pairs": 2, "manifest_sha256": "a" * 64}


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Boards of two data sets with an entry each."""
    folder = tmp_path / "boards"
    scores = pair_scores({"psnr": [20.0, 21.0]})
    for name in ("one", "two"):
        add_entry(folder, result(scores, dataset=_of(name)), pair_scores=scores)
        build_board(folder, name)
    return folder


@pytest.mark.parametrize(
    "name",
    [".copy-x1.tmp.json", "._copy.json", ".ipynb_checkpoints/copy-checkpoint.json", ".DS_Store"],
)
def test_what_is_not_visible_is_no_entry(board: Path, name: str) -> None:
    before = read_board(board, "one")
    [entry] = (board / "one").glob("*.json")
    (board / "one" / name).parent.mkdir(exist_ok=True)
    shutil.copy(entry, board / "one" / name)
    assert len(read_board(board, "one").entries) == len(before.entries)
    (board / "one" / name).write_text("{torn")
    assert len(read_board(board, "one").entries) == len(before.entries)


def test_a_hidden_folder_is_no_board(board: Path) -> None:
    shutil.copytree(board / "one", board / ".ipynb_checkpoints")
    shutil.copytree(board / "one", board / ".Trash-0")
    (board / "._one.md").write_text("")
    assert board_names(board) == ["one", "two"]


@pytest.mark.parametrize("content", ["", "{torn", "[]", '{"schema": 99}', "\x00" * 9])
def test_a_bad_entry_is_told_and_stops_no_other_board(
    board: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    bad = board / "one" / "bad.json"
    bad.write_text(content)
    (board / "two.md").unlink()
    assert run_app(["leaderboard", "build", "--board", str(board)]) == 3
    assert (board / "two.md").exists()
    assert "bad.json" in capsys.readouterr().err
    assert run_app(["leaderboard", "check", "two", "--board", str(board)]) == 0
    bad.unlink()
    assert run_app(["leaderboard", "build", "--board", str(board)]) == 0
    assert run_app(["leaderboard", "check", "--board", str(board)]) == 0


@pytest.mark.parametrize("name", ["README", "readme", "x.", "CON", "a/b", "-x", "a\x1b"])
def test_a_board_that_cannot_be_called_so_is_refused_at_the_door(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="choose another"):
        check_place(tmp_path, name)
    scores = pair_scores({"psnr": [20.0, 21.0]})
    with pytest.raises(UsageError, match="choose another"):
        add_entry(tmp_path, result(scores, dataset=_of(name)), pair_scores=scores)


def test_a_board_folder_that_is_none_is_refused_at_the_door(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match="file is no folder"):
            check_place(place, "data")
    check_place(tmp_path / "new" / "below", "data")


def _pairs(folder: Path, *names: str) -> Path:
    import numpy as np

    for name in names:
        for split in ("train", "test"):
            write_png(folder / split / f"{name}.png", np.zeros((32, 64, 3), np.uint8))
    return folder


@pytest.mark.parametrize("name", ["README", "x."])
def test_an_unsafe_data_set_is_refused_before_the_training(tmp_path: Path, name: str) -> None:
    folder = _pairs(tmp_path / name, "a", "b")
    with pytest.raises(UsageError, match="choose another"):
        resolve(Options("copy", str(folder), output=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_ids_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    folder = _pairs(tmp_path / "d", "a", "b", "A")
    with pytest.raises(DataError, match="upper and lower case"):
        Dataset.open(str(folder)).split("test")


@pytest.mark.parametrize("group", ["all", "Overall", "macro mean", "", " ", "a\x1b", "a\u202e"])
def test_a_group_cannot_be_called_like_a_column_of_its_own(tmp_path: Path, group: str) -> None:
    with pytest.raises(DataError, match=r"d\.csv: .*rename it"):
        check_group_names(["1+", group], tmp_path / "d.csv")
    check_group_names(["1+", "0", "all of it"], "d.csv")


def test_an_entry_with_such_a_group_is_no_entry(board: Path) -> None:
    [entry] = (board / "one").glob("*.json")
    content = json.loads(entry.read_text())
    content["groups"] = {"macro mean": {"n": 1, "metrics": {}}}
    entry.write_text(json.dumps(content))
    with pytest.raises(DataError, match="json"):
        read_board(board, "one")
