"""`i2ibench translate`: the translation stage alone."""

from __future__ import annotations

from pathlib import Path

from i2ibench.cli.common import (
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
    print_json,
    say,
)
from i2ibench.cli.options import make_options


def translate(
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
    data_root: DataRoot = None,
    output: Output = Path("runs"),
    json: Json = False,
) -> None:
    """Translate the test split with a trained model, or with any checkpoint.

    i2ibench translate --model pix2pix --dataset synthetic

    i2ibench translate -m pyramid -d bci --checkpoint latest_net_G.pth
    """
    options = make_options(
        settings,
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
    )
    from i2ibench.cli.progress import RichReporter
    from i2ibench.runs.run import translate as run_stage

    reporter = RichReporter()
    try:
        folder = run_stage(options, reporter)
    finally:
        reporter.close()
    if json:
        print_json({"folder": str(folder.path), "predictions": str(folder.predictions)})
    say(f"predictions  {folder.predictions}")
