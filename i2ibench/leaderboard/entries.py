"""Entries of a board: one JSON file a result, beside it the scores of its pairs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from i2ibench.data.group_names import check_group_names
from i2ibench.durable import remove_strays
from i2ibench.errors import DataError, UsageError
from i2ibench.files import is_safe_name, json_text, read_json, sha256_json, write_json
from i2ibench.folder_lock import locked
from i2ibench.leaderboard.entry_files import (
    end_replacements,
    entry_state,
    read_entry_scores,
    write_entry,
    written_text,
)
from i2ibench.leaderboard.reported import entry_files, is_reported, parse_reported
from i2ibench.registry import unknown_name
from i2ibench.results.additions import is_same_measurement, metrics_beyond
from i2ibench.results.consistency import contradictions
from i2ibench.results.evaluation_intervals import KEYS, metric_columns
from i2ibench.results.pair_scores import pair_scores_sha256, read_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import parse_result, read_result, result_file
from i2ibench.wording import some

_LOCK_SECONDS = 120.0
_INDEX = "readme"  # of all boards, README.md
# Of many contradictions, this many are told.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class OrderedScores:
    """Scores per pair as tables of a board read them: by id, without an index to be made anew.

    Attributes:
        ids: sorted.
        keys: hash of ids, groups and clusters.
        table: id, group and cluster, in the order of ids.
        columns: by metric its scores, in the order of ids.
    """

    ids: list[str]
    keys: str
    table: pd.DataFrame
    columns: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Entry:
    """A measured result on a board; ``pair_scores`` is None where the scores were not given."""

    path: Path
    result: Result
    pair_scores: pd.DataFrame | None

    @cached_property
    def ordered_scores(self) -> OrderedScores | None:
        """The scores in the order of ids; found once, and asked for by every table and column."""
        if self.pair_scores is None:
            return None
        table = self.pair_scores.sort_values("id").reset_index(drop=True)
        keys: pd.DataFrame = table[list(KEYS)]
        named = [*keys.fillna("").itertuples(index=False, name=None)]
        return OrderedScores(
            table["id"].tolist(),
            sha256_json(named),
            keys,
            {name: table[name].to_numpy(np.float64) for name in metric_columns(table)},
        )


class EntryExistsError(UsageError):
    """An entry of that name holds other numbers and was not to be replaced."""


def add_entry(
    folder: str | Path,
    result: Result,
    *,
    pair_scores: pd.DataFrame | str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Add ``result`` to the board of its data set in ``folder``; return the entry's path.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> scores = outcome.folder / "scores.csv"
    >>> i2ibench.add_entry("boards", outcome.result, pair_scores=scores).parent.name
    'my-data'

    An entry of the same measurement that holds fewer metrics is replaced, one that holds as many
    or more is kept.

    Args:
        folder: the folder of all boards (``leaderboards``).
        result: becomes ``<data set>/<model>-<run id or seed>.json``.
        pair_scores: its scores per pair, or their CSV; needed where the result names their hash.
        overwrite: whether an entry of the same name but other content may be replaced.

    Raises:
        EntryExistsError: such an entry exists with other content, or it is verified and would be
            replaced by a result that is not, and ``overwrite`` is not set.
        DataError: the scores do not belong to the result, or it does not follow from them.
    """
    folder = Path(folder)
    dataset = result.dataset.name
    path = folder / board_name(dataset) / f"{_safe(entry_name(result), 'entry')}.json"
    check_group_names(result.groups, path)
    if isinstance(pair_scores, str | Path):
        pair_scores = read_pair_scores(Path(pair_scores))
    if pair_scores is not None:
        check_pair_scores(result, pair_scores, path)
    if found := [*contradictions(result, pair_scores)]:
        shown = "; ".join(f"{each.subject}: {each.detail}" for each in found[:_NAMED])
        raise DataError(f"{path}: not added, the result contradicts itself: {shown}")
    content = json_text(result.to_json())
    with board_lock(folder):
        end_replacements(path.parent)
        if not overwrite and path.exists():
            known = read_result(path)
            if not is_same_measurement(known, result):
                _refuse_other_content(path, content, overwrite)
            elif not (gained := metrics_beyond(known, result)):
                return path
            elif known.status != "measured" and result.status == "measured":
                raise EntryExistsError(
                    f"{path} is {known.status} and lacks {', '.join(gained)}; verify the run "
                    "too, with i2ibench verify RUN --record, and add it again"
                )
        write_entry(path, content, pair_scores)
    return path


def add_file(
    folder: Path, path: Path, *, scores: Path | None = None, overwrite: bool = False
) -> tuple[str, Path]:
    """Add a result or a file of reported entries; return the data set and the entry's path.

    Args:
        folder: the folder of all boards.
        path: a ``result.json`` (or the run folder that holds it), or reported entries.
        scores: the result's scores per pair; by default ``scores.csv`` beside it, if there.
        overwrite: whether an entry of the same name but other content may be replaced.
    """
    path = result_file(path)
    content = read_json(path)
    if is_reported(content):
        return _add_reported(folder, path, content, overwrite)
    result = parse_result(content, path)
    if result.dataset.limit is not None:
        raise UsageError(f"{path}: a run with --limit enters no board; run it without")
    beside = path.parent / "scores.csv"
    scores = scores or (beside if beside.exists() else None)
    added = add_entry(folder, result, pair_scores=scores, overwrite=overwrite)
    return added.parent.name, added


