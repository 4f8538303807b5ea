"""``status.json`` of a run folder: what the process that works on the run said last.

It is told by the process itself, so that whoever asks for the state of a run reads files alone. It
is believed to be at work only while the lock of the folder is held.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pydantic

from i2ibench.durable import atomic_path
from i2ibench.errors import DataError
from i2ibench.files import json_text, read_json
from i2ibench.settings import Settings, explain


class RunStatus(Settings):
    """What a process said of its work on a run.

    Attributes:
        state: ``working``, or how it ended without finishing the run.
        attempt: of this start of the campaign; the first is 1.
        host: the machine.
        pid: of the process.
        device: on which it computes, e.g. ``GPU 2``.
        threads: with which it computes.
        started: when.
        updated: when this was written.
        stage: the last that was told.
        training: whether ``step`` and ``total`` count steps of the training, not images.
        step: done.
        total: to be done in this stage; 0 where nothing is counted.
        losses: of the last step.
        seconds_left: in this stage; None where it cannot be told yet.
        reason: why it ended, in one line.
        exit_code: with which.
    """

    schema_: Literal[1] = pydantic.Field(default=1, alias="schema")
    state: Literal["working", "failed", "interrupted"]
    attempt: int = pydantic.Field(ge=1)
    host: str
    pid: int
    device: str = ""
    threads: int | None = None
    started: str
    updated: str
    stage: str = ""
    training: bool = False
    step: int = pydantic.Field(default=0, ge=0)
    total: int = pydantic.Field(default=0, ge=0)
    losses: dict[str, float] = pydantic.Field(default_factory=dict)
    seconds_left: float | None = None
    reason: str = ""
    exit_code: int | None = None


def read_status(path: Path) -> RunStatus | None:
    """Return what was said last, None where nothing was.

    Raises:
        DataError: the file is damaged.
    """
    try:
        content = read_json(path)
    except DataError:
        if not path.exists():  # it may go while it is looked at
            return None
        raise
    try:
        return RunStatus.model_validate(content)
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: {explain(error, RunStatus)}; delete it") from None


def write_status(path: Path, status: RunStatus) -> None:
    """Write what is said; a power cut may take it away again."""
    content = status.model_dump(by_alias=True)
    # A loss that is not finite is no number in JSON; the training tells it and ends.
    content["losses"] = {k: v for k, v in content["losses"].items() if abs(v) < float("inf")}
    with atomic_path(path, lasting=False) as temporary:
        temporary.write_text(json_text(content), encoding="utf-8")
