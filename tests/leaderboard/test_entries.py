"""Entries under stress: written at once by many, torn, edited, repeated."""

from __future__ import annotations

import json
import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from factories import pair_scores, result

from i2ibench.errors import DataError, UsageError
from i2ibench.leaderboard.board import build_board, check_board
from i2ibench.leaderboard.entries import add_entry, read_entries


def _scores(shift: float = 0.0):
    return pair_scores({"psnr": np.random.default_rng(0).normal(20, 3, 40) + shift})


def _add_and_build(folder: Path, seed: int, start: Barrier) -> None:
    start.wait(timeout=60)
    scores = _scores(shift=seed)
    add_entry(folder, result(scores, seed=seed), pair_scores=scores)
    build_board(folder, "drawn")


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_twenty_processes_adding_at_once_lose_none(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(20)
    processes = [
        context.Process(target=_add_and_build, args=(tmp_path, seed, start)) for seed in range(20)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0] * 20
    assert len(read_entries(tmp_path, "drawn")) == 20
    check_board(tmp_path, "drawn")
    assert "20 entries measured" in (tmp_path / "drawn.md").read_text()
    assert not list(tmp_path.rglob("*.tmp*"))


def test_the_same_entry_can_be_added_again(tmp_path: Path) -> None:
    first = add_entry(tmp_path, result(_scores()), pair_scores=_scores())
    assert add_entry(tmp_path, result(_scores()), pair_scores=_scores()) == first


def test_other_content_is_not_overwritten_unless_told(tmp_path: Path) -> None:
    path = add_entry(tmp_path, result(_scores()), pair_scores=_scores())
    before = path.read_bytes()
    with pytest.raises(UsageError, match="--overwrite"):
        add_entry(tmp_path, result(_scores(1)), pair_scores=_scores(1))
    assert path.read_bytes() == before
    add_entry(tmp_path, result(_scores(1)), pair_scores=_scores(1), overwrite=True)
    assert path.read_bytes() != before
    assert read_entries(tmp_path, "drawn")[0].pair_scores["psnr"].equals(_scores(1)["psnr"])


def test_a_torn_entry_is_named_and_stops_the_board(tmp_path: Path) -> None:
    path = add_entry(tmp_path, result(_scores()), pair_scores=_scores())
    build_board(tmp_path, "drawn")
    page = (tmp_path / "drawn.md").read_bytes()
    path.write_text(path.read_text()[:300])
    with pytest.raises(DataError, match=r"copy-seed0\.json: not valid JSON"):
        build_board(tmp_path, "drawn")
    assert (tmp_path / "drawn.md").read_bytes() == page


def test_an_edited_entry_is_named(tmp_path: Path) -> None:
    path = add_entry(tmp_path, result(_scores()), pair_scores=_scores())
    content = json.loads(path.read_text())
    content["metrics"]["psnr"]["value"] = 99.0
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"copy-seed0\.json: edited"):
        read_entries(tmp_path, "drawn")


def test_edited_scores_of_an_entry_are_noticed(tmp_path: Path) -> None:
    path = add_entry(tmp_path, result(_scores()), pair_scores=_scores())
    table = path.with_suffix(".csv")
    table.write_text(table.read_text().replace("00003,,,", "00003,,,1"))
    with pytest.raises(DataError, match="not those the result was made of"):
        read_entries(tmp_path, "drawn")


def test_scores_of_another_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not those the result was made of"):
        add_entry(tmp_path, result(_scores()), pair_scores=_scores(1))
    assert not list(tmp_path.glob("drawn/*"))


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".."])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    dataset = {"name": name, "pairs": 40}
    with pytest.raises(UsageError, match="cannot be a file name"):
        add_entry(tmp_path / "boards", result(_scores(), dataset=dataset))
    model = {"name": name, "config": {}}
    with pytest.raises(UsageError, match="cannot be a file name"):
        add_entry(tmp_path / "boards", result(_scores(), model=model, seed=None))
    assert not list(tmp_path.rglob("*.json"))
