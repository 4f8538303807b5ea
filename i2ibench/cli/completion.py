"""What the shell completes: registered names, read from entry points without importing plugins."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from i2ibench.files import visible_files


def completer(values: str | tuple[str, ...]) -> Callable[[str], list[str]] | None:
    """Return what typer calls to complete a value.

    Args:
        values: a kind of registered names, ``boards`` or ``weights``, or the values themselves;
            none: files are completed, which the shell does on its own.
    """
    if not values:
        return None

    def complete(incomplete: str) -> list[str]:
        # In a list such as psnr,ssim the last name is completed.
        before, comma, _ = incomplete.rpartition(",") if values == "metrics" else ("", "", "")
        names = _names(values) if isinstance(values, str) else list(values)
        return [found for name in names if (found := before + comma + name).startswith(incomplete)]

    return complete


def _names(kind: str) -> list[str]:
    from i2ibench import registry

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "boards":
            pages = visible_files(Path("leaderboards"), {".md"}, missing_ok=True)
            return sorted({path.stem for path in pages} - {"README"})
        if kind == "weights":
            from i2ibench.metrics.networks.weights import catalogue

            return sorted(catalogue())
        registered: registry.Registry[object] = getattr(registry, kind)
        return registered.names()
