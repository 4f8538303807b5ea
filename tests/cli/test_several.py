"""Verbs that take several files do them all and end with the worst exit code."""

from __future__ import annotations

import json

import pytest

from i2ibench.cli.app import run_app


def call(capsys, *arguments):
    code = run_app([str(argument) for argument in arguments])
    return (code, *capsys.readouterr())


@pytest.fixture
def runs(capsys, drawn, tmp_path):
    """Two run folders of one model, and the line that says where their data are."""
    drawn.draw("test", 4)
    line = ["run", "--model", "copy", "--dataset", drawn.root, "--device", "cpu"]
    places = ["--output", tmp_path / "runs", "--repeats", "2"]
    assert call(capsys, *line, *places)[0] == 0
    return sorted((tmp_path / "runs/drawn/copy").iterdir()), ["--dataset", drawn.root]


def test_every_result_is_verified_and_told(capsys, runs):
    folders, where = runs
    code, out, err = call(capsys, "verify", *folders, *where)
    assert code == 0 and "error" not in err
    assert [f"{folder / 'result.json'}: confirmed" in out for folder in folders] == [True, True]
    code, out, _ = call(capsys, "verify", *folders, *where, "--json")
    assert code == 0
    assert [(each["result"], each["confirmed"]) for each in json.loads(out)] == [
        (str(folder / "result.json"), True) for folder in folders
    ]
    code, out, _ = call(capsys, "verify", folders[0], *where, "--json")
    assert json.loads(out)["confirmed"] is True, "of one result the form stays"


def test_one_bad_result_does_not_stop_the_others(capsys, runs, tmp_path):
    folders, where = runs
    prediction = next((folders[0] / "predictions").glob("*.png"))
    prediction.write_bytes(prediction.read_bytes() + b"x")
    asked = [tmp_path / "absent", *folders]
    code, out, err = call(capsys, "verify", *asked, *where)
    assert code == 5
    assert f"{folders[1] / 'result.json'}: confirmed" in out and prediction.stem in out
    assert err.count("error:") == 2 and "absent: no such file" in err
    code, out, _ = call(capsys, "verify", *asked, *where, "--json")
    absent, bad, good = json.loads(out)
    assert code == 5 and "no such file" in absent["error"]
    assert [absent["confirmed"], bad["confirmed"], good["confirmed"]] == [False, False, True]
    code, out, err = call(capsys, "verify", *asked[::2], *where)
    assert code == 3 and "confirmed" in out


def test_every_confirmed_result_is_recorded(capsys, runs):
    folders, where = runs
    assert call(capsys, "verify", *folders, *where, "--record")[0] == 0
    for folder in folders:
        assert json.loads((folder / "result.json").read_text())["status"] == "verified"


def test_predictions_belong_to_one_result(capsys, runs, tmp_path):
    folders, where = runs
    code, out, err = call(capsys, "verify", *folders, *where, "--predictions", tmp_path)
    assert (code, out) == (2, "") and "--predictions" in err
    code, out, err = call(capsys, "leaderboard", "add", *folders, "--scores", tmp_path / "s.csv")
    assert (code, out) == (2, "") and "--scores" in err


def test_several_entries_are_added_and_their_board_is_built_once(capsys, runs, tmp_path):
    folders, _ = runs
    board = ["--board", tmp_path / "boards"]
    code, out, err = call(capsys, "leaderboard", "add", *folders, *board)
    assert (code, out) == (0, "")
    assert err.count("added:") == 2 and err.count("written:") == 1
    assert len(list((tmp_path / "boards/drawn").glob("*.json"))) == 2
    assert call(capsys, "leaderboard", "check", *board)[0] == 0


def test_an_entry_that_cannot_be_added_leaves_the_others_on_the_board(capsys, runs, tmp_path):
    folders, _ = runs
    board = ["--board", tmp_path / "boards"]
    code, _, err = call(capsys, "leaderboard", "add", tmp_path / "absent", *folders, *board)
    assert code == 3 and err.count("added:") == 2 and "absent: no such file" in err
    assert call(capsys, "leaderboard", "check", *board)[0] == 0


def test_a_run_enters_the_board_beside_it_and_says_how_to_see_it(capsys, runs, drawn, tmp_path):
    line = ["run", "--model", "mean-colour", "--dataset", drawn.draw("train", 2).root]
    code, _, err = call(capsys, *line, "--output", tmp_path / "runs")
    assert code == 0 and "warning" not in err
    page = tmp_path / "runs/leaderboards/drawn.md"
    assert "mean-colour" in page.read_text() and f"leaderboard  {page}" in err
    (told,) = [each.partition("i2ibench ")[2] for each in err.splitlines() if "show it" in each]
    code, out, _ = call(capsys, *told.split())
    assert code == 0 and "mean-colour" in out and "copy" in out


def test_a_shipped_board_is_joined_only_where_it_is_named(capsys, drawn, tmp_path, monkeypatch):
    drawn.draw("test", 2)
    monkeypatch.chdir(tmp_path)
    line = ["run", "--model", "copy", "--dataset", "./drawn", "--device", "cpu"]
    assert call(capsys, *line)[0] == 0
    assert not (tmp_path / "leaderboards").exists()
    code, _, err = call(capsys, *line, "--board", "leaderboards")
    assert code == 0 and (tmp_path / "leaderboards/drawn.md").exists()
    assert "show it      i2ibench leaderboard show drawn\n" in err
