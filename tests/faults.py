"""Commands that are killed, or refused by the system, at each of their writes; then done again.

    python tests/faults.py draw:kill evaluate:ENOSPC ... [--points K]

A fault point lies before every opening for writing, half of every write, every sync, lock, rename,
removal and new folder below the working folder. Each is tried in a process of its own, forked from
this one, which has imported everything. Prints what went
wrong as JSON, a line a job.
"""

from __future__ import annotations

import argparse
import builtins
import errno
import fcntl
import hashlib
import importlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_TINY = [
    "model.generator=resnet_6blocks",
    "model.ngf=2",
    "model.ndf=2",
    "training.epochs=1",
    "training.decay_epochs=0",
    "training.batch_size=2",
    "images.crop=24",
    "images.resize=32",
]
_SET = [word for setting in _TINY for word in ("--set", setting)]
_SCORES = ["--protocol", "faults.toml"]
_PROTOCOL = """
id = "faults"
title = "Faults"
description = "Three metrics without weights."
metrics = [{ name = "psnr" }, { name = "ssim" }, { name = "variance-ratio" }]
"""
SCENARIOS = {
    "copy": ["run", "--model", "copy", "--dataset", "set", "--output", "out", *_SCORES],
    "train": [
        *("run", "--model", "varpyramid", "--dataset", "set", "--output", "out", "--device", "cpu"),
        *_SCORES,
        *_SET,
    ],
    "evaluate": ["evaluate", "predictions", "--dataset", "set", "--output", "out", *_SCORES],
    "add": ["leaderboard", "add", "scored", "--board", "out", "--overwrite"],
    "draw": [
        *("datasets", "synthetic", "--to", "out"),
        *("--set", "size=32", "--set", "train=3", "--set", "test=2"),
    ],
}
# So that a child need not import them.
_IMPORTED = (
    "torch",
    "i2ibench.runs.run",
    "i2ibench.cli.run",
    "i2ibench.cli.results",
    "i2ibench.cli.evaluate",
    "i2ibench.cli.leaderboard",
    "i2ibench.leaderboard.exports",
    "i2ibench_baselines.pyramid",
)
# What the command line may answer with.
_CODES = {0, 1, 2, 3, 4, 5, 130}


@dataclass
class Fault:
    """What happens at which point; counts points until then.

    Attributes:
        kind: ``"kill"``, or the name of an errno.
        at: number of the point; -1 for none.
        root: only files below it have points.
        seen: the points so far.
    """

    kind: str
    at: int
    root: str
    seen: list[str] = field(default_factory=list)

    def point(self, what: str, path: object, half: Callable[[], object] = lambda: None) -> None:
        """Pass a fault point; ``half`` is done of the step where the fault happens."""
        if isinstance(path, int) or not Path(os.fsdecode(path)).absolute().is_relative_to(
            self.root
        ):
            return
        self.seen.append(what)
        if len(self.seen) - 1 != self.at:
            return
        half()
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self.kind)
        # As the system does: a failed write knows no name.
        name = None if what in ("write", "sync", "lock") else os.fsdecode(path)
        raise OSError(number, os.strerror(number), name)


