"""Where results of scored folders go: the models' names, and folders that may be written to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from i2ibench.errors import DataError, UsageError
from i2ibench.files import composed, is_safe_name
from i2ibench.folder_lock import locked
from i2ibench.results.record_files import read_result


def page_of(folder: Path) -> Path:
    """Return the page of a run folder, or of a folder that ``evaluate`` writes."""
    return folder / "report" / "index.html"


class BusyError(UsageError):
    """Another process works in the folder."""


def model_name(predictions: Path) -> str:
    """Return what a model is called whose predictions lie in a folder: the folder's name."""
    return _absolute(predictions).name or "predictions"


def model_names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' names, or the parts by which their paths differ where names are one.

    ``results/A/test_latest/images`` and ``results/B/test_latest/images`` are called A and B.

    Raises:
        UsageError: a folder is given twice.
    """
    for number, folder in enumerate(folders):
        if folder.resolve() in [other.resolve() for other in folders[:number]]:
            raise UsageError(f"{folder} is given twice; name the folders of different models")
    names = [model_name(folder) for folder in folders]
    if _first_twin(names) is None:
        return names
    parts = [list(_absolute(folder).parts) for folder in folders]
    for end in (0, -1):
        while all(len(each) > 1 for each in parts) and len({each[end] for each in parts}) == 1:
            for each in parts:
                del each[end]
    return ["-".join(each) for each in parts]


def check_names(names: Sequence[str], count: int, *, as_folders: bool) -> None:
    """Check that ``names`` tell ``count`` models apart, also as names of folders.

    Raises:
        UsageError: too few or too many, two that are one on some system, or an unsafe name.
    """
    if len(names) != count:
        raise UsageError(f"{len(names)} names for {count} folders; give one --name for each")
    twin = _first_twin(names)
    if twin is not None:
        raise UsageError(f"two models are called {twin!r}; tell them apart with --name")
    unsafe = [name for name in names if not is_safe_name(name)]
    if as_folders and unsafe:
        raise UsageError(f"{unsafe[0]!r} cannot be the name of a folder; give another with --name")


def check_outputs(outputs: Sequence[Path], predictions: Sequence[Path]) -> None:
    """Check, before anything is computed, that results may be written into ``outputs``.

    Raises:
        UsageError: one holds predictions that are scored, or a run's own result.
        DataError: one cannot be written to.
    """
    scored = {folder.resolve() for folder in predictions}
    for output in outputs:
        _check_writable(output)
        if output.resolve() in scored:
            raise UsageError(f"{output} holds predictions; give another folder as --output")
        if (output / "experiment.json").exists() or _is_result_of_a_run(output / "result.json"):
            raise UsageError(
                f"{output} holds the result of a run, which would be lost; give another --output"
            )


def _is_result_of_a_run(path: Path) -> bool:
    try:
        return not read_result(path).model.is_external
    except DataError:
        return False  # absent, or torn: there is nothing to lose


def _check_writable(folder: Path) -> None:
    for place in (folder / "result.json", folder / "scores.csv"):
        if place.is_dir():
            raise DataError(f"{place} is a folder; remove it, or give another --output")
    existing = next(each for each in (folder, *_absolute(folder).parents) if each.exists())
    if not existing.is_dir():
        raise DataError(f"{existing} is no folder; give another --output")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise DataError(f"{existing} cannot be written to; give another --output")


def _first_twin(names: Sequence[str]) -> str | None:
    """Return a name that is a former one's on a file system that ignores case or composition."""
    known = set()
    for name in names:
        folded = composed(name).casefold()
        if folded in known:
            return name
        known.add(folded)
    return None


def _absolute(folder: Path) -> Path:
    """Return the folder from the root, without ``..``; a link keeps its own name."""
    return Path(os.path.abspath(folder))  # noqa: PTH100


def alone_in(folder: Path, *, patience: float = 0.0) -> AbstractContextManager[None]:
    """Keep other processes out of a folder of results; wait ``patience`` seconds for another."""
    busy = BusyError(
        f"{folder}: another process is working on this run; wait until it ends, or "
        "choose another --output"
    )
    return locked(folder, busy, patience=patience)
