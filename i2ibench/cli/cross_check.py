"""`i2ibench verify RESULT --reference`: recorded values beside those of the reference packages."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2ibench.cli.terminal import answer, escape, table
from i2ibench.errors import I2IBenchError

if TYPE_CHECKING:
    from i2ibench.results.cross_check import CrossCheck
    from i2ibench.results.reference_comparison import MetricCrossCheck


def cross_check_one(
    result: Path, *, sample: int | None, json: bool, **where: Any
) -> tuple[dict[str, Any], I2IBenchError | None]:
    """Compare, print the tables unless ``json``, and return the report and what stands against it.

    ``where`` as ``results.cross_check.cross_check``.
    """
    from i2ibench.cli.progress import RichReporter
    from i2ibench.results.cross_check import DEFAULT_SAMPLE, cross_check

    pairs = DEFAULT_SAMPLE if sample is None else sample or None
    with closing(RichReporter()) as reporter:
        found = cross_check(result, sample=pairs, progress=reporter.progress, **where)
    error = found.error()
    if not json:
        _print_tables(found)
        if error is None:
            names = ", ".join(found.checked)
            verdict = f"cross-checked: {names}" if names else "nothing to cross-check"
            answer(f"{found.path}: {verdict}")
    return _as_json(found), error


def _print_tables(found: CrossCheck) -> None:
    compared = [metric for metric in found.metrics if metric.unchecked is None]
    columns = ["metric", "recorded", "by the package", "difference", "allowed", "pairs"]
    for title in dict.fromkeys(_package(metric) for metric in compared):
        rows = [_row(metric) for metric in compared if _package(metric) == title]
        answer(table(title, columns, rows, markup=True))
    if len(found.sample) < found.pairs:
        answer(
            f"metrics per pair: {len(found.sample)} of {found.pairs} pairs, evenly spaced over the "
            f"data set, from {found.sample[0]} to {found.sample[-1]}; --sample 0 takes all"
        )
    for metric in found.metrics:
        if metric.refuted is not None:
            answer(f"{metric.metric}: {metric.refuted}", lead="[red]differs[/] ")
        if metric.unchecked is not None:
            answer(f"{metric.metric}: {metric.unchecked}", lead="[yellow]not cross-checked[/] ")
    for finding in found.findings:
        answer(f"{finding.subject}: {finding.detail}", lead="[red]not as recorded[/] ")


def _row(metric: MetricCrossCheck) -> list[str]:
    colour = "green" if metric.refuted is None else "red"
    return [
        escape(metric.metric),
        f"{metric.recorded:.8g}",
        f"{metric.reference:.8g}",
        f"[{colour}]{metric.difference:.1e}[/]",
        f"{metric.tolerance:.1e}",
        str(metric.pairs),
    ]


def _package(metric: MetricCrossCheck) -> str:
    return f"{metric.package} {metric.version}"


def _as_json(found: CrossCheck) -> dict[str, Any]:
    return {
        "result": str(found.path),
        "cross_checked": found.checked,
        "pairs": found.pairs,
        "sample": list(found.sample),
        "metrics": [
            {key: _finite(value) for key, value in asdict(metric).items()}
            for metric in found.metrics
        ],
        "findings": [
            {"subject": finding.subject, "detail": finding.detail} for finding in found.findings
        ],
    }


def _finite(value: Any) -> Any:
    """Return ``value``, null for what JSON has no number for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
