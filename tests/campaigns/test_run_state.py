"""The state of a run is what its folder tells, whoever works in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import DrawnFolder
from factories import TINY

import i2ibench
from i2ibench.campaigns.run_state import state_of
from i2ibench.campaigns.run_status import RunStatus, read_status, write_status
from i2ibench.campaigns.worker import StatusReporter
from i2ibench.errors import DataError, Interrupted
from i2ibench.runs.folder import working_in
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.run import run as run_stages


class Stops(Reporter):
    """Ends a training after some steps, as a crash would: without a checkpoint."""

    def __init__(self, after: int) -> None:
        self.after = after

    def training(self, step, total, losses) -> None:
        if step == self.after:
            raise Interrupted("stopped")


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DrawnFolder(tmp_path / "small").draw("train", 4).draw("test", 4)
    settings = "\n".join(f'"{key}" = {json.dumps(value)}' for key, value in TINY.items())
    Path("mine.toml").write_text(
        'name = "mine"\ndatasets = ["small"]\nmodels = ["pyramid"]\n'
        f'protocols = ["i2i-2", "stain-2"]\n[set]\n{settings}'
    )
    return i2ibench.campaign("mine.toml", device="cpu")


def test_a_run_passes_its_states_and_the_campaign_counts_them(campaign):
    first, second = campaign.runs
    assert first.training == second.training
    assert state_of(first).text == "new"
    with pytest.raises(Interrupted):
        i2ibench.run(first.options, Stops(2))
    assert state_of(first).kind == "training"
    i2ibench.train(first.options)
    assert state_of(first).text == "trained"
    i2ibench.translate(first.options)
    assert state_of(first).text == "translated"
    assert campaign.summary(campaign.states()) == "1 translated, 1 new"
    run_stages(first.options)
    assert state_of(first).text == "finished"
    assert repr(campaign).splitlines()[1].startswith("1 finished, 1 new, about")
    [done, left] = campaign.estimates()
    assert done.seconds == 0
    # Its training is that of the first; beside it stands what the first took for the rest.
    cost = i2ibench.read_result(first.folder.result).cost
    assert left.seconds == pytest.approx(cost.translate_seconds + cost.evaluate_seconds)
    assert left.memory_mb == pytest.approx(cost.peak_memory_mb) and first.id in left.source
    frame = campaign.to_frame()
    assert frame["state"].tolist() == ["finished", "new"]
    assert frame["run"].tolist() == [first.id, second.id]


def test_a_run_at_work_tells_who_where_how_far_and_its_losses(campaign):
    run = campaign.runs[0]
    with working_in(run.folder):
        assert state_of(run).running and state_of(run).where == "started by hand"
        reporter = StatusReporter(run.folder, 2)
        reporter.computes_on("cpu")
        reporter.stage("training pyramid on 4 pairs")
        reporter.training(4, 4, {"G": 1.5, "D": float("nan")})
        state = state_of(run)
        assert state.text == "training 100 %" and state.running
        assert state.status.losses == {"G": 1.5} and "CPU" in state.where
        assert state.status.attempt == 2
        row = campaign.rows()[0]
        assert row["losses"] == {"G": 1.5} and row["running"]
        json.dumps(row, allow_nan=False)
        reporter.stage("translating 4 images")
        reporter.progress(4, 4)
        assert state_of(run).text == "translating 4 images 4/4"
    left = state_of(run)
    assert not left.running and "without a word" in left.reason


def test_a_failure_is_told_until_the_run_is_finished(campaign):
    run = campaign.runs[0]
    reporter = StatusReporter(run.folder, 1)
    assert reporter.end("failed", "it went wrong; mend it", 3) == 3
    assert state_of(run).kind == "failed" and state_of(run).reason == "it went wrong; mend it"
    run_stages(replace(run.options))
    assert state_of(run).kind == "finished"


def test_a_damaged_status_is_told_and_stops_no_list(campaign):
    run = campaign.runs[0]
    run.folder.status.parent.mkdir(parents=True)
    run.folder.status.write_text("{")
    assert "status.json" in state_of(run).reason
    assert len(campaign.rows()) == 2
    with pytest.raises(DataError, match=r"status\.json"):
        read_status(run.folder.status)


def test_a_status_is_read_as_it_was_written(tmp_path):
    status = RunStatus(state="failed", attempt=1, host="h", pid=3, started="a", updated="b")
    write_status(tmp_path / "status.json", status)
    assert read_status(tmp_path / "status.json") == status
    assert read_status(tmp_path / "absent.json") is None
