"""`i2ibench doctor`: what this machine offers."""

from __future__ import annotations

from typing import Annotated

import typer

from i2ibench.cli.common import DataRoot, Direction, Json, err, print_json, table


def doctor(
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", help="Also measure how fast this data set decodes."),
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
    rows = [[finding.subject, marks[finding.state], finding.detail] for finding in findings]
    err().print(table("Doctor", ["what", "", "found"], rows))
