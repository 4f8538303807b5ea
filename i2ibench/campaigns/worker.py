"""The process that makes one run of a campaign, and says how far it is.

It says so in files alone: ``status.json`` while it works or where it failed, ``result.json`` where
it did not. What it prints goes to ``logs/run.log``.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from i2ibench.campaigns.run_status import RunStatus, write_status
from i2ibench.campaigns.run_task import Task, command, on_one_gpu
from i2ibench.errors import DataError, Interrupted, named
from i2ibench.explain import explain
from i2ibench.processes import interrupt_on_termination
from i2ibench.provenance import now
from i2ibench.runs.folder import RunFolder, run_folder, train_alone
from i2ibench.runs.outputs import BusyError
from i2ibench.runs.plan import resolve
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.run import run_plan
from i2ibench.runtime import leave_garbage_at_exit, torch_if_loaded

# Between two writes of a status, which is nothing beside a step of a real network.
_SECONDS = 1.0
# The exit code where another process works on the run: nothing has failed.
BUSY = 75


class StatusReporter(Reporter):
    """Writes what it is told to ``status.json``, and stages to the log too.

    Args:
        folder: of the run.
        attempt: as in ``Task``.
    """

    def __init__(self, folder: RunFolder, attempt: int) -> None:
        self._path = folder.status
        self._written = -math.inf
        self._since: tuple[int, float] | None = None
        self._status = RunStatus(
            state="working",
            attempt=attempt,
            host=platform.node(),
            pid=os.getpid(),
            started=now(),
            updated=now(),
        )

    def computes_on(self, device: str) -> None:
        """Take the device of the run, resolved; written with the next word."""
        torch = torch_if_loaded()
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        where = {
            "device": "CPU" if device == "cpu" else f"GPU {gpu}".strip(),
            "threads": torch.get_num_threads() if torch is not None else None,
        }
        self._status = self._status.model_copy(update=where)

    def stage(self, text: str) -> None:
        """A stage begins."""
        print(f"{now()} {text}", flush=True)
        self._since = None
        self._tell(stage=text, training=False, step=0, total=0, losses={}, seconds_left=None)

    def training(self, step: int, total: int, losses: Mapping[str, float]) -> None:
        """A training step is done."""
        self._count(step, total, training=True, losses=dict(losses))

    def progress(self, done: int, total: int) -> None:
        """Images of the current stage are done."""
        self._count(done, total, training=False)

    def done(self) -> None:
        """Leave nothing to say: the result speaks."""
        self._path.unlink(missing_ok=True)

    def end(self, state: Literal["failed", "interrupted"], reason: str, code: int) -> int:
        """Say how it ended, and return the exit code."""
        print(f"{now()} {state}: {reason}", flush=True)
        self._tell(state=state, reason=reason, exit_code=code)
        return code

    def _count(self, done: int, total: int, **values: Any) -> None:
        clock = time.monotonic()
        if self._since is None:
            self._since = done, clock
        if clock - self._written < _SECONDS and done != total:
            return
        first, began = self._since
        rate = (clock - began) / (done - first) if done > first else None
        left = None if rate is None else round(rate * (total - done), 1)
        self._tell(step=done, total=total, seconds_left=left, **values)

    def _tell(self, **values: Any) -> None:
        self._written = time.monotonic()
        self._status = self._status.model_copy(update={**values, "updated": now()})
        # What cannot be told (a full disk) does not end a training; its own writes say so.
        with contextlib.suppress(OSError):
            write_status(self._path, self._status)


def main(arguments: Sequence[str]) -> None:
    """Make the run of ``Task.to_text()``, the only argument; exit as the command line would."""
    interrupt_on_termination()
    train_alone()  # a launcher may have started several drivers, which share the runs
    leave_garbage_at_exit()
    warnings.showwarning = _print_warning
    task = Task.from_text(arguments[0])
    sys.argv = command(task.options)  # a record names the command that makes it
    sys.exit(_made(task))


def _made(task: Task) -> int:
    """Make the run and return the exit code."""
    reporter = StatusReporter(task.folder, task.attempt)
    try:
        options = task.options
        if "CUDA_VISIBLE_DEVICES" in os.environ:
            options = on_one_gpu(options)
        plan = resolve(options)
        reporter.computes_on(plan.device)
        if run_folder(options.output, plan.experiment) != task.folder:
            raise DataError(
                f"{task.folder.path}: the run has another id here than it was listed by: data, "
                "code or device differ; list the campaign again"
            )
        run_plan(plan, reporter)
        reporter.done()
    except BusyError as busy:
        print(f"{now()} {busy}", flush=True)
        return BUSY
    except (KeyboardInterrupt, Interrupted) as stopped:
        reason = str(stopped) or "stopped; the same command continues"
        return reporter.end("interrupted", reason, Interrupted.exit_code)
    except Exception as error:
        traceback.print_exc()
        line, code = explain(error) or (f"{named(error)} (a bug of i2ibench)", 1)
        return reporter.end("failed", line, code)
    return 0


def _print_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if not issubclass(category, DeprecationWarning | FutureWarning):
        print(f"{now()} warning: {message}", flush=True)
