"""The table of options of ``import``, see ``runs.options``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from i2ibench.runs.option_fields import WHAT, make_paths, shown
from i2ibench.runs.options import DEFAULT_PROTOCOL, STAIN_PROTOCOL, RunOptions


@dataclass(frozen=True)
class ImportOptions(RunOptions):
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

    def __post_init__(self) -> None:
        """Turn strings into paths, and a path of the data set into its text."""
        object.__setattr__(self, "dataset", str(self.dataset))
        make_paths(self, "method", "data_root", "output", "board")
