"""`i2ibench run`: the main job."""

from __future__ import annotations

import shlex
from contextlib import closing
from typing import Annotated

import typer

from i2ibench.cli.options import Json, takes_options_of
from i2ibench.cli.terminal import print_json, say
from i2ibench.runs import python_interface
from i2ibench.runs.option_fields import WHAT
from i2ibench.runs.options import Options


@takes_options_of(python_interface.run, Options)
def run(
    options: Options,
    repeats: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Run this many seeds; the board shows their spread.",
            rich_help_panel=WHAT,
        ),
    ] = 1,
    json: Json = False,
) -> None:
    """Train a model, translate the test split, score it, and add it to a leaderboard.

    Every stage is kept in a run folder: the same command finds its own work and continues it.

        i2ibench run --model varpyramid --dataset synthetic

        i2ibench run -m pix2pix -d path/to/facades --direction BtoA --repeats 3
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.cli.results import say_page, show_result
    from i2ibench.runs.run import run_repeats

    with closing(RichReporter()) as reporter:
        outcomes = run_repeats(options, repeats, reporter)
    if json:
        records = [outcome.result.to_json() for outcome in outcomes]
        print_json(records if repeats > 1 else records[0])
    for outcome in outcomes:
        show_result(outcome.result, beside_json=json)
        say(f"run folder   {outcome.folder}")
        say_page(
            outcome.page,
            outcome.result.dataset.name,
            with_pictures=not options.without_pictures,
        )
    board = outcomes[-1].board
    if board is not None:
        folder = "" if str(board.parent) == "leaderboards" else f" --board {_quoted(board.parent)}"
        say(f"leaderboard  {board}")
        say(f"show it      i2ibench leaderboard show {_quoted(board.stem)}{folder}")


def _quoted(value: object) -> str:
    return shlex.quote(str(value))
