"""A board that takes intervals from the cache is the same to the byte, and a check takes none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from factories import pair_scores, result

from i2ibench.errors import DataError
from i2ibench.leaderboard import rows
from i2ibench.leaderboard.board import build_board, check_board
from i2ibench.leaderboard.entries import add_entry


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A board of three methods on twenty pairs of two levels."""
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    for number in range(3):
        _add(tmp_path / "boards", number)
    return tmp_path / "boards"


def _add(folder, number, shift=0.0):
    draw = np.random.default_rng(number)
    psnr = draw.normal(20 + number + shift, 1, 20)
    scores = pair_scores({"psnr": psnr, "ssim": draw.random(20)}, ["0", "3+"] * 10)
    model = {"name": f"m{number}", "parameters": number, "config": {}, "checkpoint_sha256": None}
    add_entry(folder, result(scores, model), pair_scores=scores, overwrite=True)


def _kept(folder):
    [file] = (folder.parent / "cache" / "board-intervals").iterdir()
    return file


def test_a_board_from_the_cache_is_the_same_to_the_byte(board, monkeypatch):
    page = build_board(board, "drawn").read_text()
    monkeypatch.setattr(rows, "score_intervals", None)  # calling it would fail
    assert build_board(board, "drawn").read_text() == page
    _kept(board).write_text("{damaged")
    with pytest.raises(TypeError):
        build_board(board, "drawn")


def test_changed_scores_are_computed_anew_and_what_is_gone_is_not_kept(board):
    build_board(board, "drawn")
    before = json.loads(_kept(board).read_text())
    _add(board, 2, shift=3.0)
    page = build_board(board, "drawn").read_text()
    after = json.loads(_kept(board).read_text())
    assert len(before) == len(after) == 3 and len(before.keys() & after.keys()) == 2
    _kept(board).unlink()
    assert build_board(board, "drawn").read_text() == page


def test_a_check_takes_nothing_from_the_cache(board):
    build_board(board, "drawn")
    kept = json.loads(_kept(board).read_text())
    for each in kept.values():
        each["overall"]["ssim"][1] = ["0x0p+0", "0x1p+0"]
    _kept(board).write_text(json.dumps(kept))
    check_board(board, "drawn")
    build_board(board, "drawn")  # believes its cache
    with pytest.raises(DataError, match="does not follow"):
        check_board(board, "drawn")
