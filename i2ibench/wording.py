"""Words and numbers of messages and tables: arrows, digits, durations, lists."""

from __future__ import annotations

from collections.abc import Sequence

ARROWS: dict[str | None, str] = {"higher": "↑", "lower": "↓", None: ""}
NO_VALUE = "–"


def decimal(value: float, digits: int | None, like: float | None = None) -> str:
    """Return ``value`` with ``digits`` after the point; by default with about four significant.

    ``like``: the number whose size decides the default, where it is another.
    """
    if digits is None:
        magnitude = abs(value if like is None else like)
        digits = 1 if magnitude >= 100 else 2 if magnitude >= 10 else 3 if magnitude >= 1 else 4
    return f"{value:.{digits}f}"


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
