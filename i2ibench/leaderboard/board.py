"""Boards: every page follows from its entries, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from i2ibench import registry
from i2ibench.errors import DataError, UsageError
from i2ibench.escaping import address, code, markdown
from i2ibench.files import is_safe_name, list_folder, visible_files, write_text
from i2ibench.leaderboard.check import check_entries
from i2ibench.leaderboard.entries import Entry, board_lock, each_once, read_entries
from i2ibench.leaderboard.entries import add_entry as add_entry
from i2ibench.leaderboard.entry_files import end_replacements, written_text
from i2ibench.leaderboard.how_to_read import reading_section
from i2ibench.leaderboard.markdown import link, measured_section, page_title, table
from i2ibench.leaderboard.protocol_effect import protocol_effects
from i2ibench.leaderboard.reported import Reported, entry_files, published_datasets, reported_groups
from i2ibench.leaderboard.reported_markdown import reported_section
from i2ibench.leaderboard.rows import Track, tracks
from i2ibench.leaderboard.site_facts import SiteFacts, read_site_facts
from i2ibench.notebook import Printed, Table
from i2ibench.wording import NO_VALUE, count, some

if TYPE_CHECKING:
    import pandas as pd

_GENERATED = "<!-- made by `i2ibench leaderboard build` from the entries; do not edit -->"

_INDEX = """One page a data set. Measured entries were computed by i2ibench and can be recomputed: \
each is a JSON file in the folder of its data set, with the definition of every number, the hashes \
of data, weights and protocol, and its origin. Reported entries are numbers read elsewhere."""


@dataclass(frozen=True, slots=True, repr=False)
class Board(Printed):
    """The entries of a data set, arranged.

    Attributes:
        dataset: its name.
        entries: the measured ones.
        tracks: the measured ones by what may be compared.
        reported: published numbers by comparable group.
        site: where the boards are published, and how they are cited.
    """

    dataset: str
    entries: tuple[Entry, ...]
    tracks: tuple[Track, ...]
    reported: tuple[Reported, ...]
    site: SiteFacts = field(default_factory=SiteFacts)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a number, in the columns of ``leaderboard show --format csv``."""
        from i2ibench.leaderboard.exports import board_frame

        return board_frame(self)

    def _lines(self) -> Sequence[str]:
        shown = [
            f"{track.protocol}: {count(len(track.rows), 'method')} on "
            f"{count(track.dataset.pairs or 0, 'pair')}"
            for track in self.tracks
        ]
        return [f"board of {self.dataset}", contents(self), some(shown, 4) or "no protocol yet"]

    def _tables(self) -> Iterable[Table]:
        from i2ibench.leaderboard.plain_tables import notebook_tables

        return notebook_tables(self)


def read_board(folder: str | Path, dataset: str, *, use_cache: bool = True) -> Board:
    """Read and arrange the entries of ``dataset`` in ``folder``.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> board = i2ibench.read_board("runs/leaderboards", "my-data")
    >>> [row.label for row in board.tracks[0].rows]
    ['copy'...]

    Args:
        folder: of all boards.
        dataset: its name.
        use_cache: take intervals from the cache where the same scores gave them before.

    Raises:
        UsageError: the data set has neither a folder of entries nor reported ones.
        DataError: an entry that is torn, edited or of a newer schema.
    """
    folder = Path(folder)
    if not is_safe_name(dataset):
        raise UsageError(f"data set name {dataset!r} cannot be a file name")
    # A folder without entries is one whose last was removed.
    if dataset not in (known := dataset_names(folder)) and not (folder / dataset).is_dir():
        raise UsageError(registry.unknown_name("board", dataset, known))
    entries = each_once(read_entries(folder, dataset))
    reported = reported_groups(dataset, folder)
    measured = tuple(tracks(entries, use_cache=use_cache))
    return Board(dataset, tuple(entries), measured, tuple(reported), read_site_facts(folder))


def build_board(folder: str | Path, dataset: str) -> Path:
    """Write ``<data set>.md`` and the index ``README.md`` in ``folder``; return the page's path.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> i2ibench.build_board("runs/leaderboards", "my-data").name
    'my-data.md'

    Raises: as ``read_board``.
    """
    write_board(folder, dataset)
    return board_page(folder, dataset)


def write_board(folder: str | Path, dataset: str) -> Board:
    """Write the pages of ``build_board``; return the board that they show."""
    folder = Path(folder)
    with board_lock(folder):
        end_replacements(folder / dataset)
        board = read_board(folder, dataset)
        for path, content in render(folder, board).items():
            write_text(path, content)
    return board


