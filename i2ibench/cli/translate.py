"""`i2ibench translate`: the translation stage alone."""

from __future__ import annotations

from contextlib import closing

from i2ibench.cli.options import Json, takes_options_of
from i2ibench.cli.terminal import print_json, say
from i2ibench.runs import python_interface
from i2ibench.runs.options import Options


@takes_options_of(python_interface.translate, Options)
def translate(options: Options, json: Json = False) -> None:
    """Translate the test split with a trained model, or with any checkpoint.

    i2ibench translate --model pix2pix --dataset synthetic

    i2ibench translate -m pyramid -d bci --checkpoint latest_net_G.pth
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.runs.run import translate as run_stage

    with closing(RichReporter()) as reporter:
        folder = run_stage(options, reporter)
    if json:
        print_json({"folder": str(folder.path), "predictions": str(folder.predictions)})
    say(f"predictions  {folder.predictions}")
