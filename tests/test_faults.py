"""A kill or a refused system call at any write: the same command then gives the same numbers.

Every point of every job is tried where the environment variable I2IBENCH_FAULTS is "all".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = ["draw:kill", "evaluate:kill", "add:kill", "copy:kill"]
REFUSED = ["draw:ENOSPC", "evaluate:EIO", "add:EDQUOT", "copy:ENOLCK", "add:EACCES"]
NIGHTLY = [
    *KILLS,
    "train:kill",
    *(
        f"{scenario}:{number}"
        for scenario in ("draw", "evaluate", "add")
        for number in ("ENOSPC", "EDQUOT", "EIO", "EFBIG", "EROFS", "ENOLCK", "EMFILE", "EACCES")
    ),
    "copy:EIO",
    "train:ENOSPC",
]


def _try(jobs: list[str], *more: str) -> dict[str, dict]:
    script = Path(__file__).with_name("faults.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), *jobs, *more]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict] = {}
    for line in done.stdout.splitlines():
        found |= json.loads(line)
    return found


def _check(found: dict[str, dict], jobs: list[str]) -> None:
    assert [*found] == jobs
    assert all(each["numbers"] for each in found.values())
    assert {job: each["wrong"] for job, each in found.items() if each["wrong"]} == {}


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform != "linux", reason="forks; /proc")
def test_some_faults_of_every_kind_change_no_number_and_are_told() -> None:
    jobs = [*KILLS, *REFUSED]
    _check(_try(jobs, "--points", "2"), jobs)


@pytest.mark.skipif(os.environ.get("I2IBENCH_FAULTS") != "all", reason="I2IBENCH_FAULTS is not all")
@pytest.mark.parametrize("job", NIGHTLY)
def test_every_fault_changes_no_number_and_is_told(job: str) -> None:
    _check(_try([job]), [job])
