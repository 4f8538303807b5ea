"""Tables of scores per pair that hold several methods: id, group, cluster, method, metrics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from i2ibench.errors import DataError
from i2ibench.results.pair_scores import check_pair_scores_table, read_texts

# Other names under which published tables hold the group.
_GROUP_NAMES = ("group", "level")


def read_score_table(path: Path) -> dict[str, pd.DataFrame]:
    """Read a CSV of scores per pair by method; a table of one method is named after its file.

    Columns: ``id``, optionally ``group`` (or ``level``), ``cluster`` and ``method``; every other
    column is a metric. A row that is torn or no number is a ``DataError`` that names it.
    """
    table = _with_keys(read_texts(path), path)
    if "method" not in table.columns:
        return {path.stem: check_pair_scores_table(table, path)}
    return {
        str(method): check_pair_scores_table(
            rows.drop(columns="method").reset_index(drop=True), path
        )
        for method, rows in table.groupby("method", sort=False)
    }


def _with_keys(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if "id" not in table.columns:
        raise DataError(f"{path}: not a table of scores per pair: no column 'id'")
    group = next((name for name in _GROUP_NAMES if name in table.columns), None)
    table = table.rename(columns={group: "group"}) if group else table.assign(group="")
    if "cluster" not in table.columns:
        table = table.assign(cluster="")
    keys = ["id", "group", "cluster"]
    ordered: pd.DataFrame = table[[*keys, *(name for name in table.columns if name not in keys)]]
    return ordered
