"""The options that ``run``, ``train`` and ``translate`` share, gathered into one object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2ibench.cli.common import parse_settings

if TYPE_CHECKING:
    from i2ibench.plan import Options


def make_options(settings: list[str] | None, board: Path | None = None, **options: Any) -> Options:
    """Return ``Options`` of what was typed."""
    from i2ibench.plan import Options

    return Options(settings=parse_settings(settings), board=board, **options)