def remove_entry(folder: Path, dataset: str, entry: str) -> list[Path]:
    """Remove one measured entry of a board with its scores; return the files that went.

    Args:
        folder: the folder of all boards.
        dataset: of the board.
        entry: its file's name, its run id, or its model's name where that has one entry.

    Raises:
        UsageError: no such entry, or several.
    """
    place = folder / _safe(dataset, "data set")
    with board_lock(folder):
        known = {each.path: each.result for each in read_entries(folder, dataset)}
        wanted = entry.removesuffix(".json")
        named = [path for path in known if path.stem == wanted]
        found = named or [
            path for path, result in known.items() if wanted in (result.run_id, result.model.name)
        ]
        stems = [path.stem for path in found or known]
        if not found:
            raise UsageError(unknown_name(f"entry of {place}", entry, stems))
        if len(found) > 1:
            raise UsageError(f"{entry} names {len(found)} entries of {place}: {some(stems)}")
        gone = [each for each in (found[0], found[0].with_suffix(".csv")) if each.exists()]
        for each in gone:
            each.unlink()
    return gone


def read_entries(folder: Path, dataset: str) -> list[Entry]:
    """Read the measured entries of a data set in the order of their names."""
    contents = ((path, read_json(path)) for path in entry_files(folder, dataset))
    return [_entry(path, content) for path, content in contents if not is_reported(content)]


def each_once(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries without copies under other names, which would pass for further seeds.

    What a file manager makes of an entry (``x (1).json``, ``x copy.json``) is told; ``check`` finds
    it as a fault.
    """
    kept: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda each: each.path.stem != entry_name(each.result)):
        first = kept.setdefault(entry_name(entry.result), entry)
        if first is not entry:
            warnings.warn(
                f"{entry.path}: holds the entry of {first.path.name} again and is not counted; "
                "remove it",
                stacklevel=3,
            )
    return sorted(kept.values(), key=lambda each: each.path.name)


def check_place(folder: Path, dataset: str) -> None:
    """Check, before anything is computed, that a board of ``dataset`` can be kept in ``folder``.

    Raises:
        UsageError: the name cannot be that of a board.
        DataError: ``folder`` cannot be made, or written to.
    """
    board_name(dataset)
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise DataError(f"{existing} is no folder; give another --board")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise DataError(f"{existing} cannot be written to; give another --board")


def board_name(dataset: str) -> str:
    """Return the name of a data set if a board can be called so, else ``UsageError``."""
    if dataset.casefold() == _INDEX:
        raise UsageError(f"a board called {dataset!r} would replace the index; choose another name")
    return _safe(dataset, "data set")


def entry_name(result: Result) -> str:
    """Return ``<model>-<run id>``, or ``<model>-seed<seed>`` where the run has no id."""
    model = result.model.name
    if result.run_id:
        return f"{model}-{result.run_id}"
    return model if result.seed is None else f"{model}-seed{result.seed}"


@contextmanager
def board_lock(folder: Path) -> Iterator[None]:
    """Let one process at a time change the boards in ``folder``."""
    busy = DataError(
        f"{folder}/.lock is held by another process for {_LOCK_SECONDS:.0f} s; "
        "wait until it ends and try again"
    )
    with locked(folder, busy, patience=_LOCK_SECONDS):
        remove_strays(folder)  # before anybody lists it
        yield


def check_pair_scores(
    result: Result, scores: pd.DataFrame, path: Path, *, as_stated: bool = False
) -> None:
    """Refuse scores of other pairs than those of ``result``.

    ``as_stated`` says that the bytes of their file have the hash that the result states.
    """
    pairs = result.dataset.pairs if result.dataset.pairs is not None else len(scores)
    if len(scores) != pairs:
        raise DataError(
            f"{path}: its scores are those of {len(scores)} pairs, the result's of {pairs}; "
            "evaluate again"
        )
    stated = result.pair_scores_sha256
    if stated is not None and not as_stated and pair_scores_sha256(scores) != stated:
        raise DataError(
            f"{path}: the scores per pair are not those the result was made of; "
            "restore them, or evaluate again"
        )


def _add_reported(folder: Path, path: Path, content: Any, overwrite: bool) -> tuple[str, Path]:
    dataset = str(content.get("dataset", ""))
    parse_reported(content, path, dataset)
    try:
        board_name(dataset)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    target = folder / dataset / path.name
    with board_lock(folder):
        _refuse_other_content(target, json_text(content), overwrite)
        write_json(target, content)
    return dataset, target


def _refuse_other_content(path: Path, content: str, overwrite: bool) -> None:
    if not overwrite and path.exists() and written_text(path) != content:
        raise EntryExistsError(
            f"{path} exists with other numbers; to replace it: i2ibench leaderboard add RUN "
            f"--overwrite --board {path.parent.parent}"
        )


def _entry(path: Path, content: Any) -> Entry:
    state: object = None
    while True:
        stated = None
        try:
            result = parse_result(content, path)
            stated = result.pair_scores_sha256
            check_group_names(result.groups, path)
            files = entry_state(path, stated)
            scores, sha256 = read_entry_scores(path, result)
            as_stated = sha256 == stated and files == entry_state(path, stated)
            if scores is not None:
                check_pair_scores(result, scores, path, as_stated=as_stated)
            return Entry(path, result, scores)
        except DataError:
            # Another process may be replacing the entry; once nothing moves, it is as it is.
            before, state = state, entry_state(path, stated)
            if state == before:
                raise
            content = read_json(path)


def _safe(name: str, kind: str) -> str:
    if not is_safe_name(name):
        raise UsageError(f"{kind} name {name!r} cannot be a file name; choose another")
    return name
