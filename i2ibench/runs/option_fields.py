"""What a field of a table of options says of its command-line form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.errors import UsageError

# Panels of --help.
WHAT, HOW, WHERE = "What to run", "How to run it", "Where things are"


@dataclass(frozen=True, slots=True)
class Shown:
    """How the command line shows the option of a field.

    Attributes:
        help: what it does, in one or two sentences; the default is added where it is shown.
        panel: heading of ``--help`` under which it stands.
        flag: its name where that is not the field's, e.g. ``--set``.
        short: its letter, e.g. ``-m``.
        metavar: what stands for its value in ``--help``.
        limits: smallest and largest value, each or both None.
        typed: its type on the command line, where that is not the field's.
        values: what completes it: ``models``, ``datasets``, ``metrics`` or ``protocols`` for the
            registered names of these, or the values themselves.
    """

    help: str
    panel: str
    flag: str | None = None
    short: str | None = None
    metavar: str | None = None
    limits: tuple[float | None, float | None] = (None, None)
    typed: Any = None
    values: str | tuple[str, ...] = ()


def shown(help: str, panel: str, **more: Any) -> dict[str, Shown]:
    """Return the metadata of a field of a table, see ``Shown``."""
    return {"option": Shown(help, panel, **more)}


def names_in(option: str, names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Turn ``"psnr, ssim"``, or a list of names, into the names; None stays None.

    Raises ``UsageError`` where ``option`` names nothing.
    """
    if names is None:
        return None
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")] if names.strip() else []
    if not names:
        raise UsageError(f"{option} is empty; name at least one, or leave it out")
    return tuple(names)


def make_paths(options: object, *names: str) -> None:
    """Turn strings in the named fields of a frozen table into paths."""
    for name in names:
        value = getattr(options, name)
        if value is not None:
            object.__setattr__(options, name, Path(value))
