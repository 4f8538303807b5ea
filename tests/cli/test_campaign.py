"""`i2ibench campaign list|run|status` as they are typed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import DrawnFolder
from factories import TINY

import i2ibench
from i2ibench.campaigns.run_state import RunState
from i2ibench.campaigns.run_task import toml_value
from i2ibench.cli.app import run_app
from i2ibench.cli.campaign_status import _live
from i2ibench.cli.terminal import answer


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DrawnFolder(tmp_path / "small").draw("train", 4).draw("test", 4)
    Path("mine.toml").write_text('name = "mine"\ndatasets = ["small"]\nmodels = ["copy"]\n')
    return tmp_path


def call(capsys, *arguments):
    code = run_app([*map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.filterwarnings("ignore")
def test_a_campaign_is_listed_run_and_found_finished(capsys):
    code, out, _ = call(capsys, "campaign", "list", "mine.toml")
    assert code == 0 and "1 run: 1 new" in out
    code, out, _ = call(capsys, "campaign", "list", "mine.toml", "--json")
    [row] = json.loads(out)
    assert row["state"] == "new" and row["run"] in row["folder"]
    code, out, err = call(capsys, "campaign", "run", "mine.toml", "--device", "cpu")
    assert code == 0, err
    assert "1 run: 1 finished" in out and f"finished: {row['run']}" in err
    record = json.loads(Path(row["folder"], "result.json").read_text())
    assert record["run_id"] == row["run"]
    assert record["environment"]["command"][:4] == ["i2ibench", "run", "--model", "copy"]
    assert not Path(row["folder"], "status.json").exists()
    for _ in range(2):
        code, out, err = call(capsys, "campaign", "run", "mine.toml", "--json")
        assert code == 0 and json.loads(out)[0]["state"] == "finished"
        assert "started:" not in err
    code, out, _ = call(capsys, "campaign", "status", "mine.toml", "--watch")
    assert code == 0 and "1 run: 1 finished" in out


def test_commands_and_the_array_script_are_all_there_is_on_stdout(capsys):
    code, out, _ = call(capsys, "campaign", "list", "mine.toml", "--commands")
    [line] = out.splitlines()
    assert code == 0 and shlex.split(line)[:2] == ["i2ibench", "run"]
    code, out, _ = call(capsys, "campaign", "list", "mine.toml", "--slurm")
    assert code == 0 and out.startswith("#!/bin/bash\n") and line in out
    code, _, err = call(capsys, "campaign", "list", "mine.toml", "--slurm", "--commands")
    assert code == 2 and "ask for one" in err


def test_a_mistake_in_the_file_is_one_line(capsys):
    Path("mine.toml").write_text('name = "mine"\nmodels = ["copy"]\ndataset = ["small"]\n')
    code, out, err = call(capsys, "campaign", "list", "mine.toml")
    assert code == 2 and not out
    assert "mine.toml" in err and "did you mean datasets" in err


def test_what_does_not_finish_is_the_exit_code_and_the_line(capsys):
    with Path("mine.toml").open("a") as file:
        file.write('[[also]]\ndatasets = ["bci"]\n')
    code, out, err = call(capsys, "campaign", "status", "mine.toml")
    assert code == 0 and "1 new, 1 blocked" in out and "not on this machine" in out
    code, _, err = call(capsys, "campaign", "status", "mine.toml", "--watch", "--json")
    assert code == 2 and "--watch" in err


@pytest.mark.filterwarnings("ignore")
def test_steps_are_measured_where_nothing_is_known(capsys, tmp_path):
    settings = "\n".join(f'"{key}" = {toml_value(value)}' for key, value in TINY.items())
    text = Path("mine.toml").read_text().replace("copy", "pyramid")
    text = f"{text}[set]\n{settings}".replace('epochs" = 1', 'epochs" = 5')
    Path("mine.toml").write_text(text)
    code, out, err = call(capsys, "campaign", "list", "mine.toml", "--estimate", "--device", "cpu")
    assert code == 0 and "measuring steps of pyramid" in err, err
    assert "from measured steps the training alone" in out
    [time] = json.loads(Path("runs/campaigns/mine.times.json").read_text())["times"].values()
    assert time["seconds"] > 0 and time["steps"] >= 3
    assert not list(Path("runs").glob("small/*"))


def test_a_live_view_shows_those_at_work_and_what_failed(capsys):
    with Path("mine.toml").open("a") as file:
        file.write('[[also]]\nmodels = ["mean-colour", "macenko"]\n')
    opened = i2ibench.campaign("mine.toml", device="cpu")
    failed = RunState("failed", reason="no luck")
    answer(_live(opened, [RunState("finished"), RunState("training", 0.43, True), failed]))
    out = capsys.readouterr().out
    assert "training 43 %" in out and "failed: no luck" in out
    assert "3 runs: 1 finished, 1 training, 1 failed, 1 running now" in out
    assert "copy" not in out
