"""`i2ibench verify RESULT`: recompute a result from its predictions and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from i2ibench.cli.common import (
    HOW,
    WHAT,
    WHERE,
    DataRoot,
    Device,
    Json,
    UnverifiedWeights,
    err,
    print_json,
    say,
    table,
)


def verify(
    result: Annotated[
        Path, typer.Argument(help="A run folder, its result.json, or an entry of a board.")
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            "-d",
            help="Data set, name or path; default: the recorded name.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option(
            "--targets", help="Folder of targets, instead of a data set.", rich_help_panel=WHAT
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            help="Folder of the predictions; default: beside the result.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="File of a protocol of your own; default: the recorded id.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option("--record", help="Mark a confirmed result as verified.", rich_help_panel=HOW),
    ] = False,
    reference: Annotated[
        bool,
        typer.Option(
            "--reference",
            help="Let scikit-image, lpips and torch-fidelity compute the numbers instead.",
            rich_help_panel=HOW,
        ),
    ] = False,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            min=0,
            help="With --reference: pairs for PSNR, SSIM and LPIPS; 0 for all.",
            rich_help_panel=HOW,
        ),
    ] = 32,
    device: Device = "auto",
    allow_unverified_weights: UnverifiedWeights = False,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Hash predictions and data again, recompute every number, and list what differs.

    Exit code 5 where anything differs.

    i2ibench verify runs/synthetic/pyramid/3f2a9c01d4e5 --record
    """
    if reference:
        from i2ibench.cli.cross_check import print_cross_check

        return print_cross_check(
            result,
            record=record,
            sample=sample,
            json=json,
            dataset=dataset,
            targets=targets,
            data_root=data_root,
            predictions=predictions,
            protocol=protocol,
            device=device,
            allow_unverified_weights=allow_unverified_weights,
        )
    from i2ibench.cli.progress import RichReporter
    from i2ibench.results.verification import record_verified
    from i2ibench.results.verification import verify as verify_result

    reporter = RichReporter()
    try:
        found = verify_result(
            result,
            dataset=dataset,
            targets=targets,
            data_root=data_root,
            predictions=predictions,
            protocol=protocol,
            device=device,
            allow_unverified_weights=allow_unverified_weights,
            progress=reporter.progress,
        )
    finally:
        reporter.close()
    rows = [[finding.subject, finding.detail] for finding in found.findings]
    if json:
        print_json(
            {
                "result": str(found.path),
                "confirmed": not rows,
                "findings": [dict(zip(("subject", "detail"), row, strict=True)) for row in rows],
                "relative_tolerances": dict(found.tolerances),
            }
        )
    elif rows:
        err().print(table("Not as recorded", ["what", "how"], rows))
    error = found.error()
    if error is not None:
        raise error
    for line in found.checked:
        say(line)
    say(f"{found.path}: confirmed")
    if record:
        record_verified(found)
        say("recorded as verified; put it on a board with: i2ibench leaderboard add --overwrite")
