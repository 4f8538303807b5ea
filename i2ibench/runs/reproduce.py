"""Making a run's predictions again from its checkpoint, and holding them against the stored ones.

Verification recomputes numbers from predictions, and believes that the weights made them. A folder
of predictions that were mended by hand passes there, and fails here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench import provenance
from i2ibench.data.images import read_image
from i2ibench.errors import DataError, MissingError, UsageError, VerificationError
from i2ibench.files import sha256_file
from i2ibench.models.interface import TranslationModel, build_model
from i2ibench.results.differences import Discrepancy
from i2ibench.results.own_contradictions import MOST_DIFFERENT
from i2ibench.results.record import EnvironmentRecord, ReproducedRecord, Result
from i2ibench.results.record_files import write_result
from i2ibench.results.stored_result import StoredResult, checkpoint_of, open_stored
from i2ibench.runs.initial_model import model_from_checkpoint
from i2ibench.runtime import allow_tf32, resolve_device
from i2ibench.translation.manifest import MANIFEST_NAME, Manifest, read_manifest
from i2ibench.translation.translate import predict

# Grey levels by which a prediction may differ, and in which share of its values: other hardware
# sums in another order, which turns the rounding of few values, and of more where a format is
# coarse.
LIMITS = {"fp32": (1, 0.01), "tf32": (MOST_DIFFERENT, 0.5), "bf16": (MOST_DIFFERENT, 0.5)}


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Predictions that were made again.

    Attributes:
        path: of the result.
        result: as recorded.
        pairs: how many were made and compared.
        equal: of these, those that are equal to the last grey level.
        largest_difference: in grey levels, over all.
        findings: pairs whose difference is no rounding; empty where all are reproduced.
    """

    path: Path
    result: Result
    pairs: int
    equal: int
    largest_difference: int
    findings: tuple[Discrepancy, ...]

    def error(self) -> VerificationError | None:
        """Return what stands against the predictions, or None where they are reproduced."""
        if not self.findings:
            return None
        return VerificationError(
            f"{self.path}: {len(self.findings)} of {self.pairs} predictions are not those that "
            "the weights make"
        )


def reproduce(
    path: str | Path,
    *,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    **where: Any,
) -> Reproduction:
    """Translate the pairs of a stored result again and compare the predictions.

    Args:
        path: a run folder, its ``result.json``, or an entry of a board.
        checkpoint: the weights; by default those in the run folder. Their hash must be the
            recorded one.
        device: where the model runs.
        progress: called with the pairs done and all pairs.
        **where: dataset, targets, data_root, predictions and protocol, as ``verify``.

    Raises:
        UsageError: the predictions were given, so nothing is known of what made them.
        MissingError: the checkpoint or the manifest is not there.
        DataError: weights of another hash.
    """
    stored = open_stored(path, **where)
    return reproduce_stored(stored, checkpoint=checkpoint, device=device, progress=progress)


def reproduce_stored(
    stored: StoredResult,
    *,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Reproduction:
    """As ``reproduce``, of a result that is open: its files need not be hashed again."""
    model, manifest = model_of(stored, None if checkpoint is None else Path(checkpoint))
    allow_tf32(manifest.precision)
    limit, most = LIMITS[precision_of(stored.result)]
    findings: list[Discrepancy] = []
    equal = largest = 0
    made = predict(model, stored.pairs, manifest, device=resolve_device(device))
    for number, (pair, prediction) in enumerate(made, start=1):
        kept = read_image(pair.prediction(stored.predictions[pair.id]))
        if kept.shape != prediction.shape:
            findings.append(Discrepancy(f"prediction {pair.id}", "has another size"))
            continue
        apart = np.abs(kept.astype(np.int16) - prediction.astype(np.int16))
        difference = int(apart.max(initial=0))
        equal += difference == 0
        largest = max(largest, difference)
        share = float((apart > 0).mean())
        if difference > limit or share > most:
            findings.append(
                Discrepancy(
                    f"prediction {pair.id}",
                    f"differs from what the weights make by up to {difference} grey levels, in "
                    f"{share:.1%} of its values",
                )
            )
        if progress is not None:
            progress(number, len(stored.pairs))
    return Reproduction(
        stored.path, stored.result, len(stored.pairs), equal, largest, tuple(findings)
    )


def record_reproduced(found: Reproduction, verified: Result) -> Result:
    """Mark a result, verified just now, as reproduced, and return it."""
    if found.findings or verified.verified is None:
        raise UsageError(f"{found.path} is not confirmed and cannot be marked reproduced")
    marked = verified.model_copy(
        update={
            "status": "reproduced",
            "reproduced": ReproducedRecord(
                created=provenance.now(),
                environment=EnvironmentRecord.model_validate(provenance.environment()),
                pairs=found.pairs,
                equal=found.equal,
                largest_difference=found.largest_difference,
            ),
        }
    )
    write_result(found.path, marked)
    return marked


def precision_of(result: Result) -> str:
    """Return in which format the model ran, by what the run was asked for and not by its files."""
    asked = (result.experiment or {}).get("precision") or result.training.precision
    return asked if asked in LIMITS else "fp32"


def model_of(stored: StoredResult, checkpoint: Path | None) -> tuple[TranslationModel, Manifest]:
    """Return the model that made the predictions, and how it was run; raises as ``reproduce``."""
    recorded = stored.result.model
    if recorded.is_external:
        raise UsageError(
            f"{stored.path}: its predictions were given, and nothing here can make them again; "
            "verify it without --retranslate"
        )
    if not (stored.folder / MANIFEST_NAME).exists():
        raise MissingError(
            f"{stored.folder}: no {MANIFEST_NAME} says how the predictions were made"
        )
    manifest = read_manifest(stored.folder)
    if recorded.checkpoint_sha256 is None:
        return build_model(recorded.name, recorded.config or {}), manifest
    place = checkpoint or checkpoint_of(stored.result, stored.path)
    if not place.exists():
        raise MissingError(f"{place}: no such checkpoint; give it with --checkpoint FILE")
    if sha256_file(place) != recorded.checkpoint_sha256:
        raise DataError(f"{place}: not the weights that the record names; give those")
    return model_from_checkpoint(recorded.name, place, config=recorded.config), manifest
