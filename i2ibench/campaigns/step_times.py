"""Measured seconds a step: kept beside the runs, because the epochs of ``equal-time`` follow them.

Deleting the file is legal: steps are measured again, and come out a little otherwise, so that
``equal-time`` then asks for new runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pydantic

from i2ibench.errors import DataError
from i2ibench.files import read_json, sha256_json, write_json
from i2ibench.runs.plan import Plan
from i2ibench.settings import Settings, explain


class StepTime(Settings):
    """What a few steps of one training took.

    Attributes:
        what: was measured, for whoever opens the file.
        seconds: of one step, the mean.
        memory_mb: the most that was held, in MiB; None where the platform is silent.
        steps: that were measured.
        where: processor or GPU, and threads.
    """

    what: str
    seconds: float = pydantic.Field(gt=0, allow_inf_nan=False)
    memory_mb: float | None = pydantic.Field(default=None, ge=0, allow_inf_nan=False)
    steps: int = pydantic.Field(ge=1)
    where: str = ""


class _File(Settings):
    schema_: Literal[1] = pydantic.Field(default=1, alias="schema")
    times: dict[str, StepTime] = pydantic.Field(default_factory=dict)


class StepTimes:
    """The measured times of a campaign, by what was measured.

    Args:
        path: of the file, which need not be there.

    Raises:
        DataError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._times: dict[str, StepTime] = {}
        if path.exists():
            try:
                self._times = _File.model_validate(read_json(path)).times
            except pydantic.ValidationError as error:
                raise DataError(f"{path}: {explain(error)}; delete it to measure again") from None

    def get(self, key: str) -> StepTime | None:
        """Return what was measured, or None."""
        return self._times.get(key)

    def add(self, key: str, time: StepTime) -> None:
        """Keep a measurement."""
        self._times[key] = time
        content = {"schema": 1, "times": {k: v.model_dump() for k, v in self._times.items()}}
        write_json(self.path, content)

    def __iter__(self) -> Iterator[str]:
        return iter(self._times)


def step_key(plan: Plan) -> str:
    """Return the hash of what decides the seconds of a step: not the budget, not the seed."""
    experiment = plan.experiment
    training = experiment["training"] or {}
    return sha256_json(
        {
            "model": experiment["model"],
            "plugins": experiment.get("plugins"),
            "dataset": experiment["dataset"],
            "batch_size": training.get("batch_size") if isinstance(training, dict) else None,
            "images": experiment["images"],
            "precision": experiment["precision"],
            "device": plan.device.partition(":")[0],
        }
    )[:12]
