"""The table of options of ``import``, see ``runs.options``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from i2ibench.runs.option_fields import WHAT, WHERE, make_paths, shown
from i2ibench.runs.options import (
    BESIDE_RUNS,
    DEFAULT_PROTOCOL,
    STAIN_PROTOCOL,
    SharedOptions,
)


@dataclass(frozen=True)
class ImportOptions(SharedOptions):
    """What a user can ask of ``import``; strings are accepted wherever a path is meant."""

    name: str = field(
        metadata=shown("What the method is called on boards.", WHAT, metavar="NAME", short="-n")
    )
    dataset: str = field(
        metadata=shown(
            "Data set with the targets: name or path.",
            WHAT,
            metavar="NAME|PATH",
            short="-d",
            values="datasets",
        )
    )
    method: Path | None = field(
        default=None,
        metadata=shown(
            "TOML file with what its authors say of it: title and saw_test_targets (true or "
            "false), and authors, paper, code, parameters, training_data, training_budget, "
            "hardware.",
            WHAT,
            metavar="FILE",
        ),
    )
    protocol: str | None = field(
        default=None,
        metadata=shown(
            f"How predictions are scored; by default {STAIN_PROTOCOL} for data sets that declare "
            f"a stain, {DEFAULT_PROTOCOL} for others.",
            WHAT,
            metavar="ID",
            values="protocols",
        ),
    )
    output: Path = field(
        default=Path("runs"),
        metadata=shown("Folder of the runs.", WHERE, short="-o", metavar="OUTPUT"),
    )
    board: Path | None = field(
        default=BESIDE_RUNS, metadata=shown("Folder of the leaderboards.", WHERE, metavar="FOLDER")
    )

    def __post_init__(self) -> None:
        """Turn strings into paths, and a path of the data set into its text."""
        object.__setattr__(self, "dataset", str(self.dataset))
        make_paths(self, "method", "data_root", "output", "board")

    @property
    def board_folder(self) -> Path | None:
        """The folder of the boards that the method enters; None for none."""
        return self.output / "leaderboards" if self.board == BESIDE_RUNS else self.board
