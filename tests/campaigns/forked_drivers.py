"""A campaign of twelve runs whose driver is killed, and which two drivers then finish at once.

    python tests/campaigns/forked_drivers.py FOLDER

One run fails, one is killed in its training, and the driver is killed within a third. Drivers and
runs are forked from this process, which has imported everything; otherwise they are what
``i2ibench campaign run`` starts. Prints as JSON what was found after the first driver, and at the
end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import i2ibench
from i2ibench import processes
from i2ibench.campaigns.campaign import Campaign, UnfinishedError
from i2ibench.data.synthetic.drawing import SyntheticOptions
from i2ibench.data.synthetic.generate import generate
from i2ibench.executors import Ended, Work

CAMPAIGN = """
name = "twelve"
datasets = ["small"]
models = ["dies.py", "breaks.py", "orphan.py"]
protocols = ["scores.toml"]

[set]
training = { epochs = 3, decay_epochs = 0, batch_size = 2 }
images = { crop = 24 }
"model.generator" = "resnet_6blocks"
"model.ngf" = 2
"model.ndf" = 2

[[also]]
models = ["copy", "mean-colour"]
protocols = ["scores.toml", "others.toml"]
[[also]]
models = ["pyramid"]
seeds = [0, 1]
protocols = ["scores.toml", "others.toml"]
[[also]]
models = ["varpyramid"]
"""
PROTOCOL = """
id = "{name}"
title = "Two metrics"
metrics = [{{ name = "psnr" }}, {{ name = "ssim" }}]
"""
# What happens, happens in the fifth step of a training, and of the last two once.
MODEL = """
import os, signal, threading
from pathlib import Path
import torch
from i2ibench import Phase, TrainableModel

class {name}(TrainableModel):
    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Conv2d(3, 3, 1)
        self.steps = 0

    def translate(self, source):
        return torch.tanh(self.layer(source))

    def optimizers(self):
        return {{"all": torch.optim.Adam(self.parameters())}}

    def training_phases(self, batch):
        self.steps += 1
        if self.steps == 5:
            {happens}
        yield Phase("all", lambda: {{"l1": self.off(batch).abs().mean()}})

    def off(self, batch):
        return self.translate(batch.source) - batch.target
"""
HAPPENS = {
    "Breaks": 'raise RuntimeError("no luck")',
    "Dies": """mark = Path(__file__).with_name("has-died")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)""",
    # It goes on when it has been told that its driver has ended.
    "Orphan": """mark = Path(__file__).with_name("has-killed")
            if not mark.exists():
                mark.touch()
                told, former = threading.Event(), signal.getsignal(signal.SIGTERM)
                signal.signal(signal.SIGTERM, lambda *a: (told.set(), former(*a)))
                os.kill(os.getppid(), signal.SIGKILL)
                while not told.wait(0.1): pass""",
}


class Forked:
    """An executor of two places that forks."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[str, int]] = {}
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})

    @property
    def free(self) -> int:
        return 2 - len(self._running)

    def start(self, work: Work) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._work(work, reader, writer)
        os.close(reader)
        self._running[pid] = work.name, writer

    def ended(self, patience: float) -> list[Ended]:
        signal.sigtimedwait({signal.SIGCHLD}, patience)
        found = []
        for pid, (name, writer) in [*self._running.items()]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                os.close(writer)
                del self._running[pid]
                found.append(Ended(name, os.waitstatus_to_exitcode(status)))
        return found

    def stop(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)

    def _work(self, work: Work, reader: int, writer: int) -> None:
        os.setsid()
        for each in (writer, *(each for _, each in self._running.values())):
            os.close(each)
        work.log.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(work.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for number, place in ((0, reader), (1, log), (2, log)):
            os.dup2(place, number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        code = 1
        try:
            processes._run_helper(work.module, 30.0, [*work.arguments])
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else 0
        finally:
            os._exit(code)


def drive(campaign: Campaign) -> int:
    """Fork a driver and return its process."""
    pid = os.fork()
    if pid:
        return pid
    code = 9
    try:
        campaign.run(executor=Forked())
        code = 0
    except UnfinishedError:
        code = 1
    finally:
        os._exit(code)


def found(campaign: Campaign) -> dict[str, object]:
    """Return states, reasons and the number of trainings that were begun, by run."""
    runs = {}
    for run, state in zip(campaign.runs, campaign.states(), strict=True):
        log = run.folder.log.read_text() if run.folder.log.exists() else ""
        runs[run.title] = {
            "state": state.kind,
            "reason": state.reason,
            "training": run.training[:8],
            "begun": log.count(f"training {run.model} on"),
            "written": run.folder.result.stat().st_mtime_ns if state.kind == "finished" else 0,
        }
    return runs


def main() -> None:
    """Draw, run, kill, and run again."""
    folder = Path(sys.argv[1])
    os.chdir(folder)
    generate(Path("small"), SyntheticOptions(size=32, train=4, test=4))
    Path("campaign.toml").write_text(CAMPAIGN)
    for name in ("scores", "others"):
        Path(f"{name}.toml").write_text(PROTOCOL.format(name=name))
    for name, happens in HAPPENS.items():
        Path(f"{name.lower()}.py").write_text(MODEL.format(name=name, happens=happens))
    campaign = i2ibench.campaign("campaign.toml", device="cpu")
    assert len(campaign.runs) == 12
    _, status = os.waitpid(drive(campaign), 0)
    first = os.waitstatus_to_exitcode(status)
    while any(s.running or "without a word" in s.reason for s in campaign.states()):
        os.sched_yield()  # its orphans put their work in order, and say so
    after_first = found(campaign)
    both = [drive(campaign) for _ in range(2)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in both]
    rows = {
        run.title: len(run.folder.curves.read_text().splitlines()) - 1
        for run in campaign.runs
        if run.folder.curves.exists()
    }
    answer = {
        "first": first,
        "after_first": after_first,
        "codes": codes,
        "at_the_end": found(campaign),
        "rows": rows,
        "kinds": Counter(state.kind for state in campaign.states()),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
