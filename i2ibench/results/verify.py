"""Recomputing a result from its predictions and data: every hash, every number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from i2ibench import provenance, registry
from i2ibench.data.datasets import available_splits, manifest_sha256, open_dataset
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.targets import open_targets
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.evaluation.scores import Evaluation
from i2ibench.files import read_json, sha256_file
from i2ibench.results.intervals import metric_columns
from i2ibench.results.pair_scores import read_pair_scores
from i2ibench.results.record import (
    MetricRecord,
    Result,
    build_result,
    parse_unsealed,
    write_result,
)
from i2ibench.translation.manifest import MANIFEST_NAME, read_manifest

# Two computations agree where they differ by less than these parts of the larger. Networks sum in
# another order on other hardware; distances of sets amplify that.
_EXACT, _NETWORK, _SET_OF_NETWORK = 1e-9, 1e-4, 1e-3
# Differences below this are none, whatever the size of the numbers.
_NOTHING = 1e-9
# Of many scores per pair that differ, this many are named.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as recorded: what, and how it differs."""

    subject: str
    detail: str


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
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    tolerances: Mapping[str, float]


def verify(
    path: Path,
    *,
    dataset: str | None = None,
    targets: Path | None = None,
    data_root: Path | None = None,
    predictions: Path | None = None,
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
        device: where networks run.
        allow_unverified_weights: accept metric weights of unknown hash.
        progress: called with the pairs done and all pairs.

    Raises:
        DataError: the result or its predictions cannot be read at all.
        MissingError: the data set is not on this machine.
    """
    path = path / "result.json" if path.is_dir() else path
    result, intact = parse_unsealed(read_json(path), path)
    pairs = _open_pairs(result, dataset, targets, data_root)
    folder = predictions or path.parent / "predictions"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the predictions with --predictions")
    findings = [] if intact else [Finding("record", "edited after it was written")]
    findings += _hash_findings(result, pairs, path, folder)
    protocol = load_protocol(result.protocol.id)
    if protocol.sha256 != result.protocol.sha256:
        findings.append(Finding("protocol", f"{protocol.id} has another content than recorded"))
    names = list(result.metrics)
    by_name = None if sorted(names) == sorted(protocol.metric_names) else names
    again = evaluate(
        pairs,
        find_predictions(folder, pairs),
        protocol=protocol,
        metrics=by_name,
        device=device,
        allow_unverified_weights=allow_unverified_weights,
        progress=progress,
        training_targets=_training_targets(result, dataset, data_root),
    )
    tolerances = {name: tolerance(name) for name in names}
    findings += _number_findings(result, _as_result(result, again), tolerances)
    findings += _score_findings(path, again.pair_scores, tolerances)
    checked = (
        f"{len(pairs)} predictions and their targets hashed",
        f"{len(names)} metrics recomputed: overall, in {len(result.groups)} groups, macro mean",
        f"{len(again.pair_scores)} x {len(metric_columns(again.pair_scores))} scores per pair",
    )
    return Verification(path, result, tuple(findings), checked, tolerances)


def record_verified(verification: Verification) -> Result:
    """Mark a confirmed result as verified, with the versions that recomputed it, and return it."""
    if verification.findings:
        raise UsageError(f"{verification.path} is not confirmed and cannot be marked verified")
    confirmed = verification.result.model_copy(
        update={
            "status": "verified",
            "verified": {
                "created": provenance.now(),
                "environment": provenance.environment(),
                "relative_tolerances": dict(verification.tolerances),
            },
        }
    )
    write_result(verification.path, confirmed)
    return confirmed


def tolerance(metric: str) -> float:
    """Return the relative difference up to which two computations of ``metric`` agree."""
    from i2ibench.metrics.interface import SetMetric

    metric_class = registry.metrics.get(metric)
    if not metric_class.weights:
        return _EXACT
    return _SET_OF_NETWORK if issubclass(metric_class, SetMetric) else _NETWORK


def _open_pairs(
    result: Result, dataset: str | None, targets: Path | None, data_root: Path | None
) -> PairedDataset:
    recorded = result.dataset
    limit = recorded.get("limit")
    if targets is not None:
        return open_targets(targets, limit=limit)
    name = dataset or str(recorded.get("name"))
    try:
        return open_dataset(
            name,
            str(recorded.get("split", "test")),
            direction=recorded.get("direction"),
            data_root=data_root,
            limit=limit,
        )
    except UsageError as error:
        if dataset is not None:
            raise
        raise MissingError(
            f"data set '{name}' is not in the catalogue; say where it is with --dataset PATH"
        ) from error


def _training_targets(
    result: Result, dataset: str | None, data_root: Path | None
) -> PairedDataset | None:
    name = dataset or str(result.dataset.get("name"))
    try:
        if "train" not in available_splits(name, data_root=data_root):
            return None
    except UsageError:
        return None
    direction = result.dataset.get("direction")
    return open_dataset(name, "train", direction=direction, data_root=data_root)


def _hash_findings(
    result: Result, pairs: PairedDataset, path: Path, folder: Path
) -> Iterator[Finding]:
    recorded = result.dataset.get("manifest_sha256")
    if recorded is not None and manifest_sha256(pairs) != recorded:
        yield Finding("data", f"{pairs.root}: not the pairs the result was computed on")
    checkpoint = path.parent / "checkpoints" / "last.ckpt"
    trained = result.model.get("checkpoint_sha256")
    if trained and checkpoint.exists() and sha256_file(checkpoint) != trained:
        yield Finding("checkpoint", f"{checkpoint}: not the weights that made the predictions")
    if not (folder / MANIFEST_NAME).exists():
        return
    manifest = read_manifest(folder)
    if trained != manifest.checkpoint_sha256:
        yield Finding("predictions", "made by other weights than the result names")
    for pair_id, digest in manifest.files.items():
        file = folder / f"{pair_id}.png"
        if not file.exists():
            yield Finding(f"prediction {pair_id}", "missing")
        elif sha256_file(file) != digest:
            yield Finding(f"prediction {pair_id}", "changed after it was made")


def _as_result(result: Result, again: Evaluation) -> Result:
    return build_result(
        model=result.model,
        dataset=result.dataset,
        evaluation=again,
        cost={},
        seed=result.seed,
        environment={},
        created=result.created,
    )


def _number_findings(
    recorded: Result, again: Result, tolerances: Mapping[str, float]
) -> Iterator[Finding]:
    yield from _table_findings("", recorded.metrics, again.metrics, tolerances)
    for group in sorted({*recorded.groups, *again.groups}):
        if group not in recorded.groups or group not in again.groups:
            yield Finding(f"group {group}", "not in both the record and the recomputation")
            continue
        mine, theirs = recorded.groups[group], again.groups[group]
        if mine.n != theirs.n:
            yield Finding(f"group {group}", f"{mine.n} pairs recorded, {theirs.n} found")
        yield from _table_findings(f" of {group}", mine.metrics, theirs.metrics, tolerances)
    yield from _table_findings(" of macro mean", recorded.macro, again.macro, tolerances)


def _table_findings(
    where: str,
    recorded: Mapping[str, MetricRecord],
    again: Mapping[str, MetricRecord],
    tolerances: Mapping[str, float],
) -> Iterator[Finding]:
    for name, mine in recorded.items():
        theirs = again.get(name)
        subject = f"{name}{where}"
        if theirs is None:
            yield Finding(subject, "recorded, but not computed by this protocol")
            continue
        if mine.value is not None and theirs.value is None:
            yield Finding(subject, f"cannot be recomputed: {theirs.unavailable}")
            continue
        if mine.value is None:
            # A metric that was unavailable then may be computed now; that refutes nothing.
            continue
        for what, left, right in _compared(mine, theirs):
            if not _agree(left, right, tolerances.get(name, _EXACT)):
                yield Finding(
                    subject, f"{what} {_shown(left)} recorded, {_shown(right)} recomputed"
                )


def _compared(mine: MetricRecord, theirs: MetricRecord) -> Iterator[tuple[str, Any, Any]]:
    yield "value", mine.value, theirs.value
    yield "signature", mine.signature, theirs.signature
    yield "pairs", mine.n, theirs.n
    yield "unit", mine.unit, theirs.unit
    yield "direction", mine.better, theirs.better
    yield "interval", mine.ci95, theirs.ci95


def _score_findings(
    path: Path, again: pd.DataFrame, tolerances: Mapping[str, float]
) -> Iterator[Finding]:
    """Compare the stored scores per pair with recomputed ones, where they are stored."""
    beside = path.with_suffix(".csv")
    file = beside if beside.exists() else path.parent / "scores.csv"
    if not file.exists():
        return
    stored = read_pair_scores(file)
    if list(stored["id"]) != list(again["id"]):
        yield Finding(file.name, "holds other pairs than the data set")
        return
    for name in metric_columns(stored):
        if name not in again.columns:
            continue
        rows = zip(stored["id"], stored[name], again[name], strict=True)
        limit = tolerances.get(name, _EXACT)
        apart = [(i, old, new) for i, old, new in rows if not _agree(old, new, limit)]
        for pair_id, old, new in apart[:_NAMED]:
            yield Finding(
                f"{name} of pair {pair_id}", f"{_shown(old)} stored, {_shown(new)} recomputed"
            )
        if len(apart) > _NAMED:
            yield Finding(name, f"{len(apart) - _NAMED} more pairs differ")


def _agree(mine: Any, theirs: Any, relative: float) -> bool:
    if isinstance(mine, tuple) and isinstance(theirs, tuple):
        # Ends of an interval move with the largest of them.
        scale = max(abs(each) for each in (*mine, *theirs))
        return all(
            abs(a - b) <= relative * scale + _NOTHING for a, b in zip(mine, theirs, strict=True)
        )
    if isinstance(mine, float) and isinstance(theirs, float):
        return math.isclose(mine, theirs, rel_tol=relative, abs_tol=_NOTHING)
    return bool(mine == theirs)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(each) for each in value)}]"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
