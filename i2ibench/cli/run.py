"""`i2ibench run`: the main job."""

from __future__ import annotations

from pathlib import Path

from i2ibench.cli.common import (
    Board,
    Checkpoint,
    DataRoot,
    Dataset,
    Device,
    Direction,
    Json,
    Limit,
    Model,
    Output,
    Precision,
    ProtocolId,
    Recipe,
    Seed,
    Settings,
    Tile,
    UnverifiedWeights,
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
    protocol: ProtocolId = "i2i-1",
    direction: Direction = None,
    checkpoint: Checkpoint = None,
    limit: Limit = None,
    device: Device = "auto",
    precision: Precision = "auto",
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
        tile=tile,
        data_root=data_root,
        allow_unverified_weights=allow_unverified_weights,
    )
    from i2ibench.cli.progress import RichReporter, show_result
    from i2ibench.pipeline import run as run_pipeline

    reporter = RichReporter()
    try:
        outcome = run_pipeline(options, reporter)
    finally:
        reporter.close()
    if json:
        print_json(outcome.result.to_json())
    show_result(outcome.result)
    say(f"run folder   {outcome.folder}")
    say(f"pictures     {outcome.folder / 'report' / 'samples.png'}")
    if outcome.board is not None:
        say(f"leaderboard  {outcome.board}")
