"""An error that ended a command, as one line and an exit code."""

from __future__ import annotations

import errno

from i2ibench.cli.plugin_faults import blame
from i2ibench.errors import DataError, I2IBenchError, PluginError, is_out_of_memory, named

_DEBUG = "tell its authors; --debug shows the traceback"


def explain(error: Exception) -> tuple[str, int] | None:
    """Return the line and the exit code of an error; None for a bug of ours."""
    if isinstance(error, I2IBenchError):
        return _own(error)
    if is_out_of_memory(error):
        return "out of memory; use a smaller model, batch or --tile", 1
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = error.filename or "a file"
        return f"disk full while writing {where}; free space and repeat", 1
    found = blame(error)
    if found is not None:
        message = f"{found.plugin} failed: {named(found.error)} ({found.place}); {_DEBUG}"
        return message, PluginError.exit_code
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


def _of_a_file(error: OSError) -> tuple[str, int] | None:
    if isinstance(error, PermissionError):
        return f"no permission for {error.filename}; choose another folder", 1
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}; check the path", 1
    return None
