"""``predictions/manifest.json``: what a folder of predictions is and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pydantic

from i2ibench.errors import DataError
from i2ibench.files import composed, read_json, sha256_file, visible_files, write_json
from i2ibench.models.policy import InferencePolicy
from i2ibench.settings import Settings, explain

MANIFEST_NAME = "manifest.json"


class Manifest(Settings):
    """A folder of predictions.

    Attributes:
        files: SHA-256 of each prediction's PNG by pair id; empty until the folder is complete.
        model: registered name.
        checkpoint_sha256: of the weights that made them; None for a model without weights.
        protocol: id of the protocol whose preparation and policy were used.
        preparation: how sources were prepared.
        inference: how the model was run.
        precision: ``fp32`` or ``bf16``.
        seed: of stochastic passes, where the protocol names none; absent of other predictions.
        spread_samples: between how many samples of a pair the spread was kept; absent where none
            was.
        bits: of the values in 16-bit sources, where they are not scaled to 16 bits.
        scaled_to: side of the square at which images were translated, as they were trained on;
            predictions were brought back to their size.
        tile: side of the tiles that were asked for; 0 for whole images, None where their size
            decided.
        seconds: wall-clock time of the translation.
        complete: whether every prediction is there.
    """

    added_later: ClassVar[frozenset[str]] = frozenset(
        {"seed", "spread_samples", "bits", "scaled_to"}
    )

    files: dict[str, str] = pydantic.Field(default_factory=dict)
    model: str
    checkpoint_sha256: str | None
    protocol: str
    preparation: dict[str, Any]
    inference: InferencePolicy
    precision: str
    tile: int | None = None
    seed: int | None = None
    spread_samples: int | None = None
    bits: int | None = None
    scaled_to: int | None = None
    seconds: float = 0.0
    complete: bool = False

    @property
    def stochastic_seed(self) -> int | None:
        """The seed of stochastic passes: the protocol's where it names one."""
        return self.seed if self.inference.seed is None else self.inference.seed

    def same_origin(self, other: Manifest) -> bool:
        """Whether both describe predictions made in the same way."""
        volatile = {"files", "seconds", "complete"}
        return self.model_dump(exclude=volatile) == other.model_dump(exclude=volatile)

    def differences(self, folder: Path) -> dict[str, str]:
        """Return what is wrong with the listed files in ``folder``, in words, by pair id."""
        found = {}
        # A copy made through macOS holds decomposed names.
        there = {composed(path.name): path for path in visible_files(folder, {".png"})}
        for pair_id, digest in self.files.items():
            file = there.get(composed(f"{pair_id}.png"))
            if file is None:
                found[pair_id] = "missing"
            elif sha256_file(file) != digest:
                found[pair_id] = "changed after it was made"
        return found

    def finished(self, files: Mapping[str, str], seconds: float) -> Manifest:
        """Return this manifest with every file listed."""
        return self.model_copy(
            update={"files": dict(files), "seconds": round(seconds, 3), "complete": True}
        )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a predictions folder, atomically."""
    write_json(folder / MANIFEST_NAME, manifest.model_dump(mode="json"))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a predictions folder; an edited one is a ``DataError``."""
    path = folder / MANIFEST_NAME
    content = read_json(path)
    try:
        return Manifest(**content)
    except pydantic.ValidationError as error:
        problem = explain(error, Manifest)
    except TypeError:
        problem = "no table of keys"
    raise DataError(f"{path}: not a manifest of predictions: {problem}; restore or remove it")
