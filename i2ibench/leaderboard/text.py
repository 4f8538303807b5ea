"""Words and numbers of boards: headers, digits, footnotes; shared by all renderers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from i2ibench.leaderboard.rows import Cell, Column, Row

ARROWS = {"higher": "↑", "lower": "↓", None: ""}
NO_VALUE = "–"

# Digits after the point where four significant ones would be too many or too few.
_DIGITS = {"psnr": 2, "fid": 2, "ssim": 4, "lpips": 4}
_NAMES = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "fid": "FID",
    "kid": "KID",
    "mae": "MAE",
    "swd": "SWD",
    "ms-ssim": "MS-SSIM",
    "dists": "DISTS",
    "delta-e76": "ΔE (1976)",
    "dab-correlation": "DAB correlation",
    "dab-od-mae": "DAB OD error",
    "dab-pred-mean": "DAB mean, predicted",
    "dab-target-mean": "DAB mean, target",
}


def metric_title(metric: str) -> str:
    """Return the name a reader knows: ``lpips-squeeze`` -> ``LPIPS-squeeze``."""
    if metric in _NAMES:
        return _NAMES[metric]
    head, dash, tail = metric.partition("-")
    return f"{_NAMES[head]}{dash}{tail}" if head in _NAMES else metric


def number(value: float, metric: str, like: float | None = None) -> str:
    """Return ``value`` with the digits its metric deserves, or those of the number ``like``."""
    digits = _DIGITS.get(metric, _DIGITS.get(metric.partition("-")[0]))
    if digits is None:
        magnitude = abs(value if like is None else like)
        digits = 1 if magnitude >= 100 else 2 if magnitude >= 10 else 3 if magnitude >= 1 else 4
    return f"{value:.{digits}f}"


def as_printed(value: float, metric: str) -> str:
    """Return a number of a source with its own digits, or fewer where it prints very many."""
    own = repr(value)
    rounded = number(value, metric)
    return own if len(own.partition(".")[2]) < len(rounded.partition(".")[2]) else rounded


def interval(ci95: tuple[float, float], metric: str, like: float | None = None) -> str:
    """Return an interval as ``[low, high]`` with the digits of the number ``like``."""
    return f"[{number(ci95[0], metric, like)}, {number(ci95[1], metric, like)}]"


@dataclass(slots=True)
class Footnotes:
    """Notes numbered in the order of their first use; equal notes share a mark.

    ``marks``: ``"1"`` for numbers, ``"a"`` for letters.
    """

    marks: str
    notes: list[str] = field(default_factory=list)

    def mark(self, note: str) -> str:
        """Return the mark of ``note``, made on first use."""
        if note not in self.notes:
            self.notes.append(note)
        return self._name(self.notes.index(note))

    def lines(self) -> list[tuple[str, str]]:
        """All marks with their notes."""
        return [(self._name(index), note) for index, note in enumerate(self.notes)]

    def _name(self, index: int) -> str:
        if self.marks == "1":
            return str(index + 1)
        letters = ""
        while index >= 0:
            letters = chr(ord("a") + index % 26) + letters
            index = index // 26 - 1
        return letters


def column_note(column: Column) -> str:
    """Return the definition of a column: signature, unit and direction."""
    better = f"{column.better} is better" if column.better else "a description, without direction"
    unit = f", in {column.unit}" if column.unit else ""
    signature = f"`{column.signature}`" if column.signature else "not computed in any entry"
    return f"{metric_title(column.metric)}: {signature}{unit}; {better}"


def small_print(*lines: str) -> str:
    """Return further lines of a cell in small type."""
    return "".join(f"<br><sub>{line}</sub>" for line in lines if line)


def shared_notes(cells: list[Cell]) -> tuple[str, ...]:
    """Return the notes that every cell with a value carries."""
    noted = [cell.notes for cell in cells if cell.value is not None]
    if not noted:
        return ()
    return tuple(note for note in noted[0] if all(note in other for other in noted))


def budget(row: Row) -> str:
    """Say what the method was trained on and for how long, from its record."""
    training, result = row.result.training, row.result
    if not training:
        return "none" if not result.cost.get("train_seconds") else "closed form"
    parts: list[str] = []
    epochs = _sum(training, "epochs", "decay_epochs")
    if epochs is not None:
        parts.append(f"{epochs} epochs")
    if training.get("steps") is not None:
        parts.append(f"{training['steps']} steps")
    if training.get("batch_size") is not None:
        parts.append(f"batch {training['batch_size']}")
    images = training.get("images") or {}
    parts += [f"{key} {images[key]}" for key in ("resize", "crop") if images.get(key)]
    return ", ".join(parts)


def duration(seconds: float | None) -> str:
    """Return a time as a reader says it: ``45 s``, ``12 min``, ``3.1 h``."""
    if seconds is None:
        return NO_VALUE
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def device(row: Row) -> str:
    """Name the hardware of a row."""
    environment = row.result.environment
    if str(environment.get("device", "")).startswith("cuda"):
        return str(environment.get("gpu", "GPU"))
    cores = environment.get("torch_threads") or environment.get("cpu_count")
    if not cores:
        return NO_VALUE
    return "CPU, 1 thread" if cores == 1 else f"CPU, {cores} threads"


def _sum(values: dict[str, Any], *keys: str) -> int | None:
    found = [values[key] for key in keys if values.get(key) is not None]
    return sum(found) if found else None
