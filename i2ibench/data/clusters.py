"""``clusters.csv``: the slide or patient of each pair, joined to the pairs by id.

A table that joins on nothing must not pass for no table: pairs of one slide would be taken for
independent ones, and intervals would be too narrow. Both sides' leftovers are told, and a split
that is not wholly covered cannot be scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from i2ibench.data.headers import IMAGE_SUFFIXES
from i2ibench.data.listing import LeftOut, OnFault
from i2ibench.data.pair_tables import check_splits
from i2ibench.data.tables import Row, read_table
from i2ibench.errors import DataError
from i2ibench.files import Listing, find_file, list_folder
from i2ibench.wording import count, some

CLUSTERS_FILE = "clusters.csv"
# clusters.tsv, Clusters.xlsx, clusters (1).csv, clusters.csv.txt, cluster.csv
_TABLE_OF_CLUSTERS = re.compile(
    r"clusters?([-_ .(].*)?\.(csv|json|ods|parquet|tab|tsv|txt|xls|xlsx)$", re.IGNORECASE
)
# At most this many ids stand in a message.
_SHOWN = 3
_MEND = "write the id of each pair as the names of its files have it, without suffix"


@dataclass(frozen=True, slots=True)
class ClusterTable:
    """What a table says of one split.

    Attributes:
        file: the table.
        clusters: by id as the table writes it.
        of_all: the ids of rows that name no split.
        elsewhere: whether it has rows of other splits.
    """

    file: Path
    clusters: Mapping[str, str]
    of_all: Collection[str]
    elsewhere: bool


def read_clusters(
    root: Path, names: Collection[str], known: Collection[str], on_fault: OnFault
) -> ClusterTable | None:
    """Return what ``clusters.csv`` in ``root`` says of the split of these names, if it is there."""
    file = find_file(root, CLUSTERS_FILE)
    if file is None:
        _tell_other_tables(root, on_fault)
        return None
    rows = read_table(file, required=("id", "cluster"), optional=("split",))
    check_splits(file, rows, known, on_fault)
    wanted = {name.casefold() for name in names}
    found: dict[str, str] = {}
    of_all: list[str] = []
    elsewhere = False
    for row in rows:
        if row["split"] and row["split"].casefold() not in wanted:
            elsewhere = True
            continue
        _check_row(file, row, found)
        found[row["id"]] = row["cluster"]
        if not row["split"]:
            of_all.append(row["id"])
    return ClusterTable(file, found, frozenset(of_all), elsewhere)


def join_clusters(
    table: ClusterTable,
    ids: Collection[str],
    split: str,
    ids_elsewhere: Callable[[], Collection[str]],
    on_fault: OnFault,
) -> tuple[dict[str, str], str]:
    """Return the cluster of each pair that has a row, and why a split cannot be scored, or "".

    An id may also be written as the name of the pair's file, with its suffix. Nothing else is
    guessed: zeros that a program took off a number are told.

    Args:
        table: from ``read_clusters``.
        ids: of the pairs of this split.
        split: its name, for messages.
        ids_elsewhere: called for the ids of other splits where rows without a split are left over.
        on_fault: called with the leftovers of both sides.

    Raises:
        DataError: two rows mean one pair, and differ.
    """
    joined: dict[str, str] = {}
    left: list[str] = []
    shortened: list[str] = []
    for identifier, cluster in table.clusters.items():
        meant = identifier if identifier in ids else _without_suffix(identifier)
        if meant in ids:
            if joined.setdefault(meant, cluster) != cluster:
                raise DataError(
                    f"{table.file}: {meant} has the cluster '{joined[meant]}', and as "
                    f"{identifier} '{cluster}'; keep one"
                )
            if meant != identifier:
                shortened.append(identifier)
        else:
            left.append(identifier)
    if any(identifier in table.of_all for identifier in left):
        others = ids_elsewhere()
        left = [
            identifier
            for identifier in left
            if identifier not in table.of_all
            or not {identifier, _without_suffix(identifier)} & set(others)
        ]
    missing = sorted(identifier for identifier in ids if identifier not in joined)
    if shortened:
        on_fault(
            LeftOut(
                f"{table.file}: took the suffix off {count(len(shortened), 'id')}: "
                f"{some(shortened, _SHOWN)}",
                "clusters",
            )
        )
    if left:
        hint = _hint(left, missing)
        on_fault(
            LeftOut(
                f"{table.file}: {count(len(left), 'row')} of {len(table.clusters)} name no pair of "
                f"split {split}: {some(left, _SHOWN)}{hint}; {_MEND}",
                "clusters",
            )
        )
    if not missing:
        return joined, ""
    fault = (
        f"{table.file}: {len(missing)} of {len(ids)} pairs of split {split} have no row: "
        f"{some(missing, _SHOWN)}"
    )
    if joined or left:
        on_fault(LeftOut(fault, "clusters"))
    return joined, f"{fault}; intervals need the cluster of every pair, so {_MEND}"


def _check_row(file: Path, row: Row, found: Mapping[str, str]) -> None:
    where = f"{file}, line {row.line}"
    if not row["id"] or not row["cluster"]:
        empty = "cluster" if row["id"] else "id"
        raise DataError(f"{where}: its {empty} is empty; fill it in or remove the row")
    if found.get(row["id"], row["cluster"]) != row["cluster"]:
        raise DataError(
            f"{where}: id '{row['id']}' has the cluster '{row['cluster']}' here and "
            f"'{found[row['id']]}' before; keep one"
        )


def _without_suffix(identifier: str) -> str:
    path = Path(identifier)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else identifier


def _hint(left: Iterable[str], missing: Iterable[str]) -> str:
    bare = {identifier.lstrip("0") for identifier in missing}
    if any(identifier in bare for identifier in left):
        return " (zeros before a number are lost; format the column as text)"
    return ""


def _tell_other_tables(root: Path, on_fault: OnFault) -> None:
    """Tell of what seems a table of clusters and is not read: by its name, or where it lies."""
    place = [root]
    for _ in range(3):  # also beside the images of a side, or of its split
        listed = [_listed(folder) for folder in place]
        for path in [path for each in listed for path in each.files]:
            if _TABLE_OF_CLUSTERS.match(path.name):
                on_fault(
                    LeftOut(f"{path}: is not read; save it as {root / CLUSTERS_FILE}", "clusters")
                )
        place = [folder for each in listed for folder in each.folders]


def _listed(folder: Path) -> Listing:
    try:
        return list_folder(folder, missing_ok=True)
    except DataError:  # told by whoever needs what lies in it
        return Listing()
