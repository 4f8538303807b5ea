"""`i2ibench import`: images that another tool made, as a run and a row of a board."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from i2ibench.cli.options import Json, takes_options_of
from i2ibench.cli.terminal import print_json, say
from i2ibench.runs import python_interface
from i2ibench.runs.import_options import ImportOptions


@takes_options_of(python_interface.import_predictions, ImportOptions)
def import_predictions(
    options: ImportOptions,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|ZIP", help="Folder or archive with one image a pair, named by its id."
        ),
    ],
    json: Json = False,
) -> None:
    """Score predictions that another tool made, and enter the method on a leaderboard.

    The images are copied into a run folder, which can be verified and compared like any other.

        i2ibench import results/images --name theirs --dataset facades --direction BtoA

        i2ibench import images.zip --name theirs --dataset bci --method method.toml
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.cli.results import say_page, show_result
    from i2ibench.runs.import_predictions import import_predictions as import_images

    with closing(RichReporter()) as reporter:
        outcome = import_images(predictions, options, reporter)
    if json:
        print_json(outcome.result.to_json())
    show_result(outcome.result, beside_json=json)
    say(f"run folder   {outcome.folder}")
    say_page(outcome.page, outcome.result.dataset.name, with_pictures=not options.without_pictures)
    if outcome.board is not None:
        folder = shlex.quote(str(outcome.board.parent))
        say(f"leaderboard  {outcome.board}")
        say(f"show it      i2ibench leaderboard show {outcome.board.stem} --board {folder}")
