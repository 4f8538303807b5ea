"""Errors a user can mend, each with the exit code of the command line.

Every message is one line that says what is wrong and how to mend it. The command line prints it
without a traceback; anything that is not an ``I2IBenchError`` is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import ClassVar


class I2IBenchError(Exception):
    """Base of all errors that a user can mend; ``exit_code`` is what the shell sees."""

    exit_code: ClassVar[int] = 1


class UsageError(I2IBenchError):
    """Wrong usage: an unknown name, a value out of range, options that exclude each other."""

    exit_code = 2


class DataError(I2IBenchError):
    """Bad data: a missing partner, sizes that differ, a truncated image, an edited record."""

    exit_code = 3


class MissingError(I2IBenchError):
    """Weights or a data set that must be fetched first."""

    exit_code = 4


class VerificationError(I2IBenchError):
    """Recomputed values differ from recorded ones."""

    exit_code = 5


class Interrupted(I2IBenchError):
    """Stopped by the user; the message says how to continue."""

    exit_code = 130
