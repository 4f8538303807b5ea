"""Files and folders that are whole or absent, also after ``kill -9`` and after a power cut.

Everything is written under a temporary name beside its place and renamed when it is whole and on
the disk. Whoever writes holds a lock on the temporary file or folder as long as the process lives,
so the next process that writes there can tell what a killed one left, and removes it.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Windows has none: what a killed process left stays there.
_fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
_UMASK = threading.Lock()
_MARK = ".i2ibench.tmp"
_OURS = re.compile(rf"\..*-[a-z0-9_]{{8}}{re.escape(_MARK)}(\.[^.]*)?", re.DOTALL)
# Folders are looked through once a process: predictions are thousands of files in one folder.
_looked_through: set[str] = set()
# What systems answer that cannot sync a folder; a rename is then as lasting as they make it.
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.EBADF}


@contextlib.contextmanager
def atomic_path(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path`` in one step.

    After an error or a crash the former file is untouched. The temporary file lies in the same
    folder because a rename is atomic only within one file system; it keeps the suffix of ``path``
    because image encoders choose the format by it.

    Args:
        path: the file to be.
        lasting: whether the rename itself is on the disk when this ends. Without it a power cut
            may bring the former file back; it costs less, for one of many files whose list is
            written afterwards, and for what can be made again.

    Raises:
        OSError: naming ``path``, whichever step failed.
    """
    with naming(path, hidden=path.parent / _prefix(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_strays(path.parent)
        descriptor, temporary = _new_file(path)
    try:
        with naming(path, hidden=temporary):
            yield temporary
            _sync(temporary)
            # mkstemp makes private files; a published result should follow the user's umask.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            if lasting:
                sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside ``path``; on success it becomes ``path`` in one step.

    ``path`` must be absent or an empty folder. It appears when everything in it is on the disk.

    Raises:
        OSError: also where ``path`` has become a folder with something in it meanwhile.
    """
    with temporary_folder(path) as temporary:
        yield temporary
        publish_folder(temporary, path)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside ``path``, which is removed at the end where it is still there."""
    with naming(path, hidden=path.parent / _prefix(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_strays(path.parent)
        name = tempfile.mkdtemp(prefix=_prefix(path), suffix=_MARK, dir=path.parent)
    temporary = Path(name)
    try:
        with held(temporary), naming(path, hidden=temporary):
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_folder(temporary: Path, path: Path) -> None:
    """Bring all of ``temporary`` to the disk and rename it to ``path``, absent or empty."""
    for folder, _, files in os.walk(temporary, topdown=False, onerror=_raise):
        for name in files:
            _sync(Path(folder, name))
        sync_folder(Path(folder))
    temporary.chmod(0o777 & ~_umask())
    with contextlib.suppress(OSError):
        path.rmdir()  # an empty folder made by the user
    temporary.replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep ``remove_strays`` of other processes from a temporary folder while this one works in it.

    Several processes may hold the same folder; it is left when the last of them has ended.
    """
    if _fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: nothing is removed
            _fcntl.flock(descriptor, _fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def remove_strays(folder: Path) -> None:
    """Remove temporary files and folders in ``folder`` whose process has ended; once a process."""
    key = str(folder.absolute())
    if _fcntl is None or key in _looked_through:
        return
    _looked_through.add(key)
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _OURS.fullmatch(path.name):
                _remove_if_left(path)


def sync_folder(folder: Path) -> None:
    """Bring the names in ``folder`` to the disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in _NO_SYNC:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def naming(path: Path, *, hidden: Path | None = None) -> Iterator[None]:
    """Let an ``OSError`` that names no file, or one in ``hidden``, name ``path`` instead.

    A failed write does not say where it was, and a temporary name means nothing to its reader.
    """
    try:
        yield
    except OSError as error:
        named = error.filename
        if named is None or (hidden is not None and str(named).startswith(str(hidden))):
            error.filename, error.filename2 = str(path), None
        raise


def _new_file(path: Path) -> tuple[int | None, Path]:
    """Make an empty file beside ``path``; return it with the descriptor that holds its lock."""
    while True:
        descriptor, name = tempfile.mkstemp(
            prefix=_prefix(path), suffix=f"{_MARK}{path.suffix}", dir=path.parent
        )
        if _fcntl is None:  # Windows renames no open file
            os.close(descriptor)
            return None, Path(name)
        with contextlib.suppress(OSError):  # a file system without locks: nothing is removed
            _fcntl.flock(descriptor, _fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # another process took the newborn for a stray


def _prefix(path: Path) -> str:
    # A name may have 255 bytes, and a letter four of them.
    return f".{path.stem[:40]}-"


def _remove_if_left(stray: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(stray, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                shutil.rmtree(stray, ignore_errors=True)
            else:
                stray.unlink()
        finally:
            os.close(descriptor)


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _raise(error: OSError) -> None:
    raise error


def _umask() -> int:
    # It can only be read by setting it: of two threads at once, one would leave it at 0.
    with _UMASK:
        current = os.umask(0)
        os.umask(current)
    return current
