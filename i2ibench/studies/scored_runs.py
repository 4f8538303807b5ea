"""The runs that a study shows: still what was scored, and of the same pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.files import sha256_file, sha256_json
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.methods import method_key, method_labels
from i2ibench.results.pair_scores import pair_scores_beside, read_pair_scores
from i2ibench.results.stored_result import StoredResult, open_stored
from i2ibench.studies.key import MetricFacts, StudyData
from i2ibench.wording import some


def open_scored(
    path: str | Path, dataset: str | None, data_root: str | Path | None
) -> StoredResult:
    """Open a run whose predictions and data are still those that were scored."""
    found = open_stored(path, dataset=dataset, data_root=data_root)
    if found.findings:
        told = [f"{each.subject}: {each.detail}" for each in found.findings]
        raise DataError(f"{found.path}: not as it was scored ({some(told, 3)}); verify tells more")
    return found


def methods_of(stored: Sequence[StoredResult]) -> dict[str, StoredResult]:
    """Return the runs by the labels of their methods; all of one set of pairs and preparation."""
    first = stored[0]
    by_key: dict[str, StoredResult] = {}
    for each in stored:
        same = by_key.setdefault(method_key(each.result), each)
        if same is not each:
            raise UsageError(
                f"{same.path.parent} and {each.path.parent} are one method; give one run of each"
            )
        for what, mine, theirs in (
            ("data set", first.result.dataset.name, each.result.dataset.name),
            ("direction", first.result.dataset.direction, each.result.dataset.direction),
            ("split", first.result.dataset.split, each.result.dataset.split),
            (
                "hash of the data",
                first.result.dataset.manifest_sha256,
                each.result.dataset.manifest_sha256,
            ),
            ("preparation", first.protocol.preparation, each.protocol.preparation),
        ):
            if mine != theirs:
                raise DataError(
                    f"{first.path} and {each.path} cannot be shown beside each other: the {what} "
                    f"is {mine} of the one and {theirs} of the other"
                )
    return dict(zip(method_labels([each.result for each in stored]), stored, strict=True))


def levels_of(pairs: PairedDataset) -> tuple[dict[str, list[ImagePair]], list[str]]:
    """Return the pairs by level, in the data set's order, and what is left out."""
    groups = {pair.group for pair in pairs} - {None}
    if not groups:
        return {"": list(pairs)}, []
    order = [group for group in pairs.group_order if group in groups]
    order += sorted(group for group in groups if group is not None and group not in order)
    without = [pair.id for pair in pairs if pair.group is None]
    notes = [f"left out, without a level: {some(without, 3)}"] if without else []
    return {level: [each for each in pairs if each.group == level] for level in order}, notes


def predictions_hash(stored: StoredResult) -> str:
    """Return the hash of a method's predictions."""
    files = {pair: sha256_file(path) for pair, path in sorted(stored.predictions.items())}
    return sha256_json(files)


def data_of(stored: StoredResult) -> StudyData:
    """Return what the record says of the pairs."""
    recorded = stored.result.dataset
    return StudyData(
        name=recorded.name,
        split=recorded.split or "test",
        direction=recorded.direction or "AtoB",
        group_name=stored.pairs.group_name,
        manifest_sha256=recorded.manifest_sha256,
        clusters_unknown=stored.pairs.hidden_clusters,
    )


def metrics_of(methods: Mapping[str, StoredResult], shown: Sequence[str]) -> dict[str, MetricFacts]:
    """Return every metric that all methods were scored with under one definition."""
    tables = {label: _scores(each) for label, each in methods.items()}
    records = {label: each.result.metrics for label, each in methods.items()}
    first = next(iter(records.values()))
    found = {}
    for name, record in first.items():
        if any(
            name not in other or other[name].signature != record.signature
            for other in records.values()
        ):
            continue
        of_pairs = all(name in metric_columns(table) for table in tables.values())
        found[name] = MetricFacts(
            better=record.better,
            signature=record.signature,
            methods={label: each[name].value for label, each in records.items()},
            pairs={
                label: {pair: _number(table[name].get(pair)) for pair in shown}
                for label, table in tables.items()
                if of_pairs
            },
        )
    return found


def _scores(stored: StoredResult) -> pd.DataFrame:
    path = pair_scores_beside(stored.path)
    if path is None:
        raise DataError(f"{stored.path}: no scores per pair beside it; evaluate again")
    table: pd.DataFrame = read_pair_scores(path).set_index("id", drop=False)
    return table


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
