"""Regular expressions of cards: a card may come from anybody, so a search has a limit of time."""

from __future__ import annotations

import functools

import regex

from i2ibench import limits
from i2ibench.errors import DataError


def check_pattern(pattern: str, group: str) -> str:
    """Return ``pattern`` if it can be searched for and names ``group``, else ``ValueError``."""
    if len(pattern) > limits.PATTERN_CHARACTERS:
        raise ValueError(f"is longer than {limits.PATTERN_CHARACTERS} characters")
    try:
        compiled = _compiled(pattern)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise ValueError(f"not a regular expression ({error})") from None
    if pattern and group not in compiled.groupindex:
        raise ValueError(f"must hold the named group (?P<{group}>...)")
    return pattern


def found_group(pattern: str, group: str, name: str) -> str | None:
    """Return what the named group of a checked pattern holds in ``name``, None where nothing fits.

    Raises:
        DataError: the search takes longer than a pattern for a name can need.
    """
    try:
        match = _compiled(pattern).search(name, timeout=limits.PATTERN_SECONDS)
    except TimeoutError:
        raise DataError(
            f"the card's pattern {pattern!r} takes more than {limits.PATTERN_SECONDS:.0f} s on the "
            f"name '{name}'; write one without repetitions inside repetitions"
        ) from None
    return None if match is None else match[group]


@functools.lru_cache(maxsize=16)
def _compiled(pattern: str) -> regex.Pattern[str]:
    # The rules of Python's re, to which cards were written.
    return regex.compile(pattern, regex.VERSION0)
