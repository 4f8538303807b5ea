"""`i2ibench leaderboard build|show|check|add`: boards and their entries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.cli.common import Board, Json, err, print_json, say, table

if TYPE_CHECKING:
    from i2ibench.leaderboard.board import Board as BoardContent

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Build, show and check leaderboards, and add entries.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Names = Annotated[
    list[str] | None, typer.Argument(help="Data sets; by default all that have a board.")
]
DEFAULT_FOLDER = Path("leaderboards")


@app.command()
def build(datasets: Names = None, board: Board = DEFAULT_FOLDER) -> None:
    """Write DATASET.md and the index from the entries.

    i2ibench leaderboard build bci
    """
    from i2ibench.leaderboard.board import board_names, build_board

    for dataset in datasets or board_names(board):
        say(f"written: {build_board(board, dataset)}")


@app.command()
def check(datasets: Names = None, board: Board = DEFAULT_FOLDER) -> None:
    """Fail with exit code 3 where a board does not follow from its entries."""
    from i2ibench.leaderboard.board import board_names, check_board

    for dataset in datasets or board_names(board):
        check_board(board, dataset)
        say(f"{dataset}: follows from its entries")


@app.command()
def show(
    dataset: Annotated[str, typer.Argument(help="Data set.")],
    board: Board = DEFAULT_FOLDER,
    format: Annotated[
        str | None,
        typer.Option("--format", help="markdown, csv or latex, on stdout; default: a table."),
    ] = None,
    json: Json = False,
) -> None:
    """Show a board as a table, or print it as markdown, CSV or LaTeX.

    i2ibench leaderboard show synthetic --format latex > table.tex
    """
    from i2ibench.leaderboard.board import read_board
    from i2ibench.leaderboard.exports import board_lines, export

    content = read_board(board, dataset)
    if json:
        print_json(board_lines(content))
    elif format is not None:
        sys.stdout.write(export(content, format))
    else:
        _print(content)


@app.command()
def add(
    entry: Annotated[
        Path, typer.Argument(help="A run folder, its result.json, or a file of reported entries.")
    ],
    scores: Annotated[
        Path | None,
        typer.Option("--scores", help="Scores per pair; default: scores.csv beside the result."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an entry of other content.")
    ] = False,
    board: Board = DEFAULT_FOLDER,
) -> None:
    """Add an entry and build its board.

    i2ibench leaderboard add runs/synthetic/pyramid/3f2a9c01d4e5
    """
    from i2ibench.leaderboard.board import build_board
    from i2ibench.leaderboard.entries import add_file

    dataset, path = add_file(board, entry, scores=scores, overwrite=overwrite)
    say(f"added: {path}")
    say(f"written: {build_board(board, dataset)}")


def _print(content: BoardContent) -> None:
    from i2ibench.leaderboard.terminal import board_tables

    for title, header, rows in board_tables(content):
        err().print(table(title, header, rows))
