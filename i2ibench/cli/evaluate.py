"""`i2ibench evaluate`: score images that any tool made."""

from __future__ import annotations

import shlex
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from i2ibench.cli.common import (
    HOW,
    WHAT,
    WHERE,
    DataRoot,
    Device,
    Direction,
    Json,
    Limit,
    UnverifiedWeights,
    escape,
    parse_names,
    print_json,
    say,
)
from i2ibench.errors import UsageError

if TYPE_CHECKING:
    from i2ibench.results.record import Result


class FeaturePrecision(str, Enum):
    """How exactly networks behind metrics compute."""

    fp32 = "fp32"
    bf16 = "bf16"


def evaluate(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            help="Folder with one image a pair, named by the pair's id; several folders are "
            "several models, scored together."
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", "-d", help="Data set with the targets: name or path.", rich_help_panel=WHAT
        ),
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option(
            "--targets", help="Folder of targets, instead of a data set.", rich_help_panel=WHAT
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="Which split is scored.", rich_help_panel=WHAT)
    ] = "test",
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            help="Comma-separated names instead of the protocol's, e.g. psnr,ssim,fid.",
            rich_help_panel=HOW,
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="How predictions are scored [default: i2i-1]; give two for both and the "
            "difference.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    direction: Direction = None,
    limit: Limit = None,
    device: Device = "auto",
    allow_unverified_weights: UnverifiedWeights = False,
    feature_precision: Annotated[
        FeaturePrecision,
        typer.Option(
            "--feature-precision",
            help="Of the networks behind metrics; bf16 deviates and stands in the signature.",
            rich_help_panel=HOW,
        ),
    ] = FeaturePrecision.fp32,
    data_root: DataRoot = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            help="Model name in the record; default: the folder's. One for each folder.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write result.json and scores.csv here; of several models or two protocols, "
            "into a folder each below here.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Score a folder of predictions against the targets of a data set.

    i2ibench evaluate my_predictions --dataset bci

    i2ibench evaluate my_predictions --targets real_images --metrics psnr,ssim

    i2ibench evaluate pix2pix_images pyramid_images --dataset bci --output scores

    i2ibench evaluate my_predictions --dataset bci --protocol i2i-1 --protocol my_protocol.toml
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.cli.results import show_result
    from i2ibench.evaluation.protocol import DEFAULT_PROTOCOL
    from i2ibench.runs import score_folders as scoring

    protocols, names = protocol or [DEFAULT_PROTOCOL], name or []
    if len(names) not in (0, len(predictions)):
        raise UsageError(
            f"{len(names)} --name for {len(predictions)} folders; give one for each, or none"
        )
    if len(predictions) > 1 and len(protocols) > 1:
        raise UsageError("several folders, or two protocols; not both in one call")
    reporter = RichReporter()
    options: dict[str, Any] = {
        "dataset": dataset,
        "targets": targets,
        "split": split,
        "direction": direction,
        "data_root": data_root,
        "limit": limit,
        "metrics": parse_names("--metrics", metrics),
        "device": device,
        "allow_unverified_weights": allow_unverified_weights,
        "feature_precision": feature_precision.value,
        "output": output,
        "progress": reporter.progress,
    }
    with closing(reporter):
        if len(predictions) > 1:
            results = scoring.evaluate_together(
                predictions, protocol=protocols[0], names=names or None, **options
            )
        else:
            options["name"] = names[0] if names else None
            if len(protocols) > 1:
                results = scoring.evaluate_side_by_side(predictions[0], protocols, **options)
            else:
                results = [scoring.evaluate(predictions[0], protocol=protocols[0], **options)]
    if len(predictions) > 1:
        _show_together(results, output, json)
    elif len(protocols) > 1:
        _show_side_by_side(results, json)
    else:
        if json:
            print_json(results[0].to_json())
        show_result(results[0])
    if output is not None:
        say(f"written to {output}")


def _show_together(results: list[Result], output: Path | None, json: bool) -> None:
    from i2ibench.cli.results import show_models
    from i2ibench.metrics.interface import PairMetric, registered_metric

    if json:
        print_json({"results": [result.to_json() for result in results]})
    show_models(results)
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
        say(":", lead=f"under [bold]{escape(result.protocol.id)}[/]")
        show_result(result)
    show_difference("Side by side", ids, rows)
