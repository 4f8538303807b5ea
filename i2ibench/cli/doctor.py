"""`i2ibench doctor`: what this machine offers, or whether a model keeps the contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import DataRoot, Device, Direction, Json, Settings, parse_settings
from i2ibench.cli.terminal import answer, escape, print_json, table
from i2ibench.errors import PluginError, UsageError
from i2ibench.wording import count

if TYPE_CHECKING:
    from i2ibench.runs.doctor import Check


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
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Examine this model instead: registered, or mynet.py:MyNet.",
            autocompletion=completer("models"),
        ),
    ] = None,
    settings: Settings = None,
    device: Device = "auto",
    direction: Direction = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Examine this machine: devices, precision, weights, data sets, free space; or a model.

    i2ibench doctor --dataset synthetic

    i2ibench doctor --model mynet.py:MyNet
    """
    from dataclasses import asdict

    if model is not None and dataset is not None:
        raise UsageError("--model is tried on images that are drawn; leave --dataset out")
    if model is None and settings:
        raise UsageError("--set changes a model; name it with --model")
    if model is None:
        findings = _machine(dataset, direction, data_root)
    else:
        findings = _model(model, parse_settings(settings), device)
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "fault": "[red]fault[/]"}
        rows = [
            [escape(finding.subject), marks[finding.state], escape(finding.detail)]
            for finding in findings
        ]
        title = "Doctor" if model is None else f"Doctor: {model}"
        answer(table(title, ["what", "", "found"], rows, markup=True))
    faults = [finding for finding in findings if finding.state == "fault"]
    if faults:
        raise PluginError(f"model {model}: {count(len(faults), 'fault')} that would stop a run")


def _machine(dataset: str | None, direction: str | None, data_root: Path | None) -> list[Check]:
    from i2ibench.data.dataset import Dataset
    from i2ibench.runs.doctor import examine

    if dataset is None:
        return examine(None)
    return examine(Dataset.open(dataset, direction=direction, data_root=data_root))


def _model(name: str, settings: dict[str, Any], device: str) -> list[Check]:
    from i2ibench.runs.model_doctor import examine_named
    from i2ibench.runtime import resolve_device

    return examine_named(name, settings, resolve_device(device))
