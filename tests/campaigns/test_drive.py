"""A campaign survives: failing runs, killed runs, killed drivers, two drivers at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import DrawnFolder

import i2ibench
from i2ibench.campaigns.run_state import state_of
from i2ibench.errors import DataError, Interrupted, UsageError
from i2ibench.executors import Ended, Work


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What ``forked_drivers.py`` found."""
    if sys.platform != "linux":
        pytest.skip("forks, and waits for signals")
    folder = tmp_path_factory.mktemp("twelve")
    script = Path(__file__).with_name("forked_drivers.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "I2IBENCH_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_campaign_whose_driver_is_killed_is_finished_by_the_next(found):
    assert found["first"] == -9
    assert len(found["at_the_end"]) == 12
    assert found["kinds"] == {"finished": 11, "failed": 1}


def test_a_failing_run_is_told_and_stops_no_other(found):
    failed = found["at_the_end"]["Breaks on small, scores, seed 0"]
    assert failed["state"] == "failed"
    assert "RuntimeError: no luck" in failed["reason"] and "\n" not in failed["reason"]
    assert found["codes"] == [1, 1]


def test_a_killed_run_is_told_and_finished_by_the_next_start(found):
    killed = "Dies on small, scores, seed 0"
    assert found["after_first"][killed]["state"] == "failed"
    assert "SIGKILL" in found["after_first"][killed]["reason"]
    assert found["at_the_end"][killed]["state"] == "finished"


def test_runs_of_a_killed_driver_save_their_work_and_end(found):
    orphan = found["after_first"]["Orphan on small, scores, seed 0"]
    assert orphan["state"] == "training"
    assert "after step 5 of 6" in orphan["reason"]


def test_nothing_is_trained_twice(found):
    begun: dict[str, int] = {}
    for run in found["at_the_end"].values():
        begun[run["training"]] = begun.get(run["training"], 0) + run["begun"]
    by_title = {title: begun[run["training"]] for title, run in found["at_the_end"].items()}
    pyramids = {k: v for k, v in by_title.items() if "pyramid" in k}
    assert len(pyramids) == 5 and set(pyramids.values()) == {1}
    # Continued once, after it was killed with its driver.
    assert by_title["Orphan on small, scores, seed 0"] == 2
    assert {rows for title, rows in found["rows"].items() if "Breaks" not in title} == {6}


def test_what_is_finished_is_left_alone(found):
    done = {k: v["written"] for k, v in found["after_first"].items() if v["state"] == "finished"}
    assert {title: found["at_the_end"][title]["written"] for title in done} == done


class Scripted:
    """An executor whose processes end as they are told to, without doing anything."""

    def __init__(self, *codes: int | type[BaseException]) -> None:
        self.codes, self.started, self.stopped = [*codes], [], 0

    @property
    def free(self) -> int:
        return 1

    def start(self, work: Work) -> None:
        self.started.append(work)

    def ended(self, patience: float) -> list[Ended]:
        code = self.codes.pop(0)
        if isinstance(code, Ended):
            return [replace(code, name=self.started[-1].name)]
        if not isinstance(code, int):
            raise code
        return [Ended(self.started[-1].name, code)]

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def one(tmp_path):
    """A campaign of one run, and what it tells."""
    DrawnFolder(tmp_path / "drawn").draw("train", 2).draw("test", 2)
    file = tmp_path / "one.toml"
    file.write_text('name = "one"\ndatasets = ["drawn"]\nmodels = ["copy"]\n')
    told: list[str] = []
    return i2ibench.campaign(file, output=tmp_path / "runs", tell=told.append), told


def test_a_run_that_fails_is_tried_again_as_often_as_was_said(one):
    campaign, told = one
    executor = Scripted(-9, 1, -15)
    with pytest.raises(i2ibench.I2IBenchError, match="1 of 1 run not finished"):
        campaign.run(executor=executor, retries=2)
    assert len(executor.started) == 3
    assert state_of(campaign.runs[0]).kind == "failed"
    assert [line for line in told if "attempt 3" in line]


@pytest.mark.parametrize("error", [UsageError, DataError])
def test_what_would_be_answered_again_is_not_tried_again(one, error):
    campaign, _ = one
    executor = Scripted(error.exit_code)
    with pytest.raises(i2ibench.I2IBenchError, match="not finished"):
        campaign.run(executor=executor, retries=5)
    assert len(executor.started) == 1


@pytest.mark.parametrize(("raised", "told"), [(KeyboardInterrupt, Interrupted), (OSError, OSError)])
def test_whatever_ends_the_driver_ends_its_runs(one, raised, told):
    executor = Scripted(raised)
    with pytest.raises(told):
        one[0].run(executor=executor)
    assert executor.stopped == 1


def test_settings_that_a_run_refuses_are_told_before_any_is_started(one):
    campaign, _ = one
    text = campaign.file.read_text()
    campaign.file.write_text(text + 'protocols = ["i2i-2"]\n[set]\n"training.epochs" = -1\n')
    executor = Scripted()
    with pytest.raises(UsageError, match=r"one\.toml: copy on drawn.*training\.epochs = -1"):
        i2ibench.campaign(campaign.file).run(executor=executor)
    assert not executor.started


def test_a_run_whose_machine_was_lost_is_started_again_and_has_not_failed(one):
    campaign, told = one
    lost = Ended("", -9, "its machine has gone", lost=True)
    executor = Scripted(lost, lost, DataError.exit_code)
    with pytest.raises(i2ibench.I2IBenchError, match="not finished"):
        campaign.run(executor=executor)
    assert len(executor.started) == 3
    assert len([line for line in told if "lost" in line and "its machine has gone" in line]) == 2
    assert not [line for line in told if "attempt 2" in line]


def test_a_run_that_loses_every_machine_fails_with_the_reason(one):
    campaign, _ = one
    executor = Scripted(*[Ended("", -9, "its machine has gone", lost=True)] * 4)
    with pytest.raises(i2ibench.I2IBenchError, match="its machine has gone"):
        campaign.run(executor=executor)
    assert len(executor.started) == 4
