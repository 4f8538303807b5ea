"""`i2ibench report RUN`: the page of a run, made again without scoring anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from i2ibench.cli.options import (
    DataRoot,
    RecordedDataset,
    RecordedTargets,
    StoredPredictions,
    WithoutPictures,
)
from i2ibench.cli.several import each_of
from i2ibench.errors import UsageError
from i2ibench.runs.option_fields import WHERE


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders, or folders that evaluate wrote with --output."),
    ],
    dataset: RecordedDataset = None,
    targets: RecordedTargets = None,
    predictions: StoredPredictions = None,
    without_pictures: WithoutPictures = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the page; default: report in the run folder.",
            metavar="FOLDER",
            rich_help_panel=WHERE,
        ),
    ] = None,
    board: Annotated[
        Path | None,
        typer.Option(
            "--board",
            help="Folder of the boards; default: leaderboards beside the runs.",
            metavar="FOLDER",
            rich_help_panel=WHERE,
        ),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Write the page of a run again: after more methods came to its board, or without pictures.

    i2ibench report runs/synthetic/pyramid/*

    i2ibench report runs/bci/pyramid/* --without-pictures
    """
    from i2ibench.cli.results import say_page
    from i2ibench.results.record_files import read_result, result_file
    from i2ibench.runs.report_stage import report_again

    if output is not None and len(runs) > 1:
        raise UsageError("--output is the folder of one page; give one run, or no --output")

    def make(run: Path) -> None:
        page = report_again(
            run,
            output,
            dataset=dataset,
            targets=targets,
            predictions=predictions,
            data_root=data_root,
            board=board,
            with_pictures=not without_pictures,
        )
        record = read_result(result_file(run))
        say_page(page, record.dataset.name, with_pictures=not without_pictures)

    each_of(runs, make)