def board_page(folder: str | Path, dataset: str) -> Path:
    """Return where the page of a board lies."""
    return Path(folder) / f"{dataset}.md"


def check_board(folder: str | Path, dataset: str) -> None:
    """Recompute what a board says of ``dataset``: entries from their scores, pages from entries.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> i2ibench.check_board("runs/leaderboards", "my-data")

    Raises:
        DataError: an entry that contradicts itself or another one, or a page that does not follow.
    """
    folder = Path(folder)
    check_entries(read_entries(folder, dataset))
    for path, content in render(folder, read_board(folder, dataset, use_cache=False)).items():
        if not path.exists() or written_text(path) != content:
            raise DataError(
                f"{path} does not follow from the entries; run: "
                f"i2ibench leaderboard build {dataset} --board {folder}"
            )


def render(folder: Path, board: Board) -> dict[Path, str]:
    """Return the pages of a board by path: its own and the index of all in ``folder``."""
    own = board_page(folder, board.dataset)
    return {own: render_page(board), folder / "README.md": _index(folder, board)}


def render_page(board: Board) -> str:
    """Return the markdown of one board."""
    name = board.dataset
    parts = [_GENERATED, page_title(name, card_of(name)), contents(board), _site(board)]
    parts.append("## Measured")
    parts += [measured_section(track) for track in board.tracks]
    parts += protocol_effects(board.tracks)
    if board.entries:
        parts.append(reading_section())
    else:
        command = code(f"i2ibench run --model pix2pix --dataset {name}")
        parts.append(f"No entries yet. Add one: {command}")
    parts.append(reported_section(board.reported, board.tracks))
    return "\n\n".join(part for part in parts if part) + "\n"


def dataset_names(folder: Path) -> list[str]:
    """Return the data sets with entries in ``folder``, or with reported ones."""
    return sorted({*_with_entries(folder), *published_datasets()})


def board_names(folder: Path) -> list[str]:
    """Return the data sets that have a page or entries in ``folder``; it must exist."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of leaderboards; give its path with --board")
    pages = {path.stem for path in visible_files(folder, {".md"})} - {"README"}
    return sorted(pages | _with_entries(folder))


def _with_entries(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    names = [each.name for each in list_folder(folder).folders]
    return {name for name in names if entry_files(folder, name)}


def contents(board: Board) -> str:
    """Say how many entries a board has, and from when."""
    counts = []
    if board.entries:
        newest = max(entry.result.created for entry in board.entries)
        counts.append(f"{_entries(len(board.entries))} measured, the newest of {newest[:10]}")
    number = sum(len(group.entries) for group in board.reported)
    if number:
        counts.append(f"{_entries(number)} reported in the literature, shown apart")
    return f"{'; '.join(counts)}."


def _site(board: Board) -> str:
    """Point to the same board as a page, where it is published, else to what makes it."""
    words = "with filters, rank plots and a page a method"
    page = board.site.board_address(board.dataset)
    if page is None:
        return f"The same {words}: {code('i2ibench leaderboard site OUT')}."
    return f"[The same {words}]({address(page)})."


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _index(folder: Path, board: Board) -> str:
    rows = []
    for name in sorted({*board_names(folder), board.dataset}):
        if name == board.dataset:
            numbers = len(board.entries), sum(len(group.entries) for group in board.reported)
            measured, reported = map(str, numbers)
        else:
            measured, reported = _numbers(folder, name)
        title = markdown(str(card_of(name).get("title", "")))
        linked = f"[{markdown(name)}]({link(f'{name}.md')})"
        rows.append([linked, title, measured, reported])
    header = ["board", "data set", "measured", "reported"]
    return f"{_GENERATED}\n\n# Leaderboards\n\n{_INDEX}\n\n{table(header, rows, left=2)}\n"


def _numbers(folder: Path, dataset: str) -> tuple[str, str]:
    """Return how many entries a board has; none where one of them cannot be read.

    That is told by whoever builds or checks that board: it must not stop the building of others.
    """
    try:
        reported = sum(len(group.entries) for group in reported_groups(dataset, folder))
        return str(len(each_once(read_entries(folder, dataset)))), str(reported)
    except DataError:
        return NO_VALUE, NO_VALUE


def card_of(dataset: str) -> dict[str, object]:
    """Return the card of a registered data set; nothing of any other."""
    if dataset not in registry.datasets.names():
        return {}
    try:
        return registry.datasets.get(dataset)
    except UsageError:
        return {}
