"""`i2ibench verify RESULT`: recompute a result from its predictions and data."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from i2ibench.cli.options import (
    DataRoot,
    Device,
    Json,
    RecordedDataset,
    RecordedTargets,
    StoredPredictions,
    UnverifiedWeights,
)
from i2ibench.cli.several import each_of
from i2ibench.cli.terminal import answer, print_json, say, table
from i2ibench.errors import I2IBenchError, UsageError
from i2ibench.runs.option_fields import HOW, WHAT, WHERE

if TYPE_CHECKING:
    from i2ibench.results.differences import Discrepancy
    from i2ibench.results.verification import Verification
    from i2ibench.runs.reproduce import Reproduction


def verify(
    results: Annotated[
        list[Path],
        typer.Argument(help="Run folders, their result.json, or entries of a board."),
    ],
    dataset: RecordedDataset = None,
    targets: RecordedTargets = None,
    predictions: StoredPredictions = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="File of a protocol of your own; default: the recorded id.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="File of a method that no package registers, e.g. mynet.py:MyNet: its code is "
            "compared, and --retranslate runs it.",
            rich_help_panel=WHERE,
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
    retranslate: Annotated[
        bool,
        typer.Option(
            "--retranslate",
            help="Also make the predictions again from the checkpoint and compare them.",
            rich_help_panel=HOW,
        ),
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="Weights for --retranslate; default: those of the run folder.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            min=0,
            help="Pairs that --reference takes for PSNR, SSIM and LPIPS; 0: all; default: 32.",
            rich_help_panel=HOW,
        ),
    ] = None,
    device: Device = "auto",
    allow_unverified_weights: UnverifiedWeights = False,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Hash predictions and data again, recompute every number, and list what differs.

    Exit code 5 where anything differs; of several results, the largest of their codes.

    i2ibench verify runs/synthetic/pyramid/* --record

    i2ibench verify runs/synthetic/pyramid/* --retranslate --record
    """
    if predictions is not None and len(results) > 1:
        raise UsageError("--predictions are those of one result; verify the results one by one")
    if reference and record:
        raise UsageError("--reference records nothing; leave --record out, or verify without it")
    if reference and retranslate:
        raise UsageError("--reference or --retranslate, not both in one call")
    if checkpoint is not None and not retranslate:
        raise UsageError("--checkpoint is an option of --retranslate; add that, or leave it out")
    if checkpoint is not None and len(results) > 1:
        raise UsageError("--checkpoint is that of one result; verify the results one by one")
    if sample is not None and not reference:
        raise UsageError("--sample is an option of --reference; add that, or leave --sample out")
    if model is not None:
        from i2ibench.models.foreign.open_method import open_method

        open_method(model)
    where: dict[str, Any] = {
        "dataset": dataset,
        "targets": targets,
        "data_root": data_root,
        "predictions": predictions,
        "protocol": protocol,
        "device": device,
        "allow_unverified_weights": allow_unverified_weights,
    }
    reports: list[dict[str, Any]] = []

    def check_one(result: Path) -> I2IBenchError | None:
        try:
            if reference:
                from i2ibench.cli.cross_check import cross_check_one

                report, error = cross_check_one(result, sample=sample, json=json, **where)
            else:
                report, error = _verify_one(
                    result,
                    record=record,
                    retranslate=retranslate,
                    checkpoint=checkpoint,
                    json=json,
                    **where,
                )
        except I2IBenchError as error:
            reports.append({"result": str(result), "confirmed": False, "error": str(error)})
            raise
        reports.append(report)
        return error

    try:
        each_of(results, check_one)
    finally:
        if json and len(results) > 1:
            print_json(reports)
        elif json and reports and "error" not in reports[0]:
            print_json(reports[0])


def _verify_one(
    result: Path,
    *,
    record: bool,
    retranslate: bool,
    checkpoint: Path | None,
    json: bool,
    **where: Any,
) -> tuple[dict[str, Any], I2IBenchError | None]:
    from i2ibench.cli.progress import RichReporter
    from i2ibench.results.verification import record_verified
    from i2ibench.results.verification import verify as verify_result

    again: Reproduction | None = None
    with closing(RichReporter()) as reporter:
        found = verify_result(result, progress=reporter.progress, **where)
        if retranslate:
            from i2ibench.runs.reproduce import reproduce_stored

            reporter.stage("translating again")
            again = reproduce_stored(
                found.stored,
                checkpoint=checkpoint,
                device=where["device"],
                progress=reporter.progress,
            )
    if not json:
        _print(found, again)
    error = found.error() or (again.error() if again is not None else None)
    if record and error is None:
        marked = record_verified(found)
        if again is not None:
            from i2ibench.runs.reproduce import record_reproduced

            marked = record_reproduced(again, marked)
        say(
            f"{found.path}: recorded as {marked.status}; put it on a board with: i2ibench "
            "leaderboard add --overwrite"
        )
    return _report(found, again), error


def _report(found: Verification, again: Reproduction | None) -> dict[str, Any]:
    findings = _findings(found, again)
    reproduced = None
    if again is not None:
        reproduced = {
            "pairs": again.pairs,
            "equal": again.equal,
            "largest_difference": again.largest_difference,
        }
    return {
        "result": str(found.path),
        "confirmed": not findings,
        "findings": [{"subject": each.subject, "detail": each.detail} for each in findings],
        "reproduced": reproduced,
        "metrics": dict(found.metrics),
        "hashes": dict(found.hashes),
        "checked": list(found.checked),
        "not_checked": list(found.not_checked),
        "relative_tolerances": dict(found.tolerances),
    }


def _findings(found: Verification, again: Reproduction | None) -> tuple[Discrepancy, ...]:
    return found.findings + (again.findings if again is not None else ())


def _print(found: Verification, again: Reproduction | None) -> None:
    findings = _findings(found, again)
    if findings:
        rows = [[each.subject, each.detail] for each in findings]
        answer(table(f"{found.path}: not as recorded", ["what", "how"], rows))
        return
    for line in found.checked:
        answer(line)
    if again is not None:
        answer(
            f"{again.equal} of {again.pairs} predictions made again are equal; the largest "
            f"difference is {again.largest_difference} grey levels"
        )
    for line in found.not_checked:
        if again is None or "--retranslate" not in line:
            answer(f"not looked at: {line}")
    answer(f"{found.path}: confirmed in what was looked at")
