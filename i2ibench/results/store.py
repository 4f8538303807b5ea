"""The run folder: where one experiment keeps its state, and how the same command finds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.errors import DataError
from i2ibench.files import read_json, sha256_json, write_json


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
    def curves(self) -> Path:
        """One row a training step."""
        return self.path / "training.csv"

    @property
    def predictions(self) -> Path:
        """``<pair id>.png`` and ``manifest.json``."""
        return self.path / "predictions"

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
        return self.path / "report"


def open_run_folder(output: Path, experiment: Mapping[str, Any]) -> RunFolder:
    """Return the folder of ``experiment``, made and labelled when it is new."""
    dataset, model = experiment["dataset"]["name"], experiment["model"]["name"]
    folder = RunFolder(output / dataset / model / run_id(experiment))
    if not folder.experiment.exists():
        write_json(folder.experiment, experiment)
    elif read_json(folder.experiment) != experiment:
        raise DataError(
            f"{folder.experiment} was edited or belongs to another run; restore or remove it"
        )
    return folder


def run_id(experiment: Mapping[str, Any]) -> str:
    """Return the 12 hexadecimal digits that name an experiment."""
    return sha256_json(experiment)[:12]


def training_id(experiment: Mapping[str, Any]) -> str:
    """Return the hash of what decides the weights: not the test split, not the protocol."""
    dataset = {k: v for k, v in experiment["dataset"].items() if k not in {"test", "split"}}
    parts = ("model", "training", "images", "seed", "precision", "processes", "limit")
    return sha256_json(
        {"dataset": dataset, **{part: experiment[part] for part in parts if part in experiment}}
    )


def training_siblings(folder: RunFolder, experiment: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Yield other runs of the same training, under another protocol or test split."""
    wanted = training_id(experiment)
    for path in sorted(folder.path.parent.glob("*/experiment.json")):
        other = RunFolder(path.parent)
        if other == folder or not other.checkpoint.exists():
            continue
        if training_id(read_json(path)) == wanted:
            yield other
