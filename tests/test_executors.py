"""Processes of an executor: their places, threads and GPUs, and their end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.errors import UsageError
from i2ibench.executors import ProcessesHere, Work, gpus_here

HELPER = """
import json, os, signal, sys, threading
def main(arguments):
    place, *words = arguments
    if "wait" in words:
        told = []  # an exception out of the handler could be lost in a destructor
        signal.signal(signal.SIGTERM, lambda *_: told.append(7))
        open(place, "w").write(str(os.getpid()))
        while not told:  # a signal that comes just before a wait is seen after it
            threading.Event().wait(0.1)
        sys.exit(told[0])
    kept = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    open(place, "w").write(json.dumps({name: os.environ.get(name) for name in kept}))
    print("said", flush=True)
    if "die" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(3)
"""


@pytest.fixture(autouse=True)
def helper(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "placed.py").write_text(HELPER)
    monkeypatch.syspath_prepend(tmp_path / "modules")


def work(folder: Path, name: str, *words: str) -> Work:
    return Work(name, "placed", (str(folder / name), *words), folder / "logs" / "log")


def test_each_process_has_its_threads_and_one_gpu(tmp_path):
    executor = ProcessesHere(2, 3, gpus=["4", "GPU-abc"])
    for name in ("a", "b"):
        executor.start(work(tmp_path, name))
    assert executor.free == 0
    ended = {}
    while len(ended) < 2:
        ended |= {each.name: each.code for each in executor.ended(60)}
    assert ended == {"a": 3, "b": 3} and executor.free == 2
    seen = [json.loads((tmp_path / name).read_text()) for name in ("a", "b")]
    assert seen == [
        {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "4"},
        {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "GPU-abc"},
    ]
    assert (tmp_path / "logs" / "log").read_text() == "said\nsaid\n"


def test_cores_are_shared_out_and_gpus_are_not(monkeypatch):
    monkeypatch.setattr("i2ibench.executors.usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert ProcessesHere(3).threads == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert ProcessesHere(3).threads == 5 and ProcessesHere(3, 1).threads == 1
    assert ProcessesHere(gpus=["0", "1"]).jobs == 2
    with pytest.raises(UsageError, match=r"--jobs 3.*--jobs 2"):
        ProcessesHere(3, gpus=["0", "1"])


@pytest.mark.parametrize(
    ("device", "visible", "names"),
    [
        ("auto", None, ("0", "1", "2")),
        ("auto", "2,GPU-abc", ("2", "GPU-abc")),
        ("cuda:1", "2,GPU-abc", ("GPU-abc",)),
        ("cpu", "2", ()),
    ],
)
def test_gpus_are_those_that_this_process_may_use(monkeypatch, device, visible, names):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus_here(device) == names


def test_a_killed_process_is_told_by_its_signal(tmp_path):
    executor = ProcessesHere(1)
    executor.start(work(tmp_path, "a", "die"))
    [ended] = executor.ended(60)
    assert ended.code == -signal.SIGKILL


def test_processes_that_are_stopped_may_put_their_work_in_order(tmp_path):
    executor = ProcessesHere(1)
    executor.start(work(tmp_path, "a", "wait"))
    process = executor._running["a"][1]
    while not (tmp_path / "a").exists():
        os.sched_yield()
    executor.stop()
    assert process.returncode == 7


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from i2ibench.executors import ProcessesHere, Work
executor = ProcessesHere(1)
executor.start(Work("a", "placed", (sys.argv[2], "wait"), Path(sys.argv[3])))
executor.ended(60)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_processes_of_a_killed_driver_end(tmp_path):
    place = tmp_path / "a"
    arguments = [str(tmp_path / "modules"), str(place), str(tmp_path / "log")]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *arguments])
    while not place.exists() or not place.read_text():
        os.sched_yield()
    pid = int(place.read_text())
    assert Path(f"/proc/{pid}").exists()
    driver.kill()
    driver.wait()
    while _runs(pid):
        os.sched_yield()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
