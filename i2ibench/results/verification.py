"""Recomputing a result from its predictions and data: every hash, every number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ibench import provenance
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import (
    DataError,
    I2IBenchError,
    MissingError,
    UsageError,
    VerificationError,
)
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import Protocol, load_protocol
from i2ibench.evaluation.scores import Evaluation
from i2ibench.files import read_json, sha256_file
from i2ibench.results.build_record import build_result, can_make_intervals
from i2ibench.results.differences import (
    Discrepancy,
    number_discrepancies,
    score_discrepancies,
    tolerance,
)
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.record import EnvironmentRecord, Result, VerifiedRecord
from i2ibench.results.record_files import parse_unsealed, write_result
from i2ibench.translation.manifest import MANIFEST_NAME, read_manifest

# A name in a record is no place, and a folder of that name may be another.
_SAY_WHERE = "say where it is with --dataset PATH"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result with what it was computed from.

    Attributes:
        path: of the result.
        result: as recorded.
        dataset: opened.
        pairs: whose targets it was scored against.
        predictions: image file by pair id.
        protocol: that prepares targets.
        findings: everything that is no longer as it was when the result was written.
    """

    path: Path
    result: Result
    dataset: Dataset
    pairs: PairedDataset
    predictions: Mapping[str, Path]
    protocol: Protocol
    findings: tuple[Discrepancy, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """A recomputed result.

    Attributes:
        path: of the result.
        result: as recorded.
        findings: everything that differs; empty where the result is confirmed.
        checked: what was looked at, one line each.
        tolerances: relative, by metric.
    """

    path: Path
    result: Result
    findings: tuple[Discrepancy, ...]
    checked: tuple[str, ...]
    tolerances: Mapping[str, float]

    def error(self) -> I2IBenchError | None:
        """Return what stands against the result, or None where it is confirmed."""
        if not self.findings:
            return None
        if all(finding.missing for finding in self.findings):
            first = self.findings[0]
            return MissingError(f"{self.path}: {first.subject} {first.detail}")
        return VerificationError(f"{self.path}: {len(self.findings)} findings; it is not confirmed")


def verify(
    path: str | Path,
    *,
    dataset: str | None = None,
    targets: str | Path | None = None,
    data_root: str | Path | None = None,
    predictions: str | Path | None = None,
    protocol: str | None = None,
    device: str = "auto",
    allow_unverified_weights: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Hash predictions and data again, recompute every metric, and compare.

    Args:
        path: a run folder, its ``result.json``, or an entry of a board.
        dataset: name or path of the data set; by default the recorded name.
        targets: a folder of targets, where the result was scored against one.
        data_root: folder that holds the data set.
        predictions: their folder; by default ``predictions`` beside the result.
        protocol: its TOML file, where it is one of your own; by default the recorded id.
        device: where networks run.
        allow_unverified_weights: accept metric weights of unknown hash.
        progress: called with the pairs done and all pairs.

    Raises:
        DataError: the result or its predictions cannot be read at all.
        MissingError: the data set is not on this machine.
    """
    stored = open_stored(
        path,
        dataset=dataset,
        targets=targets,
        data_root=data_root,
        predictions=predictions,
        protocol=protocol,
    )
    path, result, pairs, rules = stored.path, stored.result, stored.pairs, stored.protocol
    findings = [*stored.findings]
    names = list(result.metrics)
    by_name = None if sorted(names) == sorted(rules.metric_names) else names
    again = evaluate(
        pairs,
        stored.predictions,
        protocol=rules,
        metrics=by_name,
        device=device,
        allow_unverified_weights=allow_unverified_weights,
        progress=progress,
        training_targets=stored.dataset.split_if_there("train"),
    )
    tolerances = {name: tolerance(name) for name in names}
    findings += number_discrepancies(result, _as_result(result, again), tolerances)
    findings += score_discrepancies(path, again.pair_scores, tolerances)
    checked = (
        f"{len(pairs)} predictions and their targets hashed",
        f"{len(names)} metrics recomputed: overall, in {len(result.groups)} groups, macro mean",
        f"{len(again.pair_scores)} x {len(metric_columns(again.pair_scores))} scores per pair",
        _about_intervals(result),
    )
    return Verification(path, result, tuple(findings), checked, tolerances)


def _about_intervals(result: Result) -> str:
    if can_make_intervals(result.intervals):
        return f"intervals recomputed by the recorded method: {result.intervals.method or 'none'}"
    return (
        f"intervals NOT recomputed: this i2ibench does not know their method, "
        f"'{result.intervals.method}'; all values were"
    )


def open_stored(
    path: str | Path,
    *,
    dataset: str | None = None,
    targets: str | Path | None = None,
    data_root: str | Path | None = None,
    predictions: str | Path | None = None,
    protocol: str | None = None,
) -> StoredResult:
    """Find what a result was computed from, and hash it again; arguments as ``verify``."""
    path = Path(path)
    path = path / "result.json" if path.is_dir() else path
    targets, data_root = _optional(targets), _optional(data_root)
    result, intact = parse_unsealed(read_json(path), path)
    opened, pairs = _open_pairs(result, dataset, targets, data_root)
    folder = _optional(predictions) or path.parent / "predictions"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the predictions with --predictions")
    findings = [] if intact else [Discrepancy("record", "edited after it was written")]
    findings += _hash_discrepancies(result, pairs, path, folder)
    images = _find_predictions(folder, pairs, path, findings)
    rules = load_protocol(protocol or result.protocol.id)
    if (rules.id, rules.sha256) != (result.protocol.id, result.protocol.sha256):
        findings.append(Discrepancy("protocol", f"{rules.id} has another content than recorded"))
    elif any(
        getattr(rules, key) != getattr(result.protocol, key)
        for key in ("main", "ranked", "endpoints")
    ):
        findings.append(Discrepancy("protocol", f"{rules.id} has other columns than recorded"))
    return StoredResult(path, result, opened, pairs, images, rules, tuple(findings))


def record_verified(verification: Verification) -> Result:
    """Mark a confirmed result as verified, with the versions that recomputed it, and return it."""
    if verification.findings:
        raise UsageError(f"{verification.path} is not confirmed and cannot be marked verified")
    confirmed = verification.result.model_copy(
        update={
            "status": "verified",
            "verified": VerifiedRecord(
                created=provenance.now(),
                environment=EnvironmentRecord.model_validate(provenance.environment()),
                relative_tolerances=dict(verification.tolerances),
            ),
        }
    )
    write_result(verification.path, confirmed)
    return confirmed


def _optional(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _open_pairs(
    result: Result, dataset: str | None, targets: Path | None, data_root: Path | None
) -> tuple[Dataset, PairedDataset]:
    recorded = result.dataset
    if targets is not None:
        found = Dataset.of_targets(targets, limit=recorded.limit)
        return found, found.split("test")
    name = dataset or recorded.name
    try:
        found = Dataset.open(
            name, direction=recorded.direction, data_root=data_root, limit=recorded.limit
        )
        return found, found.split(recorded.split or "test")
    except UsageError as error:
        if dataset is not None:
            raise
        raise MissingError(f"data set '{name}' is not in the catalogue; {_SAY_WHERE}") from error
    except MissingError as error:
        if dataset is not None:
            raise
        raise MissingError(f"{error}; or {_SAY_WHERE}") from error


def _find_predictions(
    folder: Path, pairs: PairedDataset, path: Path, findings: Sequence[Discrepancy]
) -> dict[str, Path]:
    try:
        return find_predictions(folder, pairs)
    except DataError:
        # Predictions of other ids are those of another data set, not missing ones.
        if any(finding.subject == "data" for finding in findings):
            raise DataError(
                f"{path}: {pairs.root} does not hold the pairs it was computed on; {_SAY_WHERE}"
            ) from None
        raise


def _hash_discrepancies(
    result: Result, pairs: PairedDataset, path: Path, folder: Path
) -> Iterator[Discrepancy]:
    recorded = result.dataset.manifest_sha256
    if recorded is not None and manifest_sha256(pairs) != recorded:
        yield Discrepancy(
            "data", f"{pairs.root}: not the pairs the result was computed on; {_SAY_WHERE}"
        )
    # The predictions of a run that kept its best state are not those of its last.
    kept = "best.ckpt" if result.training.keep_best else "last.ckpt"
    checkpoint = path.parent / "checkpoints" / kept
    trained = result.model.checkpoint_sha256
    if trained and checkpoint.exists() and sha256_file(checkpoint) != trained:
        yield Discrepancy("checkpoint", f"{checkpoint}: not the weights that made the predictions")
    if not (folder / MANIFEST_NAME).exists():
        return
    manifest = read_manifest(folder)
    # Of given predictions a record names no weights, so it cannot name others.
    if trained != manifest.checkpoint_sha256 and not result.model.is_external:
        yield Discrepancy("predictions", "made by other weights than the result names")
    for pair_id, difference in manifest.differences(folder).items():
        yield Discrepancy(f"prediction {pair_id}", difference)


def _as_result(result: Result, again: Evaluation) -> Result:
    return build_result(
        model=result.model,
        dataset=result.dataset,
        evaluation=again,
        intervals=result.intervals,
        cost={},
        seed=result.seed,
        environment={},
        created=result.created,
    )
