"""What the runs of a campaign have cost, beside what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from i2ibench.campaigns.cell_results import CellResults
from i2ibench.metrics.presentation import column_title
from i2ibench.results.cells import NumberCell
from i2ibench.results.record import Result
from i2ibench.web.report_page import Cell
from i2ibench.wording import NO_VALUE, some

Rows = tuple[tuple[Cell, ...], ...]


def cost_rows(
    cells: Sequence[CellResults], metrics: Sequence[str]
) -> tuple[tuple[str, ...], Rows, tuple[str, ...]]:
    """Return header, rows and notes: means over the finished seeds of each cell."""
    titles = []
    for metric in metrics:
        record = cells[0].record(metric)
        titles.append(column_title(metric, None if record is None else record.better))
    header = ("method", "images seen", "training", "s an image", "memory", *titles)
    rows = []
    for cell in cells:
        results = cell.results
        quality = [_quality(cell.values(metric, None, cell.entries), metric) for metric in metrics]
        rows.append(
            (
                (cell.label, ""),
                (_images(results), ""),
                (_hours(results), ""),
                (_a_pair(results), ""),
                (_memory(results), ""),
                *quality,
            )
        )
    return header, tuple(rows), _notes(cells)


def hours(result: Result) -> tuple[float, str] | None:
    """Return what a training took, in hours of what: a GPU, or one core of a CPU."""
    seconds = result.cost.train_seconds
    if seconds is None or not result.training.steps:
        return None
    processes = (result.experiment or {}).get("processes", 1)
    if (result.environment.device or "").startswith("cuda"):
        return float(seconds) * processes / 3600, "GPU h"
    cores = result.environment.torch_threads or 1
    return float(seconds) * processes * cores / 3600, "core h"


def _notes(cells: Sequence[CellResults]) -> tuple[str, ...]:
    results = [result for cell in cells for result in cell.results]
    total: dict[str, float] = {}
    for found in filter(None, map(hours, results)):
        total[found[1]] = total.get(found[1], 0.0) + found[0]
    spent = " and ".join(f"{_number(much)} {what}" for what, much in total.items())
    notes = ["Means over the finished seeds. Training: hours of a GPU, or of one core of a CPU."]
    if spent:
        notes.append(f"Trainings of this table together: {spent}.")
    machines = {(r.environment.gpu if _on_gpu(r) else r.environment.cpu) or "?" for r in results}
    if len(machines) > 1:
        notes.append(
            f"Times are of several machines ({some(sorted(machines), 4)}), and do not compare."
        )
    return tuple(notes)


def _on_gpu(result: Result) -> bool:
    return (result.environment.device or "").startswith("cuda")


def _images(results: Iterable[Result]) -> str:
    seen = [
        r.training.steps * r.training.batch_size
        for r in results
        if r.training.steps and r.training.batch_size
    ]
    return f"{np.mean(seen):,.0f}" if seen else NO_VALUE


def _hours(results: Iterable[Result]) -> str:
    found = [each for each in map(hours, results) if each is not None]
    units = {unit for _, unit in found}
    return (
        " + ".join(
            f"{_number(float(np.mean([much for much, what in found if what == unit])))} {unit}"
            for unit in sorted(units)
        )
        or NO_VALUE
    )


def _a_pair(results: Iterable[Result]) -> str:
    found = [
        float(r.cost.translate_seconds) / r.dataset.pairs
        for r in results
        if r.cost.translate_seconds is not None and r.dataset.pairs
    ]
    return f"{np.mean(found):.3g}" if found else NO_VALUE


def _memory(results: Iterable[Result]) -> str:
    found = [float(r.cost.peak_memory_mb) for r in results if r.cost.peak_memory_mb is not None]
    return f"{max(found) / 1024:.1f} GiB" if found else NO_VALUE


def _quality(values: np.ndarray, metric: str) -> Cell:
    known = values[np.isfinite(values)]
    return (NumberCell(float(known.mean()), metric).text if len(known) else NO_VALUE), ""


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
