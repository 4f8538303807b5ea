"""`i2ibench doctor`: what this machine offers."""

from __future__ import annotations

from typing import Annotated

import typer

from i2ibench.cli.common import DataRoot, Json, err, print_json, table


def doctor(
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", help="Also measure how fast this data set decodes."),
    ] = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Examine this machine: devices, precision, weights, data sets, free space.

    i2ibench doctor --dataset synthetic
    """
    from dataclasses import asdict

    from i2ibench.runs.doctor import examine

    findings = examine(dataset, data_root)
    if json:
        print_json([asdict(finding) for finding in findings])
        return
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]"}
    rows = [[finding.subject, marks[finding.state], finding.detail] for finding in findings]
    err().print(table("Doctor", ["what", "", "found"], rows))
