"""`i2ibench doctor`: what this machine offers."""

from __future__ import annotations

from typing import Annotated

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import DataRoot, Direction, Json
from i2ibench.cli.terminal import answer, escape, print_json, table


def doctor(
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            "-d",
            help="Also measure how fast this data set decodes.",
            autocompletion=completer("datasets"),
        ),
    ] = None,
    direction: Direction = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Examine this machine: devices, precision, weights, data sets, free space.

    i2ibench doctor --dataset synthetic
    """
    from dataclasses import asdict

    from i2ibench.data.dataset import Dataset
    from i2ibench.runs.doctor import examine

    opened = None
    if dataset is not None:
        opened = Dataset.open(dataset, direction=direction, data_root=data_root)
    findings = examine(opened)
    if json:
        print_json([asdict(finding) for finding in findings])
        return
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]"}
    rows = [
        [escape(finding.subject), marks[finding.state], escape(finding.detail)]
        for finding in findings
    ]
    answer(table("Doctor", ["what", "", "found"], rows, markup=True))
