"""Scores per pair as a CSV table: id, group, cluster, then one column a pair metric.

An empty field says that the pair has no group or cluster, or that the metric is undefined on it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from i2ibench.data.tables import read_fields
from i2ibench.errors import DataError
from i2ibench.evaluation.scores import Evaluation, PairColumns
from i2ibench.files import atomic_path, composed
from i2ibench.results.evaluation_intervals import KEYS, metric_columns

# Lines that are made into text at once.
_ROWS = 8192


def write_pair_scores(path: Path, evaluation: Evaluation) -> None:
    """Write the pair scores of an evaluation; numbers keep all their digits."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for block in _blocks(evaluation.pair_scores):
            file.write(block.encode("utf-8"))


def pair_scores_csv(scores: pd.DataFrame) -> str:
    """Return a table of pair scores as CSV; NaN, a missing group or cluster is an empty field."""
    return "".join(_blocks(scores))


def pair_scores_sha256(scores: pd.DataFrame) -> str:
    """Return the SHA-256 of a table of pair scores as CSV."""
    digest = hashlib.sha256()
    for block in _blocks(scores):
        digest.update(block.encode("utf-8"))
    return digest.hexdigest()


def _blocks(scores: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the CSV, some thousand at a time."""
    names = metric_columns(scores)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([*KEYS, *names])
    yield buffer.getvalue()
    for start in range(0, len(scores), _ROWS):
        some = scores.iloc[start : start + _ROWS]
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        keys = some[list(KEYS)].astype(object).where(some[list(KEYS)].notna(), "")
        values = some[names].to_numpy(dtype=np.float64).tolist()
        for labels, numbers in zip(keys.itertuples(index=False), values, strict=True):
            writer.writerow(
                [*labels, *("" if math.isnan(each) else repr(each) for each in numbers)]
            )
        yield buffer.getvalue()


def pair_columns(scores: pd.DataFrame) -> PairColumns:
    """Return what an evaluation holds of a table of pair scores."""
    ids, groups, clusters = (scores[key].tolist() for key in KEYS)
    metrics = {name: scores[name].tolist() for name in metric_columns(scores)}
    return PairColumns(ids, groups, clusters, metrics)


def pair_scores_beside(result: Path) -> Path | None:
    """Return the table of scores per pair that belongs to a result's file, where there is one."""
    beside = (result.with_suffix(".csv"), result.parent / "scores.csv")
    return next((file for file in beside if file.exists()), None)


def read_pair_scores(path: str | Path) -> pd.DataFrame:
    """Read a table of pair scores, or that of a run folder or of an ``output`` of ``evaluate``.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> i2ibench.read_pair_scores(outcome.folder)["psnr"].shape
    (8,)

    Raises:
        DataError: no such file, or a torn or edited one; names the row.
    """
    path = Path(path)
    path = path / "scores.csv" if path.is_dir() else path
    table = read_texts(path)
    missing = [key for key in KEYS if key not in table.columns]
    if missing:
        raise DataError(f"{path}: not a table of pair scores: no column {missing[0]!r}")
    return check_pair_scores_table(table, path)


def read_texts(path: Path) -> pd.DataFrame:
    """Read a CSV of scores as texts.

    Raises:
        DataError: no such file, no table, or a row that has not as many fields as the header: a
            torn row must not pass for one whose last values are undefined.
    """
    [header, *rows] = [fields for _, fields in read_fields(path, ("id",)) if fields] or [[]]
    if not header:
        raise DataError(f"{path}: not a table of scores per pair: it is empty")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: column {twice!r} stands in it twice")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise DataError(
                f"{path}: row {number} ({row[0]}) has {len(row)} fields and the header "
                f"{len(header)}; the file is torn or edited"
            )
    table: pd.DataFrame = pd.DataFrame(rows, columns=pd.Index(header), dtype=str)
    return table


def check_pair_scores_table(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Turn a table of texts into scores; ``path`` is named where it cannot be done.

    An empty field of a metric is NaN: the metric is undefined on that pair.
    """
    texts = {name: table[name].tolist() for name in table.columns}
    ids = [composed(each) for each in texts["id"]]
    repeated = pd.Index(ids).duplicated()
    if repeated.any():
        raise DataError(f"{path}: pair {ids[int(repeated.argmax())]} stands in it twice")
    checked: dict[str, object] = {**texts, "id": ids}
    for name in metric_columns(table):
        # Not pandas' parser: before version 3 it rounds some numbers to a neighbour.
        numbers = np.array([_number(text) for text in texts[name]], dtype=np.float64)
        for row in np.flatnonzero(np.isnan(numbers)):
            if texts[name][row]:
                raise DataError(
                    f"{path}: {name} of pair {ids[row]} is no number: {texts[name][row]!r}"
                )
        checked[name] = numbers
    for key in ("group", "cluster"):
        checked[key] = pd.Series([each or None for each in texts[key]], dtype=object)
    scores: pd.DataFrame = pd.DataFrame(checked, columns=table.columns)
    return scores


def _number(text: str) -> float:
    """Return the number that ``text`` is, NaN where it is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
