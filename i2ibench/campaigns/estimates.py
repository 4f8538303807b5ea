"""How long a run will take, and how much memory, told before it starts.

From finished runs of the same network on the same machine, whose costs stand in their records; of
the training alone from a few steps that were measured, where that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from i2ibench import provenance
from i2ibench.campaigns.budget import batches_per_epoch, steps
from i2ibench.campaigns.planned_runs import PlannedRun
from i2ibench.campaigns.run_state import RunState
from i2ibench.campaigns.step_times import StepTimes, step_key
from i2ibench.errors import DataError
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result
from i2ibench.runs.plan import Plan


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will cost from where it stands.

    Attributes:
        seconds: until it is finished; None where nothing is known.
        memory_mb: the most that its process holds, in MiB; None where nothing is known.
        source: what it follows from: ``run 9584cf8df87f``; or ``measured steps``, or ``its own
            steps`` while it trains, of which the translation and the evaluation are no part.
    """

    seconds: float | None = None
    memory_mb: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Cost:
    """Costs of a finished run, in units that carry over to runs of other lengths."""

    run: str
    step_seconds: float
    train_seconds: float
    translate_seconds: float
    evaluate_seconds: float
    memory_mb: float | None


class Estimates:
    """Estimates for the runs of a campaign.

    Args:
        times: measured seconds a step.
    """

    def __init__(self, times: StepTimes) -> None:
        self._times = times
        self._cpu, self._gpu = _machine()
        self._records: dict[Path, list[Result]] = {}

    def of(self, runs: Sequence[PlannedRun], states: Mapping[str, RunState]) -> list[Estimate]:
        """Return an estimate for each run; a training that several need is counted once."""
        found, trained = [], set()
        for run in runs:
            state = states[run.id] if run.id else RunState("blocked")
            if run.training and state.kind in ("trained", "translated", "finished"):
                trained.add(run.training)
        for run in runs:
            if run.plan is None or states[run.id].kind == "finished":
                found.append(Estimate(0.0 if run.plan is not None else None))
                continue
            found.append(self._of(run, run.plan, states[run.id], run.training in trained))
            trained.add(run.training)
        return found

    def _of(self, run: PlannedRun, plan: Plan, state: RunState, trained: bool) -> Estimate:
        left = 0.0 if trained else 1.0 - (state.share or 0.0)
        total = steps(plan)
        status = state.status if state.running else None
        told = status.seconds_left if status is not None and status.training else None
        for cost in self._costs(run, plan):
            training = cost.step_seconds * total if total else cost.train_seconds
            others = cost.evaluate_seconds
            others += 0.0 if state.kind == "translated" else cost.translate_seconds
            training = training * left if told is None else told
            return Estimate(training + others, cost.memory_mb, f"run {cost.run}")
        known = self._times.get(step_key(plan)) if total else None
        if known is None:
            return Estimate(told, None, "its own steps" if told is not None else "")
        seconds = known.seconds * total * left if told is None else told
        return Estimate(seconds, known.memory_mb, "measured steps")

    def _costs(self, run: PlannedRun, plan: Plan) -> Iterator[_Cost]:
        """Yield the costs of finished runs like this one, the likest first."""
        alike = [each for each in self._finished(run) if self._is_alike(each, run, plan)]
        same_protocol = [each for each in alike if each.protocol.id == plan.protocol.id]
        for result in same_protocol or alike:
            cost, done = result.cost, result.training.steps or 0
            pairs = len(plan.test) / max(1, result.dataset.pairs or 0)
            train = float(cost.train_seconds or 0)
            yield _Cost(
                result.run_id or "",
                train / done if done else 0.0,
                train,
                float(cost.translate_seconds or 0) * pairs,
                float(cost.evaluate_seconds or 0) * pairs,
                None if cost.peak_memory_mb is None else float(cost.peak_memory_mb),
            )

    def _finished(self, run: PlannedRun) -> list[Result]:
        """Return the records beside a run, of the same model and data set, the latest first."""
        if run.folder is None:
            return []
        place = run.folder.path.parent
        if place not in self._records:
            records = []
            for path in sorted(place.glob("*/result.json")):
                try:
                    records.append(read_result(path))
                except (DataError, OSError):
                    continue  # whoever needs that record tells what is wrong with it
            self._records[place] = sorted(records, key=lambda each: each.created, reverse=True)
        return self._records[place]

    def _is_alike(self, result: Result, run: PlannedRun, plan: Plan) -> bool:
        recorded, asked = result.experiment or {}, run.experiment
        environment = result.environment
        same_machine = environment.cpu == self._cpu and (
            plan.device == "cpu" or environment.gpu == self._gpu
        )
        same_device = (environment.device or "").partition(":")[0] == plan.device.partition(":")[0]
        if not (same_machine and same_device and result.run_id):
            return False
        if batches_per_epoch(plan) and result.model.parameters != plan.model.parameter_count():
            return False
        return _costly(recorded) == _costly(asked)


@cache
def _machine() -> tuple[object, object]:
    """Return the processor and the GPU of this machine; a live view asks again and again."""
    environment = provenance.environment()
    return environment.get("cpu"), environment.get("gpu")


def _costly(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the cost of a step and of an image, beside the network."""
    training = experiment.get("training")
    return {
        "batch_size": training.get("batch_size") if isinstance(training, Mapping) else None,
        **{key: experiment.get(key) for key in ("images", "precision", "tile", "limit")},
    }
