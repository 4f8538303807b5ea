"""Errors a user can mend, each with the exit code of the command line.

Every message is one line that says what is wrong and how to mend it. The command line prints it
without a traceback. Of other errors, those of a plugin's own code are told in a line that names the
plugin; the rest are bugs of ours and keep their traceback. The tree, with exit codes::

    Exception
    └── I2IBenchError                     1
        ├── UsageError                    2
        │   ├── EntryExistsError             (leaderboard.entries)
        │   └── BusyError                    (runs.outputs)
        ├── DataError                     3
        ├── MissingError                  4
        │   ├── Unavailable                  (metrics.interface)
        │   └── UnmeasuredError              (campaigns.budget)
        ├── VerificationError             5
        ├── PluginError                   1
        ├── TrainingDiverged              1  (training.loss_readout)
        ├── UnfinishedError               1  (campaigns.campaign)
        └── Interrupted                 130
"""

from __future__ import annotations

import errno
import re
from typing import ClassVar

# Libraries explain some errors in many lines; the traceback holds them all.
_LONGEST = 300

# PyTorch's class has been known under both names; other failed allocations are plain RuntimeErrors.
_EXHAUSTED_KINDS = {"torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"}
_EXHAUSTED = re.compile(
    r"(CUDA|HIP|XPU|MPS)( backend| driver)?( error:)? out of memory"
    r"|Cuda failure (\d+ )?'out of memory'"  # of NCCL
    r"|CPUAllocator: can't allocate memory"
    r"|not enough memory: you tried to allocate"
    r"|Cannot allocate memory \(12\)"  # of a file that is mapped
    r"|_STATUS_ALLOC_FAILED|_ALLOCATION_FAILED"  # cuBLAS, cuDNN, cuSOLVER
    r"|std::bad_alloc"
)
_OPENCV_NO_MEMORY = -4


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
    """Weights or a data set that must be fetched first.

    Attributes:
        reason: the message as records and boards keep it, without any path of this machine.
    """

    exit_code = 4

    def __init__(self, message: str = "", *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = message if reason is None else reason


class VerificationError(I2IBenchError):
    """Recomputed values differ from recorded ones."""

    exit_code = 5


class PluginError(I2IBenchError):
    """A plugin's own code failed, which its authors must mend."""


class Interrupted(I2IBenchError):
    """Stopped by the user; the message says how to continue."""

    exit_code = 130


def named(error: BaseException) -> str:
    """Return kind and text of any error in one line, e.g. ``KeyError: 'psnr'``."""
    text = " ".join(str(error).split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def is_explained(error: BaseException) -> bool:
    """Whether an error says by itself how to mend it: one of ours, or that memory ran out."""
    return isinstance(error, I2IBenchError) or is_out_of_memory(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a processor or on a GPU.

    Not every error that speaks of memory: an illegal access, tensors that share a location, or the
    shared memory of a loader's processes are faults of another kind. PyTorch and OpenCV are asked
    for by name, because this module is imported where they are not.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if "cv2.error" in kinds:
        return getattr(error, "code", None) == _OPENCV_NO_MEMORY
    if kinds & _EXHAUSTED_KINDS:
        return True
    return isinstance(error, RuntimeError) and _EXHAUSTED.search(str(error)) is not None
