"""Readers of a board see whole entries, whatever a writer is doing or did when it was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from factories import pair_scores, result

from i2ibench.leaderboard import entry_files
from i2ibench.leaderboard.board import build_board, check_board
from i2ibench.leaderboard.entries import add_entry, read_entries

# Replaces one entry until it is told to end.
WRITER = """
import os, select, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from factories import result
from test_readers import scores
from i2ibench.leaderboard.entries import add_entry
shift = 0
while not select.select([0], [], [], 0)[0]:
    shift += 1
    table = scores(shift % 2)
    add_entry(Path(sys.argv[1]), result(table), pair_scores=table, overwrite=True)
    if shift == 1:
        print("begun", flush=True)
print(shift)
"""


def scores(shift: float = 0.0):
    return pair_scores({"psnr": np.random.default_rng(0).normal(20, 3, 40) + shift})


def _add(folder: Path, shift: float) -> Path:
    table = scores(shift)
    return add_entry(folder, result(table), pair_scores=table, overwrite=True)


def _shift(folder: Path) -> float:
    """Read the one entry: its record and its scores must be of one measurement."""
    [entry] = read_entries(folder, "drawn")
    assert entry.pair_scores is not None
    assert entry.pair_scores["psnr"].mean() == pytest.approx(entry.result.metrics["psnr"].value)
    return round(entry.pair_scores["psnr"].mean() - scores()["psnr"].mean(), 6)


@pytest.mark.skipif(sys.platform == "win32", reason="waits for standard input by select")
def test_no_reader_sees_half_of_an_entry_that_is_being_replaced(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent)]
    factories = str(Path(__file__).parents[1])
    writer = subprocess.Popen(
        command, stdin=-1, stdout=-1, text=True, env={**os.environ, "PYTHONPATH": factories}
    )
    assert writer.stdout.readline() == "begun\n"
    seen = [_shift(tmp_path)]
    # On a busy machine the writer may come to nothing while a reader reads often.
    while len(seen) < 50 or sum(a != b for a, b in pairwise(seen)) < 4:
        assert writer.poll() is None
        seen.append(_shift(tmp_path))
    told, _ = writer.communicate("end\n")
    assert int(told) > 3 and {*seen} == {0.0, 1.0}


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_writer_killed_between_two_steps_leaves_a_whole_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    _add(tmp_path, 0)
    steps = []

    def killed_before(name: str):
        done = getattr(entry_files, name)

        def run(*arguments):
            steps.append(name)
            if len(steps) == step:
                raise SystemExit  # nothing of ours catches it
            return done(*arguments)

        monkeypatch.setattr(entry_files, name, run)

    killed_before("write_text")
    killed_before("_take_place")
    with pytest.raises(SystemExit):
        _add(tmp_path, 1)
    monkeypatch.undo()
    assert _shift(tmp_path) == (0 if step < 3 else 1)
    build_board(tmp_path, "drawn")
    check_board(tmp_path, "drawn")
    _add(tmp_path, 1)
    assert _shift(tmp_path) == 1
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["copy-seed0.csv", "copy-seed0.json"]
