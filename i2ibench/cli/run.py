"""`i2ibench run`: the main job."""

from __future__ import annotations

from pathlib import Path

from i2ibench.cli.common import (
    Board,
    Checkpoint,
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
    Repeats,
    Seed,
    Settings,
    Tensorboard,
    Tile,
    UnverifiedWeights,
    ValidationFraction,
    Wandb,
    print_json,
    say,
)
from i2ibench.cli.options import make_options


def run(
    model: Model,
    dataset: Dataset,
    recipe: Recipe = None,
    settings: Settings = None,
    seed: Seed = 0,
    repeats: Repeats = 1,
    protocol: ProtocolId = "i2i-1",
    direction: Direction = None,
    checkpoint: Checkpoint = None,
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
    tile: Tile = None,
    allow_unverified_weights: UnverifiedWeights = False,
    data_root: DataRoot = None,
    output: Output = Path("runs"),
    board: Board = Path("leaderboards"),
    json: Json = False,
) -> None:
    """Train a model, translate the test split, score it, and add it to the leaderboard.

    Every stage is kept in a run folder: the same command finds its own work and continues it.

        i2ibench run --model varpyramid --dataset synthetic

        i2ibench run -m pix2pix -d path/to/facades --direction BtoA --set training.epochs=20
    """
    options = make_options(
        settings,
        board,
        model=model,
        dataset=dataset,
        recipe=recipe,
        seed=seed,
        protocol=protocol,
        direction=direction,
        checkpoint=checkpoint,
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
        tile=tile,
        data_root=data_root,
        allow_unverified_weights=allow_unverified_weights,
    )
    from i2ibench.cli.progress import RichReporter
    from i2ibench.cli.results import show_result
    from i2ibench.runs.run import run_repeats

    reporter = RichReporter()
    try:
        outcomes = run_repeats(options, repeats, reporter)
    finally:
        reporter.close()
    if json:
        records = [outcome.result.to_json() for outcome in outcomes]
        print_json(records if repeats > 1 else records[0])
    for outcome in outcomes:
        show_result(outcome.result)
        say(f"run folder   {outcome.folder}")
        say(f"pictures     {outcome.folder / 'report' / 'samples.png'}")
    if outcomes[-1].board is not None:
        say(f"leaderboard  {outcomes[-1].board}")
