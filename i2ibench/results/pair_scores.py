"""Scores per pair as a CSV table: id, group, cluster, then one column a pair metric."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd

from i2ibench.errors import DataError
from i2ibench.evaluation.scores import Evaluation, PairColumns
from i2ibench.files import write_text
from i2ibench.results.evaluation_intervals import KEYS, metric_columns


def write_pair_scores(path: Path, evaluation: Evaluation) -> None:
    """Write the pair scores of an evaluation; numbers keep all their digits."""
    write_text(path, pair_scores_csv(evaluation.pair_scores))


def pair_scores_csv(scores: pd.DataFrame) -> str:
    """Return a table of pair scores as CSV; a missing group or cluster is an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = metric_columns(scores)
    writer.writerow([*KEYS, *names])
    keys = scores[list(KEYS)].astype(object).where(scores[list(KEYS)].notna(), "")
    values = scores[names].to_numpy(dtype=np.float64)
    for labels, numbers in zip(keys.itertuples(index=False), values.tolist(), strict=True):
        writer.writerow([*labels, *map(repr, numbers)])
    return buffer.getvalue()


def pair_columns(scores: pd.DataFrame) -> PairColumns:
    """Return what an evaluation holds of a table of pair scores."""
    ids, groups, clusters = (scores[key].tolist() for key in KEYS)
    metrics = {name: scores[name].tolist() for name in metric_columns(scores)}
    return PairColumns(ids, groups, clusters, metrics)


def pair_scores_beside(result: Path) -> Path | None:
    """Return the table of scores per pair that belongs to a result's file, where there is one."""
    beside = (result.with_suffix(".csv"), result.parent / "scores.csv")
    return next((file for file in beside if file.exists()), None)


def read_pair_scores(path: Path) -> pd.DataFrame:
    """Read a table of pair scores; a torn or edited one is a ``DataError`` that names the row."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table of pair scores: {error}") from None
    missing = [key for key in KEYS if key not in table.columns]
    if missing:
        raise DataError(f"{path}: not a table of pair scores: no column {missing[0]!r}")
    return check_pair_scores_table(table, path)


def check_pair_scores_table(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Turn a table of texts into scores; ``path`` is named where it cannot be done."""
    repeated = table["id"][table["id"].duplicated()]
    if len(repeated):
        raise DataError(f"{path}: pair {repeated.iloc[0]} stands in it twice")
    checked: pd.DataFrame = table.copy()
    for name in metric_columns(table):
        # Not pandas' parser: before version 3 it rounds some numbers to a neighbour.
        numbers = np.array([_number(text) for text in table[name]], dtype=np.float64)
        if np.isnan(numbers).any():
            row = int(np.flatnonzero(np.isnan(numbers))[0])
            pair = table["id"].iloc[row]
            raise DataError(
                f"{path}: {name} of pair {pair} is no number: {table[name].iloc[row]!r}"
            )
        checked[name] = numbers
    for key in ("group", "cluster"):
        checked[key] = table[key].astype(object).where(table[key] != "", None)
    return checked


def _number(text: str) -> float:
    """Return the number that ``text`` is, NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
