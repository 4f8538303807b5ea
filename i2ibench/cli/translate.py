"""`i2ibench translate`: the translation stage alone."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from i2ibench.cli.options import Json, takes_options_of
from i2ibench.cli.ray_options import Address, Cores, On, Where, place_of
from i2ibench.cli.terminal import print_json, say
from i2ibench.errors import UsageError
from i2ibench.runs import python_interface
from i2ibench.runs.option_fields import HOW
from i2ibench.runs.options import Options


@takes_options_of(python_interface.translate, Options)
def translate(
    options: Options,
    shards: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="K",
            help="Of --on ray: translate in so many shards; the predictions are the same.",
            rich_help_panel=HOW,
        ),
    ] = None,
    on: On = Where.here,
    address: Address = None,
    threads: Cores = None,
    json: Json = False,
) -> None:
    """Translate the test split with a trained model, or with any checkpoint.

    i2ibench translate --model pix2pix --dataset synthetic

    i2ibench translate -m pyramid -d bci --checkpoint latest_net_G.pth

    i2ibench translate -m pyramid -d bci --on ray --shards 8
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.runs.run import translate as run_stage

    if shards is not None and on is Where.here:
        raise UsageError("--shards of a translation is for --on ray; here one process does all")
    place = place_of(
        on,
        shards,
        options.output,
        address=address,
        threads=threads,
        device=options.device,
        remedy="put --output where all share it",
    )
    with place as executor, closing(RichReporter()) as reporter:
        folder = run_stage(options, reporter, executor=executor, shards=shards or 1)
    if json:
        print_json({"folder": str(folder.path), "predictions": str(folder.predictions)})
    say(f"predictions  {folder.predictions}")
