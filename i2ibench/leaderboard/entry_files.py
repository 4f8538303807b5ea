"""The two files of an entry, JSON and CSV: a reader sees both as they were or both as they are.

The JSON names its scores per pair by hash. New scores are first written beside it under that hash,
then the JSON is replaced, then the scores take their usual name. A process that is killed between
two of these steps leaves an entry that reads whole; the next change of the board ends what it
began.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd

from i2ibench import limits
from i2ibench.durable import remove_strays, sync_folder
from i2ibench.files import sha256_bytes, sha256_file, write_text
from i2ibench.reading import read_text, reading
from i2ibench.results.pair_scores import pair_scores_csv, read_pair_scores
from i2ibench.results.record import Result

_MARK = ".replacing"


def write_entry(path: Path, content: str, scores: pd.DataFrame | None) -> None:
    """Write an entry; the lock of the board is held.

    Args:
        path: of its JSON.
        content: of its JSON.
        scores: its scores per pair; None removes those of a former entry.
    """
    csv = path.with_suffix(".csv")
    if scores is None:
        csv.unlink(missing_ok=True)
        write_text(path, content)
        return
    table = pair_scores_csv(scores)
    if not path.exists():  # an entry is its JSON: scores without one are nobody's
        write_text(csv, table)
        write_text(path, content)
        return
    waiting = _waiting(path, sha256_bytes(table.encode("utf-8")))
    write_text(waiting, table)
    write_text(path, content)
    _take_place(waiting, csv)


def read_entry_scores(path: Path, result: Result) -> tuple[pd.DataFrame | None, str | None]:
    """Return the scores per pair of an entry and their file's hash; None where it has none."""
    csv = path.with_suffix(".csv")
    if result.pair_scores_sha256 is not None:
        waiting = _waiting(path, result.pair_scores_sha256)
        csv = waiting if waiting.exists() else csv
    if not csv.exists():
        return None, None
    scores = read_pair_scores(csv)
    try:
        return scores, sha256_file(csv)
    except FileNotFoundError:  # another process has put it into its place meanwhile
        return scores, None


def entry_state(path: Path, scores_sha256: str | None) -> list[tuple[str, int, int]]:
    """Return which files an entry consists of now: what was read meanwhile is whole if it stays.

    Args:
        path: of its JSON.
        scores_sha256: of its scores, as that JSON says; None where it could not be read.
    """
    # Scores that wait under another hash belong to a JSON that has not taken its place yet.
    waiting = [] if scores_sha256 is None else [_waiting(path, scores_sha256)]
    found = []
    for file in (path, path.with_suffix(".csv"), *waiting):
        with contextlib.suppress(FileNotFoundError):
            state = file.stat()
            found.append((file.name, state.st_ino, state.st_mtime_ns))
    return found


def written_text(path: Path) -> str:
    """Return the text of a file of a board; one that is not text is a ``DataError``."""
    with reading(path, "what a board writes", remedy="restore it, or build the board again"):
        return read_text(path, limits.JSON_BYTES)


def end_replacements(folder: Path) -> None:
    """End what killed processes began to write in a folder of entries; the lock is held."""
    if folder.is_dir():
        remove_strays(folder)
    for waiting in sorted(folder.glob(f".*{_MARK}-*.csv")):
        stem, _, named = waiting.stem[1:].rpartition(f"{_MARK}-")
        path = folder / f"{stem}.json"
        # Where the JSON is still the former one, its scores are, too.
        if path.exists() and f'"pair_scores_sha256": "{named}' in written_text(path):
            _take_place(waiting, path.with_suffix(".csv"))
        else:
            waiting.unlink(missing_ok=True)


def _waiting(path: Path, sha256: str) -> Path:
    return path.with_name(f".{path.stem}{_MARK}-{sha256[:16]}.csv")


def _take_place(waiting: Path, csv: Path) -> None:
    waiting.replace(csv)
    sync_folder(csv.parent)
