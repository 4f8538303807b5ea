"""`i2ibench evaluate`: score images that any tool made."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.cli.options import Json, takes_options_of
from i2ibench.cli.ray_options import Address, Cores, On, Where, place_of
from i2ibench.cli.terminal import answer, escape, print_json, say
from i2ibench.errors import UsageError
from i2ibench.files import cache_folder
from i2ibench.runs import python_interface
from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.option_fields import HOW

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
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/K",
            help="Score the I-th of K shards of the pairs alone and write its part into --output; "
            "where all lie in one folder, the same call with --merge gives the result.",
            rich_help_panel=HOW,
        ),
    ] = None,
    on: On = Where.here,
    address: Address = None,
    threads: Cores = None,
    json: Json = False,
) -> None:
    """Score a folder of predictions against the targets of a data set.

    i2ibench evaluate my_predictions --dataset bci

    i2ibench evaluate my_predictions --targets real_images --metrics psnr,ssim

    i2ibench evaluate pix2pix_images pyramid_images -d bci --output scores

    i2ibench evaluate predictions -d bci --protocol i2i-1 --protocol my.toml

    i2ibench evaluate predictions -d bci --shard 2/8 --output parts

    i2ibench evaluate predictions -d bci --merge parts

    i2ibench evaluate predictions -d bci --on ray --shards 8
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.cli.results import say_page, show_result
    from i2ibench.runs.outputs import page_of
    from i2ibench.runs.score_folders import evaluate_folders
    from i2ibench.runs.score_shard import evaluate_shard

    if shard is not None and on is not Where.here:
        raise UsageError("--shard scores one shard here; give --shards K to have all on Ray")
    place = place_of(
        on,
        options.shards,
        cache_folder() / "shards",
        address=address,
        threads=threads,
        device=options.device,
        remedy="point $I2IBENCH_CACHE to a folder that all share",
    )
    with place as executor, closing(RichReporter()) as reporter:
        if shard is not None:
            part = evaluate_shard(predictions, options, shard, reporter.progress)
            reporter.close()
            if json:
                print_json({"part": str(part)})
            say(f"written to {part}")
            return
        results = evaluate_folders(predictions, options, reporter.progress, executor)
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
        say_page(page_of(folder), result.dataset.name, with_pictures=not options.without_pictures)


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
