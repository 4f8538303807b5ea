"""What can be asked of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """What a user can ask of a run; the command line's options under the same names.

    Attributes:
        model: registered name.
        dataset: registered name, or path of a folder, CSV or card.
        recipe: recipe file instead of the shipped one.
        settings: dotted recipe keys laid over it, e.g. ``{"training.epochs": 5}``.
        seed: fixes everything random.
        protocol: id of the protocol.
        direction: ``AtoB``, ``BtoA``, or None for the data set's own.
        checkpoint: translate with this file instead of training.
        output: folder of the runs.
        board: folder of the leaderboards; None adds no entry.
        limit: first pairs of each split only; such a run enters no board.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``fp32``, ``tf32`` or ``bf16``.
        devices: training processes on this node.
        nodes: machines that train together.
        pixel_cache: keep decoded training pixels in the cache folder; changes no bit of a run.
        tile: side of translation tiles; 0 translates images whole, None decides by their size.
        data_root: folder that holds the data set.
        allow_unverified_weights: accept metric weights of unknown hash.
        tensorboard: log the training for TensorBoard where it is installed.
        wandb: project of Weights & Biases that is also shown the training.
    """

    model: str
    dataset: str
    recipe: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    protocol: str = "i2i-1"
    direction: str | None = None
    checkpoint: Path | None = None
    output: Path = Path("runs")
    board: Path | None = Path("leaderboards")
    limit: int | None = None
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    nodes: int = 1
    pixel_cache: bool = False
    tile: int | None = None
    data_root: Path | None = None
    allow_unverified_weights: bool = False
    tensorboard: bool = True
    wandb: str | None = None
