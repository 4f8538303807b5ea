"""`i2ibench export onnx RUN`: the network of a run for other programs."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from i2ibench.cli.options import DataRoot, Json, RecordedDataset
from i2ibench.cli.terminal import answer, print_json, say
from i2ibench.cli.verb import Verb, verb_group
from i2ibench.runs.option_fields import HOW, WHERE

app = verb_group("Write the network of a run for other programs.")


@app.callback()
def _export() -> None:
    """Write the network of a run for other programs."""


@app.command(cls=Verb)
def onnx(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a trained network.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="ONNX file to write; default: MODEL-RUN.onnx. It must not exist.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    pairs: Annotated[
        int,
        typer.Option("--pairs", min=1, help="Test pairs to compare it on.", rich_help_panel=HOW),
    ] = 8,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="File of a method that no package registers, e.g. mynet.py:MyNet.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="Weights; default: those of the run folder.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    dataset: RecordedDataset = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Write the translation network of a run as ONNX, for images of any size.

    onnxruntime runs it on pairs of the run's test split; it is kept only where its output equals
    ours. FILE.json beside it says how to feed it, how near it came, and the metrics of the run.

    i2ibench export onnx runs/synthetic/pix2pix/0123456789ab -o net.onnx
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.files import read_json
    from i2ibench.runs.export_onnx import export_onnx

    with closing(RichReporter()) as reporter:
        reporter.stage("comparing")
        made = export_onnx(
            run,
            output,
            pairs=pairs,
            model=model,
            checkpoint=checkpoint,
            dataset=dataset,
            data_root=data_root,
            progress=reporter.progress,
        )
    if json:
        print_json(read_json(made.sidecar))
    answer(
        f"{made.pairs} test pairs: onnxruntime differs from the run's model by at most "
        f"{made.largest:.2g} grey levels, {made.mean:.2g} in the mean",
        beside_json=json,
    )
    say(f"network      {made.file}")
    say(f"description  {made.sidecar}")
    if made.scaled_to is not None:
        side = made.scaled_to
        say(
            f"the graph does not resize: images go in at {side} x {side}, and predictions are "
            "brought back; i2ibench does so with this file, and another program has to"
        )
