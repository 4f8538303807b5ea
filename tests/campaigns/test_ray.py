"""A campaign on a real Ray cluster survives the end of its driver, its processes, a machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.processes import end_group

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def found(tmp_path_factory, ray_address):
    """What ``ray_drivers.py`` found."""
    if sys.platform != "linux":
        pytest.skip("finds the processes of Ray in /proc")
    folder = tmp_path_factory.mktemp("ray")
    script = Path(__file__).with_name("ray_drivers.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "I2IBENCH_CACHE": str(folder / "cache")}
    # In a session of its own, so that no driver outlives a test that fails.
    process = subprocess.Popen(
        [sys.executable, "-P", str(script), str(folder), ray_address],
        env={**environment, "PYTHONPATH": str(script.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said, complained = process.communicate(timeout=1200)
    finally:
        end_group(process)
        process.wait()
    assert process.returncode == 0, complained.decode()
    return {**json.loads(said.splitlines()[-1]), "complained": complained.decode()}


def test_twelve_runs_on_ray_survive_a_killed_driver_process_and_machine(found):
    # One test: each worker of pytest-xdist that took a part of it would run the campaign anew.
    begin, end = found["after_first"], found["at_the_end"]
    assert len(end) == 12
    assert (found["first"], found["second"]) == (-9, 1), found["complained"]
    states = {title.partition(" ")[0]: run["state"] for title, run in end.items()}
    assert states.pop("Breaks") == "failed" and {*states.values()} == {"finished"}
    # Interruption of the driver loses nothing: its run has saved its work, the finished stay.
    orphan = begin["Orphan on small, scores, seed 0"]
    assert orphan["state"] == "training" and "after step 5 of 6" in orphan["reason"]
    done = {title: run["written"] for title, run in begin.items() if run["state"] == "finished"}
    assert {title: end[title]["written"] for title in done} == done
    # A failure is told, and tried again as often as was said; a lost machine is no failure.
    told = found["told"].splitlines()
    assert "no luck" in end["Breaks on small, scores, seed 0"]["reason"]
    assert any("tried again" in line and "Dies" in line and "SIGKILL" in line for line in told)
    [lost] = [line for line in told if line.startswith("lost")]
    assert "Machine on small" in lost
    # Nothing is trained twice; what was killed goes on where its checkpoint stands.
    begun: dict[str, int] = {}
    for run in end.values():
        begun[run["training"]] = begun.get(run["training"], 0) + run["begun"]
    pyramids = {run["training"] for title, run in end.items() if title.startswith("pyramid")}
    assert len(pyramids) == 2 and {begun[training] for training in pyramids} == {1}
    assert {rows for title, rows in found["rows"].items() if "Breaks" not in title} == {6}
    # Neither Ray's processes nor the runs import from the working directory.
    assert not found["imported"]
