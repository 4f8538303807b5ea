"""The machine below us: devices, precisions, threads, and how torch is loaded.

Nothing here imports torch before somebody needs it: the command line starts, and images are
checked, without it.
"""

from __future__ import annotations

import atexit
import gc
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from i2ibench.errors import UsageError

PRECISIONS = ("fp32", "tf32", "bf16")


def check_device(device: str) -> None:
    """Refuse a word that is no device before anything is read; torch is not asked yet."""
    kind, colon, index = device.partition(":")
    if device in {"auto", "cpu"} or (kind == "cuda" and (not colon or index.isdecimal())):
        return
    raise UsageError(f"unknown device '{device}'; known: auto, cpu, cuda, cuda:N")


def resolve_device(device: str) -> str:
    """Return ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes a GPU where there is one."""
    check_device(device)
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = device.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device '{device}': no CUDA device is usable here; use --device cpu")
    if index and int(index) >= torch.cuda.device_count():
        raise UsageError(f"device '{device}': there are {torch.cuda.device_count()} CUDA devices")
    return device


def resolve_precision(precision: str, device: str) -> str:
    """Return ``fp32``, ``tf32`` or ``bf16``; ``auto`` takes bf16 on a GPU that has it."""
    if precision == "auto":
        import torch

        has_bf16 = device.startswith("cuda") and torch.cuda.is_bf16_supported()
        return "bf16" if has_bf16 else "fp32"
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision '{precision}'; known: auto, {', '.join(PRECISIONS)}")
    if precision == "tf32" and not device.startswith("cuda"):
        raise UsageError("--precision tf32 is a mode of CUDA devices; use --precision fp32")
    if precision == "bf16" and device == "cpu" and not cpu_has_bf16():
        warnings.warn(
            "this processor has no bf16 instructions: bf16 is many times slower here than fp32",
            stacklevel=2,
        )
    return precision


def seed_global_generators(seed: int) -> None:
    """Seed the generators that code draws from which is given none: Python's, NumPy's, torch's."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % (1 << 32))  # noqa: NPY002
    torch.manual_seed(seed)


@contextmanager
def global_generators_kept() -> Iterator[None]:
    """Leave the generators as they were, whatever is drawn from them meanwhile."""
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        with torch.random.fork_rng(range(torch.cuda.device_count()) if used else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def allow_tf32(precision: str) -> None:
    """Let float32 products lose mantissa bits on GPUs only where ``tf32`` was asked for.

    PyTorch does so in convolutions by default, so that its fp32 is none.
    """
    import torch

    allowed = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AVX512-BF16 or AMX)."""
    import torch

    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def usable_cores() -> int:
    """Return how many processors this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available is not None else os.cpu_count() or 1


def torch_if_loaded() -> Any:
    """Return torch if anything has imported it, else None.

    An evaluation imports it in a thread of its own: what stands in ``sys.modules`` meanwhile is a
    torch in parts. The import statement waits for the whole one.
    """
    if "torch" not in sys.modules:
        return None
    import torch

    return torch


def one_torch_thread() -> None:
    """Let torch compute on one CPU thread in the calling thread, if anything has loaded torch."""
    torch = torch_if_loaded()
    if torch is not None:
        torch.set_num_threads(1)


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Let OpenCV compute on one thread for a while."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def exact_torch() -> Iterator[None]:
    """Keep fp32 exact on GPUs for a while, and bring torch's threads back afterwards."""
    torch = torch_if_loaded()
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    tf32 = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        matmul.allow_tf32, cudnn.allow_tf32 = tf32


@contextmanager
def collection_paused() -> Iterator[None]:
    """Let Python look for no garbage meanwhile.

    Importing torch makes some hundred thousand objects that live as long as the process. Looking
    through them again and again takes a fifth of the import, and once more 0.3 s at the end.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def leave_garbage_at_exit() -> None:
    """Let the end of this process free everything at once; for programs, not for libraries."""
    atexit.register(gc.freeze)
