"""Further readers of a training: TensorBoard and Weights & Biases, both optional.

``training.csv`` and ``validation.csv`` are the record; these show it while it grows.
"""

from __future__ import annotations

import importlib
import importlib.util
import netrc
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import MissingError


class Log(Protocol):
    """Something that is shown a training while it runs; only the first process has one."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Take named numbers of a step, e.g. ``{"loss/G_L1": 3.2}``."""

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Take a picture, uint8 ``(H, W, 3)``."""

    def close(self) -> None:
        """Write what is still held back."""


class Logs:
    """Several logs as one."""

    def __init__(self, logs: Sequence[Log]) -> None:
        self._logs = logs

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Pass on to every log."""
        for log in self._logs:
            log.scalars(step, values)

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Pass on to every log."""
        for log in self._logs:
            log.picture(step, name, image)

    def close(self) -> None:
        """Close every log."""
        for log in self._logs:
            log.close()


class TensorBoardLog:
    """Event files for ``tensorboard --logdir``.

    Args:
        folder: receives the event files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add one point to each curve."""
        for name, value in values.items():
            self._opened(step).add_scalar(name, value, step)

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Add a picture."""
        self._opened(step).add_image(name, image, step, dataformats="HWC")

    def close(self) -> None:
        """Flush and close the event file."""
        if self._writer is not None:
            self._writer.close()

    def _opened(self, step: int) -> Any:
        """Return the writer; from its first step on, events of a former process are hidden.

        Such events are of work that no checkpoint holds, and which is now done again.
        """
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=step, flush_secs=30)
        return self._writer


class WandbLog:
    """A run of Weights & Biases, continued under the same id when the training is.

    Without a login it is kept offline (``wandb sync`` sends it later): nothing ever asks for a key.

    Args:
        project: of the run.
        folder: receives its files.
        run_id: the same for every continuation.
        config: what the run was asked for.
    """

    def __init__(self, project: str, folder: Path, run_id: str, config: Mapping[str, Any]) -> None:
        # Optional, and without types of its own everywhere.
        wandb: Any = importlib.import_module("wandb")
        folder.mkdir(parents=True, exist_ok=True)
        mode: Any = os.environ.get("WANDB_MODE") or ("online" if _has_login() else "offline")
        self._wandb = wandb
        self._run: Any = wandb.init(
            project=project,
            dir=str(folder),
            id=run_id,
            resume="allow",
            config=dict(config),
            mode=mode,
            settings=wandb.Settings(silent=True),
        )
        # A continued run repeats steps that no checkpoint holds; on an axis of their own they do
        # not have to grow.
        self._run.define_metric("*", step_metric="step")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log the numbers of a step."""
        self._run.log({"step": step, **values})

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Log a picture."""
        self._run.log({"step": step, name: self._wandb.Image(image)})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


def _has_login() -> bool:
    """Whether Weights & Biases finds a key without asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def has_tensorboard() -> bool:
    """Whether TensorBoard is installed; does not import it."""
    return importlib.util.find_spec("tensorboard") is not None


def check_wandb() -> None:
    """Raise ``MissingError`` where Weights & Biases is not installed."""
    if importlib.util.find_spec("wandb") is None:
        raise MissingError("--wandb needs the package wandb; run: pip install 'i2ibench[wandb]'")
