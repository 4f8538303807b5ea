"""The table of options: each option's name, type, default, help and place in it, once.

The Python functions of ``runs.python_interface`` take these names with these defaults, and the
command line builds its options from the fields. A field whose command-line form differs from its
Python form says so in ``Shown``. ``evaluation_options`` holds those of ``evaluate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from i2ibench.runs.option_fields import HOW, WHAT, WHERE, make_paths, shown

# Of whoever names none: any data set, and those that declare a stain of their targets.
DEFAULT_PROTOCOL, STAIN_PROTOCOL = "i2i-2", "stain-2"
# The board of a run that names none: beside its run folders, so that no shipped board is changed.
BESIDE_RUNS = Path("OUTPUT/leaderboards")


@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """What every verb that reads a data set or runs a network can be asked."""

    direction: str | None = field(
        default=None,
        metadata=shown(
            "AtoB or BtoA, or two panels of a strip, e.g. DAPItoLap2; by default as the data set "
            "says.",
            WHAT,
            metavar="AtoB|BtoA",
            values=("AtoB", "BtoA"),
        ),
    )
    limit: int | None = field(
        default=None,
        metadata=shown(
            "Use only the first N pairs of each split; such runs enter no board.",
            WHAT,
            metavar="N",
            limits=(1, None),
        ),
    )
    device: str = field(
        default="auto",
        metadata=shown(
            "auto, cpu, cuda or cuda:N.", HOW, metavar="DEVICE", values=("auto", "cpu", "cuda")
        ),
    )
    allow_unverified_weights: bool = field(
        default=False,
        metadata=shown("Accept metric weights of unknown hash; the signature then says so.", HOW),
    )
    without_pictures: bool = field(
        default=False,
        metadata=shown(
            "Leave images out of the page, for data that may not be published; thumbnails are "
            "blurred.",
            WHERE,
        ),
    )
    data_root: Path | None = field(
        default=None,
        metadata=shown(
            "Folder that holds the data set; default $I2IBENCH_DATA/NAME.", WHERE, metavar="FOLDER"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class RunOptions(SharedOptions):
    """What every verb that makes a run can be asked."""

    output: Path = field(
        default=Path("runs"),
        metadata=shown("Folder of the runs.", WHERE, short="-o", metavar="OUTPUT"),
    )
    board: Path | None = field(
        default=BESIDE_RUNS, metadata=shown("Folder of the leaderboards.", WHERE, metavar="FOLDER")
    )

    @property
    def board_folder(self) -> Path | None:
        """The folder of the boards that the run enters; None for none."""
        return self.output / "leaderboards" if self.board == BESIDE_RUNS else self.board


@dataclass(frozen=True)
class Options(RunOptions):
    """What a user can ask of ``run``, ``train`` and ``translate``.

    Strings are accepted wherever a path is meant.
    """

    model: str = field(
        metadata=shown(
            "Model (see: i2ibench models), or one of yours: mynet.py:MyNet, package.module:MyNet, "
            "net.onnx, or a program by its mymethod.toml.",
            WHAT,
            metavar="NAME|FILE",
            short="-m",
            values="models",
        )
    )
    dataset: str = field(
        metadata=shown(
            "Data set name (see: i2ibench datasets), or the path of a folder, CSV or card.",
            WHAT,
            metavar="NAME|PATH",
            short="-d",
            values="datasets",
        )
    )
    recipe: Path | None = field(
        default=None,
        metadata=shown("TOML file with the model's settings and budget.", WHAT, metavar="FILE"),
    )
    settings: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=shown(
            "Override a recipe key, e.g. training.epochs=5; may be repeated.",
            WHAT,
            flag="--set",
            metavar="KEY=VALUE",
            typed=list[str] | None,
        ),
    )
    seed: int = field(
        default=0, metadata=shown("Fixes everything random.", WHAT, metavar="N", limits=(0, None))
    )
    protocol: str | None = field(
        default=None,
        metadata=shown(
            f"How predictions are made and scored; by default {STAIN_PROTOCOL} for data sets that "
            f"declare a stain, {DEFAULT_PROTOCOL} for others.",
            WHAT,
            metavar="ID",
            values="protocols",
        ),
    )
    checkpoint: Path | None = field(
        default=None,
        metadata=shown(
            "Translate with this checkpoint instead of training (ours or an official one).",
            WHAT,
            metavar="FILE",
        ),
    )
    validation_fraction: float | None = field(
        default=None,
        metadata=shown(
            "Hold out this share of the training pairs for validation; by default the data set's "
            "own val split, where it has one.",
            WHAT,
            metavar="SHARE",
            limits=(0.0, 0.5),
        ),
    )
    keep_best: str | None = field(
        default=None,
        metadata=shown(
            "Translate with the state that validated best, e.g. ssim; by default with the last.",
            WHAT,
            metavar="METRIC",
            values="metrics",
        ),
    )
    precision: str = field(
        default="auto",
        metadata=shown(
            "auto (fp32 on a CPU, bf16 on a GPU that has it), fp32, tf32 (GPU) or bf16.",
            HOW,
            metavar="FORMAT",
            values=("auto", "fp32", "tf32", "bf16"),
        ),
    )
    devices: int = field(
        default=1,
        metadata=shown("Training processes on this machine.", HOW, metavar="N", limits=(1, None)),
    )
    nodes: int = field(
        default=1,
        metadata=shown("Machines that train together.", HOW, metavar="N", limits=(1, None)),
    )
    pixel_cache: bool = field(
        default=False,
        metadata=shown(
            "Keep decoded training pixels in the cache folder: written once, then crops are read "
            "without decoding.",
            HOW,
        ),
    )
    tensorboard: bool = field(
        default=True,
        metadata=shown(
            "Log the training for TensorBoard, where it is installed.",
            HOW,
            flag="--tensorboard/--no-tensorboard",
        ),
    )
    wandb: str | None = field(
        default=None,
        metadata=shown(
            "Also log to this project of Weights & Biases; offline without a login.",
            HOW,
            metavar="PROJECT",
        ),
    )
    tile: int | None = field(
        default=None,
        metadata=shown(
            "Translate in tiles of this side; 0: images whole; default: as their size asks.",
            HOW,
            metavar="SIDE",
            limits=(0, None),
        ),
    )

    def __post_init__(self) -> None:
        """Turn strings into paths, and paths of the model and the data set into their text."""
        object.__setattr__(self, "model", str(self.model))
        object.__setattr__(self, "dataset", str(self.dataset))
        make_paths(self, "recipe", "checkpoint", "data_root", "output", "board")

    @property
    def recipe_settings(self) -> dict[str, Any]:
        """``settings`` with the options of their own that stand for keys of the recipe."""
        own = {
            "training.validation_fraction": self.validation_fraction,
            "training.keep_best": self.keep_best,
        }
        return {
            **{key: value for key, value in own.items() if value is not None},
            **self.settings,
        }
