"""An error that ended a command, as one line and an exit code."""

from __future__ import annotations

import errno
import os

from i2ibench.errors import DataError, I2IBenchError, PluginError, is_out_of_memory, named
from i2ibench.plugin_faults import blame

_FULL = {
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk quota exceeded",
    errno.EFBIG: "file too large for this disk or its limit (ulimit -f)",
}
_REMEDIES = {
    errno.EIO: "the disk or its connection fails; check it and repeat",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOLCK: "this file system has no locks; put the output and $I2IBENCH_CACHE on another",
    errno.ENOSYS: "this file system lacks what is needed; put the output on another",
    errno.EOPNOTSUPP: "this file system lacks what is needed; put the output on another",
    errno.EMFILE: "too many open files; raise the limit (ulimit -n) or lower --workers",
    errno.ENFILE: "too many open files on this machine; repeat later",
    errno.ENAMETOOLONG: "choose a shorter name or --output",
    errno.ESTALE: "the network file system was changed meanwhile; repeat",
    errno.EAGAIN: "the system has no room for another process; repeat later",
}
_DEBUG = "tell its authors; --debug shows the traceback"


def explain(error: Exception) -> tuple[str, int] | None:
    """Return the line and the exit code of an error; None for a bug of ours."""
    if isinstance(error, I2IBenchError):
        return _own(error)
    if is_out_of_memory(error):
        return "out of memory; use a smaller model, batch or --tile", 1
    if isinstance(error, OSError) and error.errno in _FULL:
        where = error.filename or "a file"
        return f"{_FULL[error.errno]} while writing {where}; free space and repeat", 1
    found = blame(error)
    if found is not None:
        message = f"{found.plugin} failed: {named(found.error)} ({found.place}); {_DEBUG}"
        return message, PluginError.exit_code
    if isinstance(error, RecursionError):
        return "something given is nested too deep; --debug shows where", 1
    return _of_a_file(error) if isinstance(error, OSError) else None


def _own(error: I2IBenchError) -> tuple[str, int]:
    """Return an error of ours, with the plugin whose code it was made of where there is one."""
    found = blame(error) if isinstance(error, DataError | PluginError) else None
    if found is not None and not isinstance(found.error, I2IBenchError):
        # A metric that fails on a pair is bad data, unless it fails in the code of a plugin.
        return f"{error} ({found.plugin}: {found.place}); {_DEBUG}", PluginError.exit_code
    if isinstance(error, PluginError) and error.__cause__ is not None:
        return f"{error}; --debug shows the traceback", error.exit_code
    return str(error), error.exit_code


def _of_a_file(error: OSError) -> tuple[str, int]:
    where = "a file" if error.filename is None else os.fsdecode(error.filename)
    if isinstance(error, PermissionError):
        return f"no permission for {where}; choose another folder", 1
    # Some say only a text, as those of compressed streams.
    said = error.strerror or " ".join(str(error).split()) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        remedy = "check the path" if error.filename is not None else "--debug shows where"
    return f"{where}: {said}; {remedy}", 1
