"""`i2ibench audit DATASET`: what is wrong with a data set, before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ibench.cli.completion import completer
from i2ibench.cli.options import DataRoot, Direction, Json, Limit
from i2ibench.cli.terminal import answer, err, print_json, say, table
from i2ibench.errors import DataError
from i2ibench.wording import count

if TYPE_CHECKING:
    from i2ibench.data.audit.findings import AuditReport

# Findings of one kind that are printed; the report on disk has all.
_SHOWN = 20


def audit(
    dataset: Annotated[
        str,
        typer.Argument(
            help="Data set name, or the path of a folder, CSV or card.",
            autocompletion=completer("datasets"),
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write audit.json and pictures of the worst here."),
    ] = None,
    direction: Direction = None,
    limit: Limit = None,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Check a data set: pairing, sizes, formats, duplicates, leaks, alignment, colour drift.

    Exit code 3 if there are errors; warnings are listed.
    """
    from rich.progress import Progress

    from i2ibench.data.audit.audit_dataset import audit_dataset
    from i2ibench.data.dataset import Dataset

    opened = Dataset.open(dataset, direction=direction, data_root=data_root, limit=limit)
    with Progress(console=err(), transient=True) as progress:
        task = progress.add_task("looking at every pair", total=None)
        report = audit_dataset(
            opened,
            output=output,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if json:
        print_json(report.as_json())
    _print(report, json)
    if output is not None:
        say(f"report and {len(report.pictures)} pictures are in {output}")
    if report.errors:
        raise DataError(f"{report.name}: {_counts(report)}; mend the errors before training")


def _print(report: AuditReport, beside_json: bool) -> None:
    rows = [
        [
            split,
            str(facts["pairs"]),
            ", ".join(f"{group} {n}" for group, n in _items(facts["groups"])) or "-",
            str(facts["clusters"] or "-"),
            ", ".join(f"{size} ({n})" for size, n in _items(facts["sizes"])),
            ", ".join(f"{name} {n}" for name, n in _items(facts["formats"])),
            _offset(facts["alignment"]),
        ]
        for split, facts in report.facts.items()
    ]
    columns = ["split", "pairs", "groups", "clusters", "sizes", "formats", "offset px"]
    answer(table(f"{report.name}: {report.layout}", columns, rows), beside_json=beside_json)
    if report.findings:
        listed = [
            [finding.severity, finding.check, finding.message]
            for finding in report.findings[:_SHOWN]
        ]
        answer(table("Findings", ["", "check", "what"], listed, names=2), beside_json=beside_json)
        if len(report.findings) > _SHOWN:
            answer(
                f"and {len(report.findings) - _SHOWN} more; --json or --output has them all",
                beside_json=beside_json,
            )
    answer(f"{_counts(report)} in {report.seconds:.1f} s", beside_json=beside_json)


def _counts(report: AuditReport) -> str:
    parts = ((len(report.errors), "error"), (len(report.warnings), "warning"))
    return ", ".join(count(number, word) for number, word in parts)


def _items(value: object) -> list[tuple[str, int]]:
    return list(value.items()) if isinstance(value, dict) else []


def _offset(value: object) -> str:
    if not isinstance(value, dict) or not value["estimated"]:
        return "-"
    return f"median {value['median_px']}, largest {value['largest_px']} ({value['estimated']})"