def install(fault: Fault) -> None:
    """Put fault points into this process, for good."""
    events = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod"}

    def audit(event: str, arguments: tuple) -> None:
        if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            fault.point("open", arguments[0])
        elif event in events:
            fault.point(event, arguments[0])

    class Raw(io.FileIO):
        def write(self, content: bytes) -> int:
            half = bytes(content)[: len(content) // 2]
            fault.point("write", self.name, lambda: super(Raw, self).write(half))
            return super().write(content)

    plain = io.open

    def opened(file: object, mode: str = "r", buffering: int = -1, *rest: object, **more: object):
        if isinstance(file, int) or not set(mode) & set("wax") or "b" not in mode:
            return plain(file, mode, buffering, *rest, **more)
        raw = Raw(file, mode.replace("b", ""))
        return raw if buffering == 0 else io.BufferedWriter(raw)

    sync, flock = os.fsync, fcntl.flock

    def synced(descriptor: int) -> None:
        fault.point("sync", Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    def locked(descriptor: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX:
            fault.point("lock", Path(f"/proc/self/fd/{descriptor}").readlink())
        flock(descriptor, operation)

    io.open = builtins.open = opened
    os.fsync, fcntl.flock = synced, locked
    sys.addaudithook(audit)


def command(arguments: list[str], work: Path, fault: Fault | None) -> tuple[int, str, list[str]]:
    """Run the command line in a child; return its exit status, what it said, and its points."""
    said, points = work.parent / "said", work.parent / "points"
    points.write_text("[]")
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            with said.open("w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os.chdir(work)
            if fault is not None:
                install(fault)
            from i2ibench.cli.app import run_app

            status = run_app(arguments)
            if fault is not None:
                points.write_text(json.dumps(fault.seen))
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, said.read_text(), json.loads(points.read_text())


def numbers(folder: Path) -> dict[str, object]:
    """Return what must not change: values of records, scores per pair, pictures, entries, pages."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.name == "result.json":
            content = json.loads(path.read_text())
            found[name] = [content[key] for key in ("metrics", "groups", "macro")]
        elif path.suffix in {".csv", ".png", ".md"} and not {"report", "training.csv"} & {
            *path.relative_to(folder).parts
        }:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.is_file() and path.parent.name == "set" and path.suffix == ".json":
            found[name] = json.loads(path.read_text())["metrics"]
    return found


def strays(folder: Path) -> list[str]:
    """Return half-written files and folders that are left."""
    return sorted(
        str(p.relative_to(folder)) for p in folder.rglob("*") if ".i2ibench.tmp" in p.name
    )


def prepare(template: Path) -> None:
    """Draw a data set, predictions of it, and two results of these; in a child."""
    (template / "faults.toml").write_text(_PROTOCOL)
    draw = ["datasets", "synthetic", "--to", "set", "--set", "size=32"]
    for arguments in (
        [*draw, "--set", "train=4", "--set", "test=16"],
        ["run", "--model", "blurred-target", "--dataset", "set", "--output", "runs", *_SCORES],
    ):
        status, said, _ = command(arguments, template, None)
        assert status == 0, said
    shutil.copytree(next((template / "runs").rglob("predictions")), template / "predictions")
    (template / "predictions" / "manifest.json").unlink()
    for name, folder in (("scored", "set/IHC/test"), ("former", "predictions")):
        arguments = ["evaluate", folder, "--dataset", "set", "--output", name, "--name", "given"]
        status, said, _ = command([*arguments, *_SCORES], template, None)
        assert status == 0, said
    # An entry of the same name that is to be replaced.
    arguments = ["leaderboard", "add", "former", "--board", "out"]
    status, said, _ = command(arguments, template, None)
    assert status == 0, said
    shutil.move(template / "out", template / "board")


def attempt(
    scenario: str, kind: str, at: int, template: Path, expected: dict[str, object]
) -> list[str]:
    """Return what is wrong when ``scenario`` meets a fault."""
    work = fresh(template, scenario)
    status, said, _ = command(SCENARIOS[scenario], work, Fault(kind, at, str(work)))
    wrong = []
    if kind == "kill":
        if status != -signal.SIGKILL:
            wrong.append(f"was not killed but ended with {status}: {said[-300:]}")
    elif status not in _CODES or "Traceback" in said:
        wrong.append(f"ended with {status}: {said[-600:]}")
    elif status != 0 and not any(line.startswith("error: ") for line in said.splitlines()):
        wrong.append(f"ended with {status} without a line: {said[-300:]}")
    if kind != "kill" and (left := strays(work)):
        wrong.append(f"left {left}")
    if scenario == "add" and (trouble := unreadable(work)):
        wrong.append(f"left a board that cannot be read: {trouble}")
    status, said, _ = command(SCENARIOS[scenario], work, None)
    # Killed after the last rename, it had done all it was asked for.
    done = scenario == "draw" and "is not an empty folder" in said
    if status != 0 and not done:
        wrong.append(f"the same command then ended with {status}: {said[-300:]}")
    elif (found := numbers(work / "out")) != expected:
        changed = sorted(k for k in {*found, *expected} if found.get(k) != expected.get(k))
        wrong.append(f"the same command then gave other numbers: {changed}")
    elif left := strays(work / "out"):
        wrong.append(f"the same command left {left}")
    return wrong


def unreadable(work: Path) -> str:
    """Return why the board cannot be read as it lies there; nothing where it can."""
    status, said, _ = command(
        ["leaderboard", "show", "set", "--board", "out", "--json"], work, None
    )
    return said[-300:] if status else ""


def fresh(template: Path, scenario: str) -> Path:
    """Return the working folder as it was before the command."""
    work = template.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(template, work)
    if scenario == "add":
        shutil.move(work / "board", work / "out")
    return work


def try_all(job: str, points: int | None, template: Path) -> dict[str, object]:
    """Try the points of one job, at most so many of them, and return what went wrong where."""
    scenario, kind = job.split(":")
    work = fresh(template, scenario)
    status, said, seen = command(SCENARIOS[scenario], work, Fault(kind, -1, str(work)))
    assert status == 0, said
    expected = numbers(work / "out")
    step = len(seen) / points if points and points < len(seen) else 1.0
    tried = [int((number + 0.5) * step) for number in range(int(len(seen) / step))]
    found = ((at, attempt(scenario, kind, at, template, expected)) for at in tried)
    wrong = {f"{at} {seen[at]}": faults for at, faults in found if faults}
    return {"points": len(seen), "tried": len(tried), "numbers": len(expected), "wrong": wrong}


def main() -> int:
    """Try all jobs and print what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("jobs", nargs="+", help="SCENARIO:kill, or SCENARIO:ENOSPC and the like")
    parser.add_argument("--points", type=int, help="at most so many a job, spread over all")
    arguments = parser.parse_args()
    for module in _IMPORTED:
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        os.environ |= {
            "I2IBENCH_CACHE": str(root / "work" / "cache"),
            "SOURCE_DATE_EPOCH": "1700000000",
            "COLUMNS": "300",
        }
        template = root / "template"
        template.mkdir()
        prepare(template)
        for job in arguments.jobs:
            print(json.dumps({job: try_all(job, arguments.points, template)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
