"""Complete training states on disk: written whole or not at all, read without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from i2ibench.errors import DataError
from i2ibench.files import atomic_path, sha256_file
from i2ibench.training.checkpoint_summary import (
    CheckpointSummary,
    check_bytes,
    read_summary,
    remove_summary,
    write_summary,
)
from i2ibench.training.torch_files import read_tensors

_FORMAT = "i2ibench-checkpoint"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training after ``step`` steps.

    Order, flips, crops and dropout are drawn from seeds derived from the step, so the step is
    the whole state of randomness and of the position in the data.

    Attributes:
        model: registered name.
        config: the model's settings.
        training_id: hash of the training's resolved experiment; another one is not resumed.
        step: finished steps.
        total_steps: steps of the whole training.
        seconds: wall-clock training time so far, over all continuations.
        weights: the model's ``state_dict``.
        optimizers: ``state_dict`` of each optimiser.
        scaled_to: side of the square at which the images of this training are translated; None for
            their own size.
        plateau: state of a learning rate that falls on a plateau; None without one.
    """

    model: str
    config: Mapping[str, Any]
    training_id: str
    step: int
    total_steps: int
    seconds: float
    weights: Mapping[str, torch.Tensor]
    optimizers: Mapping[str, Any]
    scaled_to: int | None = None
    plateau: Mapping[str, float] | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.step >= self.total_steps


# What only some checkpoints hold: it came later. The rest is in all.
_LATER = ("scaled_to", "plateau")
_PARTS = tuple(name for name in Checkpoint.__slots__ if name not in _LATER)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically, and its summary beside it.

    The former checkpoint survives a crash or a full disk.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        **{name: getattr(checkpoint, name) for name in _PARTS},
    }
    for name in _LATER:
        if getattr(checkpoint, name) is not None:
            content[name] = getattr(checkpoint, name)
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            _save(content, file, path)
        remove_summary(path)
    write_summary(
        path,
        step=checkpoint.step,
        total_steps=checkpoint.total_steps,
        seconds=checkpoint.seconds,
    )


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of ours.

    Raises:
        DataError: it is none, or it is not what was saved; names the file.
    """
    checkpoint = load_if_ours(path)
    if checkpoint is None:
        raise DataError(f"{path}: not an i2ibench checkpoint")
    return checkpoint


def load_if_ours(path: Path) -> Checkpoint | None:
    """Read a checkpoint of ours; None where the file is one of other code.

    Raises:
        DataError: it cannot be read, or it is not what was saved; names the file.
    """
    try:
        content = read_tensors(path)
    except DataError:
        if path.suffix == ".ckpt":
            check_bytes(path)  # where the summary tells of damage, it says what helps
        raise
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        return None
    check_bytes(path)
    if not content.keys() >= {"version", *_PARTS}:
        raise DataError(f"{path}: an i2ibench checkpoint with parts missing; restore or remove it")
    if content["version"] > _VERSION:
        raise DataError(
            f"{path}: checkpoint version {content['version']} is newer than this i2ibench "
            f"understands ({_VERSION}); update i2ibench"
        )
    parts: dict[str, Any] = {name: content.get(name) for name in (*_PARTS, *_LATER)}
    return Checkpoint(**parts)


def summarize(path: Path) -> CheckpointSummary:
    """Return how far the training of a checkpoint is; tensors are read only of older files.

    Raises:
        DataError: it is no checkpoint, or not what was saved; names the file.
    """
    summary = read_summary(path)
    if summary is not None:
        return summary
    whole = load_checkpoint(path)
    return CheckpointSummary(
        sha256_file(path), path.stat().st_size, whole.step, whole.total_steps, whole.seconds
    )


def _save(content: Mapping[str, Any], file: IO[bytes], path: Path) -> None:
    try:
        torch.save(content, file)
    except RuntimeError as error:
        # torch hides the OSError of a failed write behind a RuntimeError.
        cause = error.__context__
        if isinstance(cause, OSError):
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        raise
