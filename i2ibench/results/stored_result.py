"""A result with the files it was computed from: found, hashed again, and held against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import Protocol, load_protocol
from i2ibench.files import read_json, sha256_file
from i2ibench.provenance import plugins_used
from i2ibench.results.differences import Discrepancy
from i2ibench.results.origin import predictions_sha256
from i2ibench.results.own_contradictions import column_discrepancies
from i2ibench.results.pair_scores import pair_scores_beside
from i2ibench.results.record import Result
from i2ibench.results.record_files import parse_unsealed, result_file
from i2ibench.translation.manifest import MANIFEST_NAME, read_manifest

# A name in a record is no place, and a folder of that name may be another.
_SAY_WHERE = "say where it is with --dataset PATH"

# What is said of a hash that was looked at.
AS_RECORDED, DIFFERS = "as recorded", "differs"


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result with what it was computed from.

    Attributes:
        path: of the result.
        result: as recorded.
        dataset: opened.
        pairs: whose targets it was scored against.
        folder: of the predictions.
        predictions: image file by pair id.
        protocol: that prepares targets.
        findings: everything that is no longer as it was when the result was written.
        hashes: by what was hashed, ``"as recorded"``, ``"differs"``, or why it was not looked at.
    """

    path: Path
    result: Result
    dataset: Dataset
    pairs: PairedDataset
    folder: Path
    predictions: Mapping[str, Path]
    protocol: Protocol
    findings: tuple[Discrepancy, ...]
    hashes: Mapping[str, str]


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
    path = result_file(Path(path))
    targets, data_root = _optional(targets), _optional(data_root)
    result, intact = parse_unsealed(read_json(path), path)
    opened, pairs = open_pairs(result, dataset, targets, data_root)
    folder = _optional(predictions) or path.parent / "predictions"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the predictions with --predictions")
    hashes: dict[str, str] = {"record": _state(intact)}
    findings = [] if intact else [Discrepancy("record", "edited after it was written")]
    findings += _hash_discrepancies(result, pairs, path, folder, hashes)
    images = _find_predictions(folder, pairs, path, findings)
    findings += _given_discrepancies(result, images, hashes)
    rules = load_protocol(protocol or result.protocol.id)
    if (rules.id, rules.sha256) != (result.protocol.id, result.protocol.sha256):
        findings.append(Discrepancy("protocol", f"{rules.id} has another content than recorded"))
    else:
        findings += column_discrepancies(rules, result.protocol)
    hashes.update(_plugin_states(result))
    hashes["protocol"] = _state(all(each.subject != "protocol" for each in findings))
    return StoredResult(path, result, opened, pairs, folder, images, rules, tuple(findings), hashes)


def checkpoint_of(result: Result, path: Path) -> Path:
    """Return where the checkpoint lies that made a run's predictions, whether it is there or not.

    The predictions of a run that kept its best state are not those of its last.
    """
    kept = "best.ckpt" if result.training.keep_best else "last.ckpt"
    return path.parent / "checkpoints" / kept


def _optional(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def open_pairs(
    result: Result, dataset: str | None, targets: Path | None, data_root: Path | None
) -> tuple[Dataset, PairedDataset]:
    """Return the data set that a result names, or that is given instead, and the scored pairs."""
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
    result: Result, pairs: PairedDataset, path: Path, folder: Path, hashes: dict[str, str]
) -> Iterator[Discrepancy]:
    """Yield what does not hash as recorded; ``hashes`` receives what was looked at, and how."""
    recorded = result.dataset.manifest_sha256
    hashes["data"] = _state(recorded == manifest_sha256(pairs, reread=True))
    if recorded is None:
        yield Discrepancy("data", "the record names no hash of its data; that was removed")
    elif hashes["data"] == DIFFERS:
        yield Discrepancy(
            "data", f"{pairs.root}: not the pairs the result was computed on; {_SAY_WHERE}"
        )
    yield from _scores_discrepancies(result, path, hashes)
    yield from _checkpoint_discrepancies(result, path, hashes)
    if not (folder / MANIFEST_NAME).exists():
        hashes["predictions"] = "not looked at: no manifest names their hashes"
        return
    manifest = read_manifest(folder)
    # Of given predictions a record names no weights, so it cannot name others.
    trained = result.model.checkpoint_sha256
    if trained != manifest.checkpoint_sha256 and not result.model.is_external:
        yield Discrepancy("predictions", "made by other weights than the result names")
    changed = manifest.differences(folder)
    for pair_id, difference in changed.items():
        yield Discrepancy(f"prediction {pair_id}", difference)
    unnamed = [pair.id for pair in pairs if pair.id not in manifest.files]
    if unnamed:
        yield Discrepancy(
            f"prediction {unnamed[0]}", f"not in the manifest, as {len(unnamed)} in all"
        )
    hashes["predictions"] = _state(not changed and not unnamed)


def _given_discrepancies(
    result: Result, images: Mapping[str, Path], hashes: dict[str, str]
) -> Iterator[Discrepancy]:
    """Yield where predictions that were imported are not those that the experiment names."""
    stated = (result.experiment or {}).get("predictions")
    if not result.model.is_external or not isinstance(stated, Mapping):
        return
    hashes["predictions"] = _state(predictions_sha256(images) == stated.get("sha256"))
    if hashes["predictions"] == DIFFERS:
        yield Discrepancy("predictions", "not those that were imported")


def _scores_discrepancies(
    result: Result, path: Path, hashes: dict[str, str]
) -> Iterator[Discrepancy]:
    stated, file = result.pair_scores_sha256, pair_scores_beside(path)
    if stated is None:
        hashes["scores per pair"] = DIFFERS
        yield Discrepancy(
            "scores per pair", "the record names no hash of its scores per pair; that was removed"
        )
    elif file is None:
        hashes["scores per pair"] = "not looked at: no table beside the record"
    else:
        hashes["scores per pair"] = _state(sha256_file(file) == stated)
        if hashes["scores per pair"] == DIFFERS:
            yield Discrepancy(file.name, "not the scores per pair that the record names by hash")


def _checkpoint_discrepancies(
    result: Result, path: Path, hashes: dict[str, str]
) -> Iterator[Discrepancy]:
    trained, checkpoint = result.model.checkpoint_sha256, checkpoint_of(result, path)
    if not trained:
        hashes["checkpoint"] = "not looked at: the record names none"
    elif not checkpoint.exists():
        hashes["checkpoint"] = f"not looked at: {checkpoint.name} is not beside the record"
    else:
        hashes["checkpoint"] = _state(sha256_file(checkpoint) == trained)
        if hashes["checkpoint"] == DIFFERS:
            yield Discrepancy(
                "checkpoint", f"{checkpoint}: not the weights that made the predictions"
            )


def _plugin_states(result: Result) -> Iterator[tuple[str, str]]:
    """Yield whether the code of plugins is that of the record; their numbers decide, not they."""
    now = {
        (each["kind"], each["name"]): each
        for each in plugins_used(result.model.name, result.metrics)
    }
    for then in result.environment.plugins or []:
        name = then.get("name")
        here = now.get((then.get("kind"), name))
        if here is None or here["sha256"] is None:
            yield f"code of {name}", f"not looked at: {then.get('package')} is not here"
        else:
            yield f"code of {name}", _state(here["sha256"] == then.get("sha256"))


def _state(same: bool) -> str:
    return AS_RECORDED if same else DIFFERS
