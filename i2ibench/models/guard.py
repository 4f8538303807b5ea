"""Errors of a plugin's code that surface in ours: one that names the plugin, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from i2ibench import registry
from i2ibench.errors import PluginError, is_explained, named


@contextmanager
def code_of(name: str, doing: str) -> Iterator[None]:
    """Name model ``name`` in whatever comes out of its code meanwhile.

    What a plugin returns may fail later, in a frame that is none of its own: a list where a
    dictionary is meant, a network that PyTorch cannot save. Only shipped models keep their
    traceback, for their bugs are ours. Files that cannot be read or written are told elsewhere.

    Raises:
        PluginError: the cause is the error itself.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if is_explained(error) or isinstance(error, OSError) or _is_ours(name):
            raise
        raise PluginError(f"model {name} {doing}: {named(error)}") from error


def _is_ours(name: str) -> bool:
    return name in registry.models and registry.is_ours(registry.models.entry(name))
