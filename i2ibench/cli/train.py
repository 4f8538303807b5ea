"""`i2ibench train`: the training stage alone."""

from __future__ import annotations

from pathlib import Path

from i2ibench.cli.common import (
    DataRoot,
    Dataset,
    Device,
    Devices,
    Direction,
    Json,
    KeepBest,
    Limit,
    Model,
    Nodes,
    Output,
    PixelCache,
    Precision,
    ProtocolId,
    Recipe,
    Seed,
    Settings,
    Tensorboard,
    ValidationFraction,
    Wandb,
    print_json,
    say,
)
from i2ibench.cli.options import make_options


def train(
    model: Model,
    dataset: Dataset,
    recipe: Recipe = None,
    settings: Settings = None,
    seed: Seed = 0,
    protocol: ProtocolId = "i2i-1",
    direction: Direction = None,
    limit: Limit = None,
    validation_fraction: ValidationFraction = None,
    keep_best: KeepBest = None,
    device: Device = "auto",
    precision: Precision = "auto",
    devices: Devices = 1,
    nodes: Nodes = 1,
    pixel_cache: PixelCache = False,
    tensorboard: Tensorboard = True,
    wandb: Wandb = None,
    data_root: DataRoot = None,
    output: Output = Path("runs"),
    json: Json = False,
) -> None:
    """Train a model; the run folder then holds its checkpoint and loss curves.

    The same options given to [b]i2ibench run[/] continue from here.

        i2ibench train --model pix2pix --dataset synthetic
    """
    options = make_options(
        settings,
        model=model,
        dataset=dataset,
        recipe=recipe,
        seed=seed,
        protocol=protocol,
        direction=direction,
        output=output,
        limit=limit,
        device=device,
        precision=precision,
        devices=devices,
        nodes=nodes,
        pixel_cache=pixel_cache,
        tensorboard=tensorboard,
        wandb=wandb,
        recipe_settings={
            "training.validation_fraction": validation_fraction,
            "training.keep_best": keep_best,
        },
        data_root=data_root,
    )
    from i2ibench.cli.progress import RichReporter
    from i2ibench.runs.run import train as run_stage

    reporter = RichReporter()
    try:
        folder = run_stage(options, reporter)
    finally:
        reporter.close()
    if json:
        print_json({"folder": str(folder.path), "checkpoint": str(folder.checkpoint)})
    say(f"checkpoint  {folder.checkpoint}")
