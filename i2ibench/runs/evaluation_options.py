"""The table of options of ``evaluate``, see ``runs.options``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from i2ibench.errors import UsageError
from i2ibench.runs.option_fields import HOW, WHAT, WHERE, make_paths, names_in, shown
from i2ibench.runs.options import DEFAULT_PROTOCOL, STAIN_PROTOCOL, SharedOptions


@dataclass(frozen=True)
class EvaluationOptions(SharedOptions):
    """What a user can ask of ``evaluate``; strings are accepted wherever a path is meant."""

    dataset: str | None = field(
        default=None,
        metadata=shown(
            "Data set with the targets: name or path.",
            WHAT,
            metavar="NAME|PATH",
            short="-d",
            values="datasets",
        ),
    )
    targets: Path | None = field(
        default=None,
        metadata=shown("Folder of targets, instead of a data set.", WHAT, metavar="FOLDER"),
    )
    split: str = field(
        default="test", metadata=shown("Which split is scored.", WHAT, metavar="NAME")
    )
    metrics: str | Sequence[str] | None = field(
        default=None,
        metadata=shown(
            "Comma-separated names instead of the protocol's, e.g. psnr,ssim,fid.",
            HOW,
            metavar="NAMES",
            typed=str | None,
            values="metrics",
        ),
    )
    protocol: str | Sequence[str] | None = field(
        default=None,
        metadata=shown(
            "How predictions are scored; give two for both and the difference; by default "
            f"{STAIN_PROTOCOL} for data sets that declare a stain, {DEFAULT_PROTOCOL} for others.",
            WHAT,
            metavar="ID",
            typed=list[str] | None,
            values="protocols",
        ),
    )
    name: str | Sequence[str] | None = field(
        default=None,
        metadata=shown(
            "Model name in the record; default: the folder's. One for each folder.",
            WHAT,
            metavar="NAME",
            typed=list[str] | None,
        ),
    )
    feature_precision: Literal["fp32", "bf16"] = field(
        default="fp32",
        metadata=shown(
            "Of the networks behind metrics: fp32, or bf16, which deviates and stands in the "
            "signature.",
            HOW,
            metavar="fp32|bf16",
            typed=str,
            values=("fp32", "bf16"),
        ),
    )
    output: Path | None = field(
        default=None,
        metadata=shown(
            "Write result.json, scores.csv and a page here; of several models or two protocols, "
            "into a folder each below here.",
            WHERE,
            metavar="FOLDER",
            short="-o",
        ),
    )

    def __post_init__(self) -> None:
        """Turn strings into paths, and names in one string into a list."""
        if self.dataset is not None:
            object.__setattr__(self, "dataset", str(self.dataset))
        object.__setattr__(self, "metrics", names_in("--metrics", self.metrics))
        make_paths(self, "targets", "data_root", "output")
        if self.feature_precision not in ("fp32", "bf16"):
            raise UsageError(f"--feature-precision is fp32 or bf16, not {self.feature_precision}")

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols asked for; none where the data set's default is taken."""
        if self.protocol is None:
            return ()
        return (self.protocol,) if isinstance(self.protocol, str) else tuple(self.protocol)

    @property
    def names(self) -> tuple[str, ...]:
        """The models' names asked for; empty where the folders' names are taken."""
        if self.name is None:
            return ()
        return (self.name,) if isinstance(self.name, str) else tuple(self.name)
