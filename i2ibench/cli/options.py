"""The options that ``run``, ``train`` and ``translate`` share, gathered into one object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2ibench.cli.common import parse_settings

if TYPE_CHECKING:
    from i2ibench.runs.options import Options


def make_options(
    settings: list[str] | None,
    board: Path | None = None,
    *,
    recipe_settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Options:
    """Return ``Options`` of what was typed.

    ``recipe_settings`` are options of their own that stand for keys of the recipe; those that
    were not given are None.
    """
    from i2ibench.runs.options import Options

    given = {key: value for key, value in (recipe_settings or {}).items() if value is not None}
    return Options(settings={**given, **parse_settings(settings)}, board=board, **options)
