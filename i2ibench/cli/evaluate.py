"""`i2ibench evaluate`: score images that any tool made."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.cli.options import Json, takes_options_of
from i2ibench.cli.terminal import answer, escape, print_json, say
from i2ibench.runs import python_interface
from i2ibench.runs.evaluation_options import EvaluationOptions

if TYPE_CHECKING:
    from i2ibench.results.record import Result


@takes_options_of(python_interface.evaluate, EvaluationOptions)
def evaluate(
    options: EvaluationOptions,
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER",
            help="Folder with one image a pair, named by the pair's id; several folders are "
            "several models, scored together.",
        ),
    ],
    json: Json = False,
) -> None:
    """Score a folder of predictions against the targets of a data set.

    i2ibench evaluate my_predictions --dataset bci

    i2ibench evaluate my_predictions --targets real_images --metrics psnr,ssim

    i2ibench evaluate pix2pix_images pyramid_images -d bci --output scores

    i2ibench evaluate predictions -d bci --protocol i2i-1 --protocol my.toml
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.cli.results import show_result
    from i2ibench.runs.outputs import page_of
    from i2ibench.runs.score_folders import evaluate_folders

    with closing(RichReporter()) as reporter:
        results = evaluate_folders(predictions, options, reporter.progress)
    if len(predictions) > 1:
        _show_together(results, options.output, json)
    elif len(results) > 1:
        _show_side_by_side(results, json)
    else:
        if json:
            print_json(results[0].to_json())
        show_result(results[0], beside_json=json)
    if options.output is None:
        say("for a page with every pair: --output FOLDER")
        return
    say(f"written to {options.output}")
    for result in results:
        folder = options.output
        if len(predictions) > 1:
            folder /= result.model.name
        elif len(results) > 1:
            folder /= result.protocol.id
        say(f"page         {page_of(folder)}")


def _show_together(results: list[Result], output: Path | None, json: bool) -> None:
    from i2ibench.cli.results import show_models
    from i2ibench.metrics.interface import PairMetric, registered_metric

    if json:
        print_json({"results": [result.to_json() for result in results]})
    show_models(results, beside_json=json)
    scored_by_pair = any(
        record.signature and issubclass(registered_metric(name), PairMetric)
        for name, record in results[0].metrics.items()
    )
    if output is not None and scored_by_pair:
        folders = " ".join(shlex.quote(str(output / r.model.name)) for r in results)
        say(f"whether they differ: i2ibench compare {folders}")


def _show_side_by_side(results: list[Result], json: bool) -> None:
    from i2ibench.cli.difference import difference_json, show_difference
    from i2ibench.cli.results import show_result
    from i2ibench.evaluation.protocol_comparison import compare_scores

    ids = [result.protocol.id for result in results]
    rows = compare_scores(results[0].metrics, results[1].metrics)
    if json:
        records = [result.to_json() for result in results]
        print_json({**difference_json(ids, rows), "results": records})
    for result in results:
        under = f"under [bold]{escape(result.protocol.id)}[/]"
        answer(":", lead=under, beside_json=json)
        show_result(result, beside_json=json)
    show_difference("Side by side", ids, rows, beside_json=json)
