"""Whose code an unexpected error came from: a plugin's of another package, or ours."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from i2ibench import registry
from i2ibench.registry import Entry


@dataclass(frozen=True, slots=True)
class Blame:
    """A plugin whose code raised an error.

    Attributes:
        error: as it was raised.
        plugin: e.g. ``model 'bias' of their-package``.
        place: the last line of the plugin's code on the way to the error.
    """

    error: BaseException
    plugin: str
    place: str


def blame(error: BaseException) -> Blame | None:
    """Return the plugin that ``error``, or an error it was made of, came out of; None for none.

    The traceback tells: the deepest frame in code of a package that provides plugins. So no call of
    a plugin needs a guard of its own, and an error of a library that a plugin calls is told as the
    plugin's, for it chose the arguments.
    """
    entries = list(registry.plugin_entries())
    if not entries:
        return None
    for each in _causes(error):
        steps = list(traceback.walk_tb(each.__traceback__))
        for frame, line in reversed(steps):
            found = _entries_of(frame, entries)
            if found:
                code = frame.f_code
                place = f"{Path(code.co_filename).name}, line {line}, in {code.co_name}"
                return Blame(each, _title(found), place)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__


def _entries_of(frame: FrameType, entries: list[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
    """Return the plugins that a frame may belong to: of its class, its module, or its package."""
    module = str(frame.f_globals.get("__name__", ""))
    package = module.partition(".")[0]
    near = [each for each in entries if each[1].target.partition(":")[0] == module]
    near = near or [each for each in entries if _package(each[1]) == package]
    classes = {each.__name__ for each in type(frame.f_locals.get("self")).__mro__}
    return [each for each in near if each[1].target.partition(":")[2] in classes] or near


def _package(entry: Entry) -> str:
    return entry.target.partition(":")[0].partition(".")[0]


def _title(found: list[tuple[str, Entry]]) -> str:
    kind, entry = found[0]
    if len(found) > 1:
        return f"a plugin of {entry.provider}"
    return f"{kind} '{entry.name}' of {entry.provider}"
