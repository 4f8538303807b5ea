"""Words and numbers of messages and tables: titles, digits, intervals, lists."""

from __future__ import annotations

from collections.abc import Sequence

ARROWS: dict[str | None, str] = {"higher": "↑", "lower": "↓", None: ""}
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


def column_title(metric: str, better: str | None) -> str:
    """Return the title with an arrow towards better values, if any are better."""
    return f"{metric_title(metric)} {ARROWS[better]}".strip()


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


def duration(seconds: float | None) -> str:
    """Return a time as a reader says it: ``45 s``, ``12 min``, ``3.1 h``."""
    if seconds is None:
        return NO_VALUE
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def count(number: int, noun: str) -> str:
    """Return ``1 pair``, ``2 pairs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(listed: Sequence[str], most: int = 10) -> str:
    """Return the first ``most`` of a list, and how many more there are."""
    shown = ", ".join(listed[:most])
    more = len(listed) - most
    return f"{shown} and {more} more" if more > 0 else shown
