"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from i2ibench.durable import naming
from i2ibench.errors import I2IBenchError


@contextmanager
def locked(folder: Path, busy: I2IBenchError, *, patience: float) -> Iterator[None]:
    """Keep other processes out of a folder, which is made where it is absent.

    Args:
        folder: the lock is its file ``.lock``.
        busy: raised where another process holds the lock for ``patience`` seconds.
        patience: how long another process is waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", timeout=patience)
    try:
        with naming(folder / ".lock"):
            lock.acquire()
    except filelock.Timeout:
        raise busy from None
    try:
        yield
    finally:
        lock.release()
