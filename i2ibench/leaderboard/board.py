"""Boards: every page follows from its entries, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from i2ibench import registry
from i2ibench.errors import DataError, UsageError
from i2ibench.files import is_safe_name, write_text
from i2ibench.leaderboard.check import check_entries
from i2ibench.leaderboard.entries import Entry, board_lock, read_entries
from i2ibench.leaderboard.entries import add_entry as add_entry
from i2ibench.leaderboard.entry_files import end_replacements
from i2ibench.leaderboard.markdown import READING, measured_section, page_title, table
from i2ibench.leaderboard.protocol_effect import protocol_effects
from i2ibench.leaderboard.reported import Reported, published_datasets, reported_groups
from i2ibench.leaderboard.reported_markdown import reported_section
from i2ibench.leaderboard.rows import Track, tracks

_GENERATED = "<!-- made by `i2ibench leaderboard build` from the entries; do not edit -->"

_INDEX = """One page a data set. Measured entries were computed by i2ibench and can be recomputed: \
each is a JSON file in the folder of its data set, with the definition of every number, the hashes \
of data, weights and protocol, and its origin. Reported entries are numbers read elsewhere."""


@dataclass(frozen=True, slots=True)
class Board:
    """The entries of a data set, arranged.

    Attributes:
        dataset: its name.
        entries: the measured ones.
        tracks: the measured ones by what may be compared.
        reported: published numbers by comparable group.
    """

    dataset: str
    entries: tuple[Entry, ...]
    tracks: tuple[Track, ...]
    reported: tuple[Reported, ...]


def read_board(folder: str | Path, dataset: str) -> Board:
    """Read and arrange the entries of ``dataset`` in ``folder``.

    Raises:
        UsageError: the data set has neither a folder of entries nor reported ones.
        DataError: an entry that is torn, edited or of a newer schema.
    """
    folder = Path(folder)
    if not is_safe_name(dataset):
        raise UsageError(f"data set name {dataset!r} cannot be a file name")
    if dataset not in (known := dataset_names(folder)):
        raise UsageError(registry.unknown_name("board", dataset, known))
    entries = read_entries(folder, dataset)
    reported = reported_groups(dataset, folder)
    return Board(dataset, tuple(entries), tuple(tracks(entries)), tuple(reported))


def build_board(folder: str | Path, dataset: str) -> Path:
    """Write ``<data set>.md`` and the index ``README.md`` in ``folder``; return the page's path.

    Raises: as ``read_board``.
    """
    folder = Path(folder)
    with board_lock(folder):
        end_replacements(folder / dataset)
        for path, content in render(folder, dataset).items():
            write_text(path, content)
    return folder / f"{dataset}.md"


def check_board(folder: str | Path, dataset: str) -> None:
    """Recompute what a board says of ``dataset``: entries from their scores, pages from entries.

    Raises:
        DataError: an entry that contradicts itself or another one, or a page that does not follow.
    """
    folder = Path(folder)
    check_entries(read_entries(folder, dataset))
    for path, content in render(folder, dataset).items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            raise DataError(
                f"{path} does not follow from the entries; run: "
                f"i2ibench leaderboard build {dataset} --board {folder}"
            )


def render(folder: Path, dataset: str) -> dict[Path, str]:
    """Return the pages of ``dataset`` by path: its board and the index."""
    page = render_page(read_board(folder, dataset))
    return {folder / f"{dataset}.md": page, folder / "README.md": _index(folder, dataset)}


def render_page(board: Board) -> str:
    """Return the markdown of one board."""
    name = board.dataset
    parts = [_GENERATED, page_title(name, _card(name)), _contents(board), "## Measured"]
    parts += [measured_section(track) for track in board.tracks]
    parts += protocol_effects(board.tracks)
    if board.entries:
        parts.append(READING)
    else:
        parts.append(f"No entries yet. Add one: `i2ibench run --model pix2pix --dataset {name}`")
    parts.append(reported_section(board.reported, board.tracks))
    return "\n\n".join(part for part in parts if part) + "\n"


def dataset_names(folder: Path) -> list[str]:
    """Return the data sets with entries in ``folder``, or with reported ones."""
    return sorted(
        {*(path.parent.name for path in folder.glob("*/[!.]*.json")), *published_datasets()}
    )


def board_names(folder: Path) -> list[str]:
    """Return the data sets that have a page or entries in ``folder``; it must exist."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of leaderboards; give its path with --board")
    pages = {path.stem for path in folder.glob("[!.]*.md")} - {"README"}
    return sorted(pages | {path.parent.name for path in folder.glob("*/[!.]*.json")})


def _contents(board: Board) -> str:
    counts = []
    if board.entries:
        newest = max(entry.result.created for entry in board.entries)
        counts.append(f"{_entries(len(board.entries))} measured, the newest of {newest[:10]}")
    number = sum(len(group.entries) for group in board.reported)
    if number:
        counts.append(f"{_entries(number)} reported in the literature, shown apart")
    return f"{'; '.join(counts)}."


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _index(folder: Path, dataset: str) -> str:
    rows = []
    for name in sorted({*board_names(folder), dataset}):
        measured = len(read_entries(folder, name))
        reported = sum(len(group.entries) for group in reported_groups(name, folder))
        title = str(_card(name).get("title", ""))
        rows.append([f"[{name}]({name}.md)", title, str(measured), str(reported)])
    header = ["board", "data set", "measured", "reported"]
    return f"{_GENERATED}\n\n# Leaderboards\n\n{_INDEX}\n\n{table(header, rows, left=2)}\n"


def _card(dataset: str) -> dict[str, object]:
    if dataset not in registry.datasets.names():
        return {}
    try:
        return registry.datasets.get(dataset)
    except UsageError:
        return {}
