"""What stands beside a checkpoint: its hash, and how far the training is, without its tensors.

``last.ckpt.json`` is removed before ``last.ckpt`` is replaced and written after it, so one that is
there always belongs to the checkpoint that is there: where the two do not fit, the checkpoint was
damaged or replaced. One that is absent is legal: the training is older than these files, or was
stopped between the two writes.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from i2ibench.errors import DataError
from i2ibench.files import read_json, sha256_bytes, sha256_file, write_bytes, write_json

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class CheckpointSummary:
    """A checkpoint without its tensors.

    Attributes:
        sha256: of the file.
        size: of the file in bytes.
        step: finished steps.
        total_steps: steps of the whole training.
        seconds: wall-clock training time so far, over all continuations.
    """

    sha256: str
    size: int
    step: int
    total_steps: int
    seconds: float

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.step >= self.total_steps


def summary_path(checkpoint: Path) -> Path:
    """Return where the summary of a checkpoint lies."""
    return checkpoint.with_name(f"{checkpoint.name}.json")


def read_summary(checkpoint: Path) -> CheckpointSummary | None:
    """Return the summary of a checkpoint, or None where there is none.

    Raises:
        DataError: the summary is torn or edited, or of a checkpoint of another size.
    """
    path = summary_path(checkpoint)
    if not path.exists():
        return None
    content = read_json(path)
    try:
        schema = content.pop("schema")
        found = CheckpointSummary(**content)
        known = schema == _SCHEMA and found.step <= found.total_steps and len(found.sha256) == 64
    except (AttributeError, KeyError, TypeError):
        known = False
    if not known:
        raise DataError(f"{path}: not the summary of a checkpoint; restore or remove it")
    if checkpoint.stat().st_size != found.size:
        raise _damaged(checkpoint)
    return found


def write_summary(checkpoint: Path, *, step: int, total_steps: int, seconds: float) -> None:
    """Write the summary of a checkpoint that has just been written."""
    size, digest = checkpoint.stat().st_size, sha256_file(checkpoint)
    summary = CheckpointSummary(digest, size, step, total_steps, seconds)
    write_json(summary_path(checkpoint), {"schema": _SCHEMA, **asdict(summary)})


def remove_summary(checkpoint: Path) -> None:
    """Remove the summary of a checkpoint that is about to be replaced, before it is."""
    path = summary_path(checkpoint)
    if not path.exists():
        return
    path.unlink()
    if os.name == "posix":  # a power cut must not bring it back beside the next checkpoint
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_bytes(checkpoint: Path) -> None:
    """Raise ``DataError`` where a checkpoint is not what was written beside its summary."""
    summary = read_summary(checkpoint)
    if summary is not None and sha256_file(checkpoint) != summary.sha256:
        raise _damaged(checkpoint)


def copy_checkpoint(source: Path, target: Path) -> None:
    """Copy a checkpoint with its summary.

    Raises:
        DataError: the source is not what was written beside its summary.
    """
    summary, content = read_summary(source), source.read_bytes()
    if summary is not None and sha256_bytes(content) != summary.sha256:
        raise _damaged(source)
    remove_summary(target)
    write_bytes(target, content)
    if summary is not None:
        write_bytes(summary_path(target), summary_path(source).read_bytes())


def _damaged(checkpoint: Path) -> DataError:
    beside = summary_path(checkpoint).name
    return DataError(
        f"{checkpoint}: its bytes are not those that were saved (damaged, or replaced): restore "
        f"it, or remove it to train again; if it was replaced on purpose, remove {beside}"
    )
