"""A campaign of twelve runs on Ray whose driver is killed, and then one of two machines.

    python tests/campaigns/ray_drivers.py FOLDER ADDRESS

One run always fails, one is killed once, one kills the driver, and one the machine it runs on, each
in the middle of its training. Prints as JSON what was found after each of two drivers.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from pathlib import Path

from forked_drivers import CAMPAIGN, HAPPENS, MODEL, PROTOCOL, found

import i2ibench
from i2ibench.campaigns.campaign import Campaign, UnfinishedError
from i2ibench.data.synthetic.drawing import SyntheticOptions
from i2ibench.data.synthetic.generate import generate

# It goes on when it has been told to end.
ONCE = """mark = Path(__file__).with_name("has-killed-{what}")
            if not mark.exists():
                mark.touch()
                told, former = threading.Event(), signal.getsignal(signal.SIGTERM)
                signal.signal(signal.SIGTERM, lambda *a: (told.set(), former(*a)))
                os.kill({pid}, signal.SIGKILL)
                while not told.wait(0.1): pass"""
# The first driver may start it beside the run that kills that driver: it waits for its end.
ONLY_SECOND = """self.steps += 1
        if self.steps == 1 and not Path(__file__).with_name("second").exists():
            told, former = threading.Event(), signal.getsignal(signal.SIGTERM)
            signal.signal(signal.SIGTERM, lambda *a: (told.set(), former(*a)))
            while not told.wait(0.1): pass"""
DRIVER = 'int(Path(__file__).with_name("driver.pid").read_text())'
# A run's parent is a process of Ray, and that one's the Ray of the machine.
MACHINE = 'int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])'


def drive(file: str, address: str) -> int:
    """Drive the campaign in a process of its own, and return its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 9  # what is raised is printed
    try:
        Path("driver.pid").write_text(str(os.getpid()))
        with (
            Path("driver.log").open("a") as log,
            opened(file, log).on_ray(address, threads=1) as cluster,
        ):
            opened(file, log).run(executor=cluster, retries=1)
        code = 0
    except UnfinishedError:
        code = 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def opened(file: str, log=None) -> Campaign:
    """Read the campaign; what it tells goes to the log."""
    tell = None if log is None else lambda line: print(line, file=log, flush=True)
    return i2ibench.campaign(file, device="cpu", tell=tell)


def main() -> None:
    """Draw, run, kill, and run again."""
    folder, address = Path(sys.argv[1]), sys.argv[2]
    os.chdir(folder)
    generate(Path("small"), SyntheticOptions(size=32, train=4, test=4))
    (Path("numpy.py")).write_text('open("imported", "w")\nraise SystemExit("not to be imported")\n')
    text = CAMPAIGN.replace('"orphan.py"]', '"orphan.py", "machine.py"]')
    text = text.rpartition("[[also]]")[0]  # varpyramid gives its place to machine.py
    Path("campaign.toml").write_text(text)
    for name in ("scores", "others"):
        Path(f"{name}.toml").write_text(PROTOCOL.format(name=name))
    happens = {
        **HAPPENS,
        "Orphan": ONCE.format(what="driver", pid=DRIVER),
        "Machine": ONCE.format(what="machine", pid=MACHINE),
    }
    for name, what in happens.items():
        text = MODEL.format(name=name, happens=what)
        if name == "Machine":
            text = text.replace("self.steps += 1", ONLY_SECOND)
        Path(f"{name.lower()}.py").write_text(text)
    campaign = opened("campaign.toml")
    first = drive("campaign.toml", address)
    while any(s.running or "without a word" in s.reason for s in campaign.states()):
        threading.Event().wait(0.05)  # what the driver had started puts its work in order
    after_first = found(campaign)
    Path("second").touch()
    second = drive("campaign.toml", address)
    curves = {run.title: run.folder.curves for run in campaign.runs}
    answer = {
        "first": first,
        "after_first": after_first,
        "second": second,
        "at_the_end": found(campaign),
        "rows": {
            title: len(path.read_text().splitlines()) - 1
            for title, path in curves.items()
            if path.exists()
        },
        "told": Path("driver.log").read_text(),
        "imported": Path("imported").exists(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
