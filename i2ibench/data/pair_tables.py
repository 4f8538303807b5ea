"""Pairs that a table lists: one row a pair, with its files and what it is called by."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from i2ibench.data.listing import LeftOut, OnFault, raise_fault
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.data.tables import Row, read_table
from i2ibench.errors import DataError
from i2ibench.files import composed, is_safe_name, printable
from i2ibench.wording import count, some

# At most this many lines or names stand in a message.
_SHOWN = 3
_REQUIRED = ("source", "target")
_OPTIONAL = ("id", "split", "group", "cluster")


def table_splits(file: Path) -> set[str]:
    """Return the splits of a table, in lower case; without that column it is one test split."""
    return {split_of(row) for row in _rows(file)}


def check_table_splits(file: Path, known: Collection[str]) -> None:
    """Refuse a table with rows of splits that are none of ``known``."""
    check_splits(file, _rows(file), known, raise_fault)


def pairs_of_table(
    file: Path, names: Sequence[str], known: Collection[str], on_fault: OnFault
) -> list[ImagePair]:
    """Return the pairs of one split, sorted by id.

    Args:
        file: the table.
        names: the split's names.
        known: the names of all splits; rows of others are a fault, because they would be left out.
        on_fault: called with each fault.
    """
    wanted = {name.casefold() for name in names}
    pairs: dict[str, ImagePair] = {}
    rows = _rows(file)
    check_splits(file, rows, known, on_fault)
    for row in rows:
        if split_of(row) not in wanted:
            continue
        where = f"{file}, line {row.line}"
        try:
            pair = _pair(where, file.parent, row)
            if pair.id in pairs:
                raise DataError(f"{where}: id '{pair.id}' stands twice in its split")
        except DataError as fault:
            on_fault(fault)
            continue
        pairs[pair.id] = pair
    _tell_missing_groups(file, pairs, on_fault)
    return [pairs[identifier] for identifier in sorted(pairs)]


def split_of(row: Row) -> str:
    """Return the split a row names, in lower case."""
    return (row["split"] or "test").casefold()


def check_splits(
    file: Path, rows: Sequence[Row], known: Collection[str], on_fault: OnFault
) -> None:
    """Refuse rows of a split that nobody will ask for; a misspelt one would leave them out."""
    names = {name.casefold() for name in known}
    unknown = [row for row in rows if row["split"] and split_of(row) not in names]
    if unknown:
        splits = sorted({row["split"] for row in unknown})
        lines = some([str(row.line) for row in unknown], _SHOWN)
        on_fault(
            DataError(
                f"{file}: {count(len(unknown), 'row')} of unknown split "
                f"{some([repr(split) for split in splits], _SHOWN)} (line {lines}); call it train, "
                "val or test"
            )
        )


def _rows(file: Path) -> tuple[Row, ...]:
    try:
        state = file.stat()
    except OSError:
        return read_table(file, _REQUIRED, _OPTIONAL)  # which tells what is wrong
    return _kept_rows(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _kept_rows(file: Path, _size: int, _time: int) -> tuple[Row, ...]:
    # A table is asked for its splits several times before its pairs are listed.
    return read_table(file, _REQUIRED, _OPTIONAL)


def _pair(where: str, folder: Path, row: Row) -> ImagePair:
    source, target = (_file(folder, where, row[side]) for side in _REQUIRED)
    if source == target or source.samefile(target):
        raise DataError(f"{where}: source and target are one file, {row['source']}")
    identifier = row["id"] or composed(source.stem)
    if not is_safe_name(identifier):
        raise DataError(f"{where}: id '{identifier}' is not safe as a file name")
    return ImagePair(
        identifier,
        ImageRef(source),
        ImageRef(target),
        row["group"] or None,
        row["cluster"] or None,
    )


def _file(folder: Path, where: str, value: str) -> Path:
    if not value:
        raise DataError(f"{where}: source or target is empty")
    # Tables of Windows have backslashes; a name may be stored composed or decomposed.
    for text in (value, value.replace("\\", "/")):
        for form in ("NFC", "NFD"):
            path = folder / unicodedata.normalize(form, text)
            try:
                if path.is_file():
                    return path
            except (OSError, ValueError):  # a name too long
                continue
    raise DataError(f"{where}: {printable(value)}: no such file")


def _tell_missing_groups(file: Path, pairs: dict[str, ImagePair], on_fault: OnFault) -> None:
    without = [pair.id for pair in pairs.values() if pair.group is None]
    if without and len(without) < len(pairs):
        on_fault(
            LeftOut(
                f"{file}: {len(without)} of {len(pairs)} pairs have no group and count in the "
                f"overall value alone: {some(without, _SHOWN)}"
            )
        )
