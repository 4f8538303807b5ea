"""Boards: every page follows from its entries, byte for byte."""

from __future__ import annotations

from pathlib import Path

from i2ibench import registry
from i2ibench.errors import DataError, UsageError
from i2ibench.files import is_safe_name, write_text
from i2ibench.leaderboard.entries import add_entry as add_entry
from i2ibench.leaderboard.entries import board_lock, read_entries
from i2ibench.leaderboard.markdown import measured_section, page_title
from i2ibench.leaderboard.rows import tracks

_GENERATED = "<!-- made by `i2ibench leaderboard build` from the entries; do not edit -->"


def build_board(folder: Path, dataset: str) -> Path:
    """Write ``<data set>.md`` and the index ``README.md`` in ``folder``; return the page's path.

    Raises:
        DataError: an entry that is torn, edited or of a newer schema.
    """
    if not is_safe_name(dataset):
        raise UsageError(f"data set name {dataset!r} cannot be a file name")
    with board_lock(folder):
        pages = render(folder, dataset)
        for path, content in pages.items():
            write_text(path, content)
    return folder / f"{dataset}.md"


def check_board(folder: Path, dataset: str) -> None:
    """Raise ``DataError`` where the pages of ``dataset`` do not follow from its entries."""
    for path, content in render(folder, dataset).items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            raise DataError(
                f"{path} does not follow from the entries; run: "
                f"i2ibench leaderboard build {dataset}"
            )


def render(folder: Path, dataset: str) -> dict[Path, str]:
    """Return the pages of ``dataset`` by path: its board and the index."""
    board = _board(folder, dataset)
    return {folder / f"{dataset}.md": board, folder / "README.md": _index(folder, dataset)}


def dataset_names(folder: Path) -> list[str]:
    """Return the data sets with entries in ``folder``."""
    return sorted({path.parent.name for path in folder.glob("*/*.json")})


def _board(folder: Path, dataset: str) -> str:
    entries = read_entries(folder, dataset)
    parts = [_GENERATED, page_title(dataset, _card(dataset))]
    if entries:
        newest = max(entry.result.created for entry in entries)
        parts.append(f"{len(entries)} entries, the newest of {newest[:10]}.")
    parts += [measured_section(track) for track in tracks(entries)]
    return "\n\n".join(parts) + "\n"


def _index(folder: Path, dataset: str) -> str:
    names = sorted({*dataset_names(folder), dataset})
    lines = [_GENERATED, "", "# Leaderboards", ""]
    lines += [
        f"- [{name}]({name}.md): {_card(name).get('title', 'paired images')}" for name in names
    ]
    return "\n".join(lines) + "\n"


def _card(dataset: str) -> dict[str, object]:
    if dataset not in registry.datasets.names():
        return {}
    try:
        return registry.datasets.get(dataset)
    except UsageError:
        return {}
