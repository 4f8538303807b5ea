"""`i2ibench leaderboard build|show|check|add|remove|site`: boards and their entries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import Board, Json
from i2ibench.cli.several import each_of
from i2ibench.cli.terminal import answer, print_json, say, table, write_answer
from i2ibench.cli.verb import Verb, verb_group
from i2ibench.errors import I2IBenchError, UsageError

if TYPE_CHECKING:
    from i2ibench.leaderboard.board import Board as BoardContent

app = verb_group("Build, show and check leaderboards, add and remove entries.")

Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Data sets; by default all that have a board.", autocompletion=completer("boards")
    ),
]
DEFAULT_FOLDER = Path("leaderboards")


@app.command(cls=Verb)
def build(datasets: Names = None, board: Board = DEFAULT_FOLDER) -> None:
    """Write DATASET.md and the index from the entries.

    i2ibench leaderboard build bci
    """
    from i2ibench.leaderboard.board import board_names, build_board

    each_of(
        datasets or board_names(board),
        lambda dataset: say(f"written: {build_board(board, dataset)}"),
    )


@app.command(cls=Verb)
def check(datasets: Names = None, board: Board = DEFAULT_FOLDER) -> None:
    """Fail with exit code 3 where a board does not follow from its entries."""
    from i2ibench.leaderboard.board import board_names, check_board

    def check_one(dataset: str) -> None:
        check_board(board, dataset)
        answer(f"{dataset}: follows from its entries")

    each_of(datasets or board_names(board), check_one)


@app.command(cls=Verb)
def show(
    dataset: Annotated[str, typer.Argument(help="Data set.", autocompletion=completer("boards"))],
    board: Board = DEFAULT_FOLDER,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="markdown, csv or latex; default: a table.",
            autocompletion=completer(("markdown", "csv", "latex")),
        ),
    ] = None,
    simultaneous: Annotated[
        bool,
        typer.Option(
            "--simultaneous",
            help="Ranks of the table corrected (Holm) over all pairs of methods in a column.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Show a board as a table, or print it as markdown, CSV or LaTeX.

    i2ibench leaderboard show synthetic --format latex > table.tex
    """
    from i2ibench.leaderboard.board import read_board
    from i2ibench.leaderboard.exports import board_lines, export

    if simultaneous and (json or format is not None):
        raise UsageError(
            "--simultaneous is of the table; JSON and --format csv hold both forms of every rank"
        )
    content = read_board(board, dataset)
    if json:
        print_json(board_lines(content))
    elif format is not None:
        write_answer(export(content, format))
    else:
        _print(content, simultaneous)


@app.command(cls=Verb)
def site(
    out: Annotated[Path, typer.Argument(help="Folder for the site: a new one, or a former site.")],
    board: Board = DEFAULT_FOLDER,
) -> None:
    """Write all boards as one static site, for GitHub Pages or to open from the disk.

    i2ibench leaderboard site public
    """
    from i2ibench.web.site import build_site

    made = build_site(board, out)
    say(f"written: {made.index} ({made.files} files, {made.size / 2**20:.1f} MiB)")


@app.command(cls=Verb)
def add(
    entries: Annotated[
        list[Path],
        typer.Argument(help="Run folders, result.json files, or files of reported entries."),
    ],
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", help="Scores per pair of one entry; default: scores.csv beside the result."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an entry of other content.")
    ] = False,
    board: Board = DEFAULT_FOLDER,
) -> None:
    """Add entries and build their boards.

    i2ibench leaderboard add runs/synthetic/pyramid/*
    """
    from i2ibench.leaderboard.board import build_board
    from i2ibench.leaderboard.entries import add_file

    if scores is not None and len(entries) > 1:
        raise UsageError("--scores are those of one entry; add the entries one by one")
    changed: dict[str, None] = {}

    def add_one(entry: Path) -> None:
        dataset, path = add_file(board, entry, scores=scores, overwrite=overwrite)
        changed[dataset] = None
        say(f"added: {path}")

    try:
        each_of(entries, add_one)
    finally:
        each_of(changed, lambda dataset: say(f"written: {build_board(board, dataset)}"))


@app.command(cls=Verb)
def remove(
    dataset: Annotated[str, typer.Argument(help="Data set.", autocompletion=completer("boards"))],
    entries: Annotated[
        list[str],
        typer.Argument(help="Entries by name, run id, or model where it has one entry."),
    ],
    board: Board = DEFAULT_FOLDER,
) -> None:
    """Remove measured entries and build their board; run folders stay.

    i2ibench leaderboard remove synthetic theirs --board runs/leaderboards
    """
    from i2ibench.leaderboard.board import build_board
    from i2ibench.leaderboard.entries import remove_entry

    def remove_one(entry: str) -> I2IBenchError | None:
        for path in remove_entry(board, dataset, entry):
            say(f"removed: {path}")
        return None

    try:
        each_of(entries, remove_one)
    finally:
        say(f"written: {build_board(board, dataset)}")


def _print(content: BoardContent, simultaneous: bool) -> None:
    from i2ibench.leaderboard.plain_tables import LEGEND, board_tables

    for title, header, rows in board_tables(content, simultaneous=simultaneous):
        answer(table(title, header, rows, names=1 + header.index("method"), markup=True))
    answer(LEGEND)
