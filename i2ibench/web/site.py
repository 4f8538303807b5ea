"""The site of a folder of boards: one static folder, made from the entries, that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.errors import DataError, UsageError
from i2ibench.files import json_text, read_json, sha256_bytes
from i2ibench.leaderboard.board import Board, board_names, contents, read_board
from i2ibench.leaderboard.exports import csv_board, latex_track
from i2ibench.leaderboard.how_to_read import POINTS
from i2ibench.leaderboard.site_facts import BOARDS, SiteFacts, read_site_facts
from i2ibench.web.page import ASSETS, render_page, write_assets, write_if_changed
from i2ibench.web.site_pages import (
    board_page,
    citation,
    entry_rows,
    filters_of,
    method_pages,
)
from i2ibench.web.site_tables import Json, board_json

SCRIPTS = ("board.css", "board.js")
INDEX = "site.json"
SNAPSHOTS = "snapshots"
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Site:
    """A site that was written: its first page, and how many files of how many bytes it has."""

    index: Path
    files: int
    size: int


def build_site(folder: str | Path, out: str | Path) -> Site:
    """Write the site of all boards in ``folder`` into ``out``.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> i2ibench.build_site("runs/leaderboards", "public").index.name
    'index.html'

    A site that is there is replaced file by file, its index last. Snapshots of former numbers stay.

    Raises:
        UsageError: ``out`` holds files of somebody else under names that a site needs.
        DataError: an entry that is torn or edited, or a ``site.toml`` that cannot be read.
    """
    folder, out = Path(folder), Path(out)
    facts = read_site_facts(folder)
    boards = [read_board(folder, name) for name in board_names(folder)]
    if not boards:
        raise DataError(f"{folder}: no board to show; add a run: i2ibench leaderboard add RUN")
    files = site_files(boards, facts)
    former = _former(out, files)
    write_assets(out / ASSETS, SCRIPTS)
    for name, content in files.items():  # the index is the last
        write_if_changed(out / name, content)
    for name in former - files.keys():
        (out / name).unlink(missing_ok=True)
    listed = {out / name for name in files}
    listed.update((out / ASSETS).iterdir(), (out / SNAPSHOTS).iterdir())
    return Site(out / "index.html", len(listed), sum(path.stat().st_size for path in listed))


def site_files(boards: Sequence[Board], facts: SiteFacts) -> dict[str, bytes]:
    """Return the files of a site by their path in it, without the assets; its index last."""
    made: dict[str, bytes] = {".nojekyll": b""}
    contents_of: list[Json] = []
    names = [board.dataset for board in boards]
    for board in boards:
        content = board_json(board)
        text = json_text(content).encode("utf-8")
        snapshot = f"{board.dataset}-{sha256_bytes(text)[:12]}"
        address = f"{facts.address or '..'}/{SNAPSHOTS}/{snapshot}.json"
        base = f"{BOARDS}/{board.dataset}"
        made[f"{SNAPSHOTS}/{snapshot}.json"] = made[f"{base}.json"] = text
        made[f"{base}.csv"] = csv_board(board).encode("utf-8")
        for track, found in zip(board.tracks, content["tracks"], strict=True):
            source = f"% snapshot: {address.removeprefix('../')}\n"
            made[f"{base}-{found['id']}.tex"] = (source + latex_track(board.dataset, track)).encode(
                "utf-8"
            )
        made.update(_records(board))
        cited = citation(facts, content, snapshot)
        html = board_page(content, names, contents(board), cited, facts)
        made[f"{base}.html"] = html.encode("utf-8")
        contents_of.append({**content, "snapshot": snapshot})
    for name, html in method_pages(contents_of).items():
        made[f"methods/{name}"] = html.encode("utf-8")
    guide = render_page(
        "site_guide.html.j2",
        title="What this is and how to read it",
        points=POINTS,
        here="guide",
        root="",
    )
    made["guide.html"] = guide.encode("utf-8")
    made[INDEX] = json_text(_index(contents_of, facts, made)).encode("utf-8")
    made["index.html"] = _first_page(contents_of, facts).encode("utf-8")
    return made


def _first_page(contents_of: Sequence[Json], facts: SiteFacts) -> str:
    rows = entry_rows(contents_of)
    return render_page(
        "site_index.html.j2",
        title=facts.title,
        boards=contents_of,
        rows=rows,
        filters=filters_of(rows, ("dataset", "protocol")),
        citation=citation(facts, None, None),
        doi=facts.doi,
        here="index",
        root="",
    )


def _records(board: Board) -> dict[str, bytes]:
    """Return the entries of a board as they lie in its folder, under addresses that stay."""
    found = {}
    for entry in board.entries:
        for path in (entry.path, entry.path.with_suffix(".csv")):
            if path.is_file():
                found[f"results/{path.parent.name}/{path.name}"] = path.read_bytes()
    return found


def _index(contents_of: Sequence[Json], facts: SiteFacts, made: Mapping[str, bytes]) -> Json:
    return {
        "schema": _SCHEMA,
        "made_by": "i2ibench leaderboard site",
        **facts.model_dump(mode="json", exclude_none=True),
        "boards": [
            {
                key: board[key]
                for key in ("dataset", "title", "entries", "reported_entries", "newest", "snapshot")
            }
            for board in contents_of
        ],
        "files": sorted(name for name in made if not name.startswith(f"{SNAPSHOTS}/")),
    }


def _former(out: Path, files: Mapping[str, bytes]) -> set[str]:
    """Return the files of the site that stands in ``out``, and refuse what is none."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is no folder; name another one for the site")
    known: Any = read_json(out / INDEX) if (out / INDEX).is_file() else None
    if isinstance(known, dict) and known.get("made_by") == "i2ibench leaderboard site":
        listed = known.get("files")
        safe = [str(name) for name in listed] if isinstance(listed, list) else []
        return {name for name in safe if _is_inside(name)}
    taken = sorted(name for name in files if name != ".nojekyll" and (out / name).exists())
    if taken:
        raise UsageError(
            f"{out} holds {taken[0]}, which no site of boards wrote; name an empty folder"
        )
    return set()


def _is_inside(name: str) -> bool:
    parts = Path(name).parts
    return bool(parts) and not Path(name).is_absolute() and ".." not in parts
