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
        patience: how long another process is waited for; -1: as long as it takes.
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


def is_locked(folder: Path) -> bool:
    """Whether another process, or another lock of this one, holds the lock of a folder."""
    place = folder / ".lock"
    if not place.exists():
        return False
    lock = filelock.FileLock(place, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return True
    except OSError:  # a file system without locks, or that cannot be written: nobody can hold one
        return False
    lock.release()
    return False
