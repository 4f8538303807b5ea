"""Seconds a step and memory of a training, from a few of its steps, in a process of its own."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from i2ibench import provenance
from i2ibench.campaigns.budget import batches_per_epoch
from i2ibench.campaigns.planned_runs import PlannedRun
from i2ibench.campaigns.run_task import Task, on_one_gpu
from i2ibench.campaigns.step_times import StepTime, StepTimes, step_key
from i2ibench.durable import temporary_folder
from i2ibench.errors import DataError, I2IBenchError, Interrupted
from i2ibench.executors import Executor, Work
from i2ibench.explain import explain
from i2ibench.files import read_json, write_json
from i2ibench.processes import interrupt_on_termination
from i2ibench.runs.folder import train_alone
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.run import train
from i2ibench.runs.time_estimate import memory_in_use
from i2ibench.runtime import torch_if_loaded

# The first steps are slower: kernels are chosen, images decoded.
_WARMING = 3
_STEPS = 20
# Of slow steps fewer are measured.
_SECONDS = 10.0
_LEAST = 3
# Longer than losses that were read together take to be told one after another.
_WITHIN_A_BURST = 0.001
_WAIT_SECONDS = 600.0


class _Enough(Interrupted):
    """The measurement is done; nothing of the training is kept."""


class StepClock(Reporter):
    """Times the steps of a training, and ends it when it has seen enough.

    On a GPU steps are told in bursts, when their losses are read: what counts is the time between
    the beginnings of bursts, and the steps that were told within.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = -math.inf
        # Of each burst when it began, and the first step told in it.
        self._bursts: list[tuple[float, int]] = []

    def training(self, step: int, total: int, losses: Mapping[str, float]) -> None:
        """A training step is done."""
        now = self._clock()
        if now - self._told > _WITHIN_A_BURST:
            self._bursts.append((now, step))
        self._told = self._clock()
        if self.steps >= _STEPS or (self.steps >= _LEAST and self._seconds > _SECONDS):
            raise _Enough

    @property
    def steps(self) -> int:
        """How many steps are measured."""
        measured = self._measured()
        return measured[-1][1] - measured[1][1] if len(measured) > 2 else 0

    @property
    def seconds(self) -> float:
        """Seconds of one step, the mean; there must be some."""
        return self._seconds / self.steps

    @property
    def _seconds(self) -> float:
        measured = self._measured()
        return measured[-2][0] - measured[0][0] if len(measured) > 2 else 0.0

    def _measured(self) -> list[tuple[float, int]]:
        return [each for each in self._bursts if each[1] > _WARMING]


def measure(
    runs: Sequence[PlannedRun],
    times: StepTimes,
    executor: Executor,
    tell: Callable[[str], None],
) -> None:
    """Measure what is not measured yet, one training after another, and keep it in ``times``.

    Each of several seeds and budgets of one network is the same measurement. A training that fails
    is told and passed over.
    """
    asked: dict[str, PlannedRun] = {}
    for run in runs:
        if run.plan is not None and batches_per_epoch(run.plan):
            key = step_key(run.plan)
            if times.get(key) is None:
                asked.setdefault(key, run)
    for number, (key, run) in enumerate(asked.items(), start=1):
        tell(f"measuring steps of {run.title} ({number} of {len(asked)})")
        try:
            times.add(key, measured(run, executor))
        except I2IBenchError as error:
            tell(f"not measured: {run.title}: {error}")


def measured(run: PlannedRun, executor: Executor) -> StepTime:
    """Return the measurement of one training.

    Raises:
        DataError: it failed; says why.
    """
    folder = run.folder
    if folder is None:
        raise DataError(f"{run.title}: {run.fault}")
    # Beside the runs: a process on another machine sees no temporary files of this one.
    with temporary_folder(run.options.output / "campaigns" / "measured") as place:
        answer = place / "answer.json"
        options = replace(run.options, output=place, board=None, tensorboard=False)
        text = Task(options, folder, 1).to_text()
        executor.start(Work(run.id, __name__, (text, str(answer), run.title), place / "log"))
        while not (ended := executor.ended(_WAIT_SECONDS)):
            pass
        if not answer.exists():
            raise DataError(f"its process ended with {ended[0].code}")
        content = read_json(answer)
    if "error" in content:
        raise DataError(content["error"])
    return StepTime.model_validate(content)


def main(arguments: Sequence[str]) -> None:
    """Time the steps of a task, and write them, or why it failed, to a file."""
    interrupt_on_termination()
    train_alone()
    text, answer, title = arguments
    options = Task.from_text(text).options
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        options = on_one_gpu(options)
    clock = StepClock()
    try:
        train(options, clock)
    except _Enough:
        pass
    except Exception as error:
        line, _ = explain(error) or (str(error), 1)
        write_json(Path(answer), {"error": line})
        sys.exit(1)
    if not clock.steps:
        line = "its training is over before a step can be measured"
        write_json(Path(answer), {"error": line})
        sys.exit(1)
    memory = memory_in_use()
    environment = provenance.environment()
    torch = torch_if_loaded()
    threads = torch.get_num_threads() if torch is not None else 1
    where = environment.get("gpu") or f"{environment['cpu']}, {threads} threads"
    time_of_step = StepTime(
        what=title,
        seconds=clock.seconds,
        memory_mb=None if memory is None else memory / (1 << 20),
        steps=clock.steps,
        where=str(where),
    )
    write_json(Path(answer), time_of_step.model_dump())
