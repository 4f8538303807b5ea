"""The run folder: where one experiment keeps its state, and how the same command finds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.durable import remove_strays
from i2ibench.errors import DataError
from i2ibench.files import read_json, sha256_json, write_json
from i2ibench.folder_lock import is_locked, locked
from i2ibench.results.origin import run_id
from i2ibench.runs.outputs import BusyError, alone_in, page_of
from i2ibench.training.checkpoint import summarize
from i2ibench.translation.manifest import MANIFEST_NAME

# How launchers number the processes of one training, and count them.
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
_COUNTS = ("WORLD_SIZE", "SLURM_NTASKS")
# Whoever asks whether a folder is locked holds its lock for an instant.
_ASKED_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``<output>/<data set>/<model>/<run id>/`` and the files in it."""

    path: Path

    @property
    def experiment(self) -> Path:
        """Everything that was asked for, resolved."""
        return self.path / "experiment.json"

    @property
    def checkpoint(self) -> Path:
        """The complete training state."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        """The state that validated best, where one was asked for."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def validation(self) -> Path:
        """One row a validation."""
        return self.path / "validation.csv"

    @property
    def curves(self) -> Path:
        """One row a training step."""
        return self.path / "training.csv"

    @property
    def predictions(self) -> Path:
        """``<pair id>.png`` and ``manifest.json``."""
        return self.path / "predictions"

    @property
    def spread(self) -> Path:
        """``<pair id>.png``, a map each, where the method is stochastic; ``spread.csv`` beside."""
        return self.path / "spread"

    @property
    def program_weights(self) -> Path:
        """What the training of a program wrote."""
        return self.path / "weights"

    @property
    def scores(self) -> Path:
        """One row a pair, one column a pair metric."""
        return self.path / "scores.csv"

    @property
    def result(self) -> Path:
        """The record of the run; it is there when the run is finished."""
        return self.path / "result.json"

    @property
    def pictures(self) -> Path:
        """Pictures for a first look."""
        return page_of(self.path).parent

    @property
    def page(self) -> Path:
        """The page of the run; its pictures and scripts lie in ``assets/`` beside it."""
        return page_of(self.path)

    @property
    def status(self) -> Path:
        """How far a process of a campaign has come with the run, or why it failed."""
        return self.path / "status.json"

    @property
    def log(self) -> Path:
        """What the processes of campaigns said."""
        return self.path / "logs" / "run.log"

    @property
    def is_finished(self) -> bool:
        """Whether all is there; the result is written last, what was deleted is made again."""
        return self.is_recorded and (self.predictions / MANIFEST_NAME).exists()

    @property
    def is_recorded(self) -> bool:
        """Whether its numbers are there, with or without the images that they are of."""
        return self.result.exists() and self.scores.exists()

    @property
    def is_busy(self) -> bool:
        """Whether a process works on the run now, on this machine or on another."""
        return is_locked(self.path)


def run_folder(output: Path, experiment: Mapping[str, Any]) -> RunFolder:
    """Return the folder of ``experiment``, which need not be there."""
    dataset, model = experiment["dataset"]["name"], experiment["model"]["name"]
    return RunFolder(output / dataset / model / run_id(experiment))


def open_run_folder(output: Path, experiment: Mapping[str, Any]) -> RunFolder:
    """Return the folder of ``experiment``, made and labelled when it is new."""
    folder = run_folder(output, experiment)
    if not folder.experiment.exists():
        write_json(folder.experiment, experiment)
    elif read_json(folder.experiment) != experiment:
        raise DataError(
            f"{folder.experiment} was edited or belongs to another run; restore or remove it"
        )
    return folder


def training_id(experiment: Mapping[str, Any]) -> str:
    """Return the hash of what decides the weights.

    That is neither the test split nor the protocol, nor what a model reads in translation alone.
    """
    dataset = {k: v for k, v in experiment["dataset"].items() if k not in {"test", "split"}}
    code = [each for each in experiment.get("plugins", ()) if each["kind"] == "model"]
    model = dict(experiment["model"])
    unread = model.pop("translation_only", ())
    model["config"] = {k: v for k, v in model["config"].items() if k not in unread}
    parts = ("training", "images", "seed", "precision", "processes", "limit")
    return sha256_json(
        {
            "dataset": dataset,
            "model": model,
            **{part: experiment[part] for part in parts if part in experiment},
            **({"plugins": code} if code else {}),
        }
    )


def train_alone() -> None:
    """Let this process be no part of a training of several, whatever launched it."""
    for name in (*_RANKS, *_COUNTS):
        os.environ.pop(name, None)


def is_first_process() -> bool:
    """Whether this process is the first, or the only one, of those that train together."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)


@contextmanager
def working_in(folder: RunFolder) -> Iterator[None]:
    """Keep other processes out of a run folder while one works in it.

    Of several processes that train together only the first locks.
    """
    if not is_first_process():
        yield
        return
    with alone_in(folder.path, patience=_ASKED_SECONDS):
        for place in (folder.path, folder.checkpoint.parent, folder.predictions):
            remove_strays(place)  # of a process that was killed, where nothing is written again
        yield


@contextmanager
def one_training(
    output: Path, experiment: Mapping[str, Any], tell: Callable[[str], None]
) -> Iterator[None]:
    """Wait while another process trains the same weights, so that nothing is trained twice.

    Runs of several protocols share a training; started side by side, one of them trains and the
    others take its weights. ``tell`` takes one line where there is something to wait for.
    """
    if experiment.get("processes", 1) > 1 or not is_first_process():
        yield  # the others of this training would wait for this process
        return
    place = output / ".trainings" / training_id(experiment)[:12]
    busy = BusyError(f"{place}: the same training runs in another process; wait until it ends")
    if is_locked(place):
        tell("waiting for the same training, which another process does")
    with locked(place, busy, patience=-1):
        yield


def training_siblings(folder: RunFolder, experiment: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Yield other runs whose same training is finished, under another protocol or test split."""
    wanted = training_id(experiment)
    for path in sorted(folder.path.parent.glob("*/experiment.json")):
        other = RunFolder(path.parent)
        if other == folder or not other.checkpoint.exists():
            continue
        # A folder that was copied, edited or torn is not ours to judge here.
        with suppress(DataError, KeyError, TypeError, AttributeError):
            if training_id(read_json(path)) == wanted and summarize(other.checkpoint).finished:
                yield other
