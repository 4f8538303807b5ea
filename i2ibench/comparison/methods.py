"""Which methods are compared: runs, entries of boards, tables that others published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.metrics.presentation import direction
from i2ibench.results.pair_scores import read_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result
from i2ibench.results.score_tables import read_score_table
from i2ibench.results.scored_method import ScoredMethod


def read_methods(paths: Sequence[str | Path]) -> list[ScoredMethod]:
    """Read the methods of runs, entries and tables; equal labels are told apart by run or seed.

    Each path is a run folder, a ``result.json``, an entry of a board, or a CSV with the columns
    ``id``, optionally ``group`` or ``level``, ``cluster`` and ``method``, and one a metric.
    """
    found = [method for path in paths for method in _read(Path(path))]
    labels = [method.label for method in found]
    return [
        replace(method, label=_distinct(method)) if labels.count(method.label) > 1 else method
        for method in found
    ]


def _read(path: Path) -> list[ScoredMethod]:
    if path.is_dir():
        return [_from_result(path / "result.json", path / "scores.csv")]
    if path.suffix == ".json":
        beside = path.with_suffix(".csv")
        scores = beside if beside.exists() else path.parent / "scores.csv"
        return [_from_result(path, scores)]
    beside = path.parent / "result.json"
    if path.name == "scores.csv" and beside.exists():
        return [_from_result(beside, path)]
    tables = read_score_table(path)
    return [
        ScoredMethod(
            label=method,
            scores=scores,
            better={name: direction(name.lower()) for name in scores.columns},
            path=path,
        )
        for method, scores in tables.items()
    ]


def _from_result(path: Path, scores: Path) -> ScoredMethod:
    result = read_result(path)
    if not scores.exists():
        raise DataError(f"{path}: no scores per pair beside it; evaluate again with --output")
    return ScoredMethod(
        label=result.model.name,
        scores=read_pair_scores(scores),
        better={name: record.better for name, record in result.metrics.items()},
        signatures={name: record.signature for name, record in result.metrics.items()},
        identity=_identity(result),
        path=path,
    )


def _identity(result: Result) -> dict[str, str]:
    named = {
        "the data set": result.dataset.name,
        "the split": result.dataset.split,
        "the direction": result.dataset.direction,
        "the hash of the data": result.dataset.manifest_sha256,
        "the preparation of images": _preparation(result),
    }
    return {what: str(value) for what, value in named.items() if value is not None}


def _preparation(result: Result) -> str:
    """Say how images were scaled and cropped; a protocol not known here stands for itself."""
    recorded = result.protocol
    try:
        protocol = load_protocol(recorded.id)
    except UsageError:
        return f"that of {recorded.id} ({recorded.sha256[:12]})"
    if protocol.sha256 != recorded.sha256:
        return f"that of {recorded.id} ({recorded.sha256[:12]})"
    settings = protocol.preparation.model_dump(mode="json", exclude_none=True)
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "none"


def _distinct(method: ScoredMethod) -> str:
    folder = method.path.parent if method.path.name == "result.json" else method.path
    return f"{method.label} ({folder.stem})"
