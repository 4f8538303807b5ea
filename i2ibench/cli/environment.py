"""Environment variables that libraries read as numbers, checked before any of them does."""

from __future__ import annotations

import math
import os

from i2ibench.errors import UsageError

# How launchers number processes; read when lightning is imported.
_WHOLE = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID", "WORLD_SIZE")
_EPOCH = "SOURCE_DATE_EPOCH"
_LAST_MOMENT = 253_402_300_799  # of the year 9999


def check_environment() -> None:
    """Raise ``UsageError`` where a variable is set to what nothing can be made of."""
    for name in _WHOLE:
        text = os.environ.get(name)
        if text is not None and not (text.isascii() and text.isdecimal()):
            raise UsageError(f"environment variable {name}={text!r} is no number; unset it")
    text = os.environ.get(_EPOCH)
    if text and not 0 <= _seconds(text) <= _LAST_MOMENT:
        raise UsageError(
            f"environment variable {_EPOCH}={text!r} is no time in seconds since 1970; unset it"
        )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
