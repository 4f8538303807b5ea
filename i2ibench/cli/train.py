"""`i2ibench train`: the training stage alone."""

from __future__ import annotations

from contextlib import closing

from i2ibench.cli.options import Json, takes_options_of
from i2ibench.cli.terminal import print_json, say
from i2ibench.runs import python_interface
from i2ibench.runs.options import Options


@takes_options_of(python_interface.train, Options)
def train(options: Options, json: Json = False) -> None:
    """Train a model; the run folder then holds its checkpoint and loss curves.

    The same options given to "i2ibench run" continue from here.

        i2ibench train --model pix2pix --dataset synthetic
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.runs.run import train as run_stage

    with closing(RichReporter()) as reporter:
        folder = run_stage(options, reporter)
    if json:
        print_json({"folder": str(folder.path), "checkpoint": str(folder.checkpoint)})
    say(f"checkpoint  {folder.checkpoint}")
