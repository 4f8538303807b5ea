"""The state of a run, read from its folder: by whomever it was started, and wherever it runs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

from i2ibench.campaigns.planned_runs import PlannedRun
from i2ibench.campaigns.run_status import RunStatus, read_status
from i2ibench.errors import DataError
from i2ibench.files import printable
from i2ibench.runs.folder import RunFolder
from i2ibench.training.checkpoint import summarize
from i2ibench.training.checkpoint_summary import CheckpointSummary, read_summary
from i2ibench.translation.manifest import MANIFEST_NAME, read_manifest

Kind = Literal["blocked", "new", "training", "trained", "translated", "finished", "failed"]


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a run is.

    Attributes:
        kind: ``blocked`` where it cannot start; ``failed`` where the last try did; else the last
            stage of which something is there.
        share: of the training, 0 to 1; None where nothing is trained by steps or nothing is known.
        running: whether a process works on it now.
        reason: why it is blocked, has failed, or was stopped, in one line.
        status: what its process said last, where it is one of a campaign.
    """

    kind: Kind
    share: float | None = None
    running: bool = False
    reason: str = ""
    status: RunStatus | None = None

    @property
    def text(self) -> str:
        """The state in words, e.g. ``training 43 %``."""
        status = self.status
        if self.running and status is not None and not status.training:
            done = f" {status.step}/{status.total}" if status.total else ""
            return f"{status.stage or 'starting'}{done}"
        share = "" if self.share is None else f" {self.share:.0%}".replace("%", " %")
        if self.kind == "training":
            return f"training{share}"
        if self.kind == "failed" and share:
            return f"failed at{share}"
        return "running" if self.running and self.kind == "new" else self.kind

    @property
    def where(self) -> str:
        """Who works on it, e.g. ``this-host, pid 4321, GPU 2``; empty where nobody does."""
        if not self.running:
            return ""
        if self.status is None:
            return "started by hand"
        parts = [self.status.host, f"pid {self.status.pid}", self.status.device]
        return ", ".join(part for part in parts if part)


def state_of(run: PlannedRun) -> RunState:
    """Read the state of a run; a damaged file in its folder is told as the reason."""
    folder = run.folder
    if folder is None:
        return RunState("blocked", reason=str(run.fault))
    if folder.is_finished:
        return RunState("finished")
    if not folder.path.exists():
        return RunState("new")
    running = folder.is_busy
    try:
        status, training = read_status(folder.status), _training(folder, running)
    except DataError as error:
        return RunState("training", None, running, str(error))
    except OSError as error:  # it was removed, or written anew, meanwhile
        return RunState("new", None, running, printable(str(error)))
    if running:
        return _of_process(folder, status, training)
    if status is not None and status.state == "failed":
        return RunState("failed", _share(training), False, status.reason, status)
    kind, share = _reached(folder, training)
    reason = ""
    if status is not None:
        ended = "stopped" if status.state == "interrupted" else "its process ended without a word"
        reason = status.reason or ended
    return RunState(kind, share, False, reason, status)


def _of_process(
    folder: RunFolder, status: RunStatus | None, training: CheckpointSummary | None
) -> RunState:
    if status is None or status.state != "working":  # started by hand, or only just
        kind, share = _reached(folder, training)
        return RunState(kind, share, True)
    if status.training and status.total:
        return RunState("training", status.step / status.total, True, status=status)
    kind, share = _reached(folder, training)
    return RunState(kind, share, True, status=status)


def _reached(folder: RunFolder, training: CheckpointSummary | None) -> tuple[Kind, float | None]:
    manifest = folder.predictions / MANIFEST_NAME
    if manifest.exists() and read_manifest(folder.predictions).complete:
        return "translated", None
    if training is not None:
        return ("trained", None) if training.finished else ("training", _share(training))
    # The first checkpoint comes after two minutes, the curves at once.
    return ("training", None) if folder.curves.exists() else ("new", None)


def _training(folder: RunFolder, running: bool) -> CheckpointSummary | None:
    if not folder.checkpoint.exists():
        return None
    if not running:
        return summarize(folder.checkpoint)
    # Checkpoint and summary may be replaced just now, and not fit each other.
    with contextlib.suppress(DataError):
        return read_summary(folder.checkpoint)
    return None


def _share(training: CheckpointSummary | None) -> float | None:
    return None if training is None else training.step / training.total_steps
