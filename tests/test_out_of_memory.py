"""Only exhausted memory is called that; other errors that speak of memory keep their own words."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from i2ibench.errors import is_explained, is_out_of_memory
from i2ibench.explain import explain

CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
CPU += "you tried to allocate 4503599627370496 bytes. Error code 12 (Cannot allocate memory)"
EXHAUSTED = [
    MemoryError(),
    MemoryError("Unable to allocate 8.00 EiB for an array"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total"),
    torch.cuda.OutOfMemoryError("HIP out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.0 GB, max allowed: 9.07 GB)"),
    RuntimeError("XPU out of memory. Tried to allocate 1.00 GiB"),
    RuntimeError("NCCL error: unhandled cuda error\nLast error: Cuda failure 2 'out of memory'"),
    RuntimeError(CPU),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:81] data. DefaultCPUAllocator: not enough memory: "
        "you tried to allocate 6291456 bytes."
    ),
    RuntimeError("unable to mmap 4096 bytes from file <w.pth>: Cannot allocate memory (12)"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("std::bad_alloc"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
]
OTHER = [
    RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to "
        "a single memory location. Please clone() the tensor before performing"
    ),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError(
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
        "dataloader's workers are out of shared memory. Please try to raise your shared "
        "memory limit."
    ),
    RuntimeError("unable to write to file </torch_1>: No space left on device (28)"),
    RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU memory can be pinned"),
    RuntimeError("Caught ValueError in pin memory thread for device 0."),
    RuntimeError("unsupported memory format option Preserve"),
    RuntimeError("the memory bank is empty"),
    ValueError("CUDA out of memory"),  # a plugin's own words
    KeyError("memory"),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError(errno.ENOENT, "memory"),
]


@pytest.mark.parametrize("error", EXHAUSTED, ids=lambda error: str(error)[:50])
def test_exhausted_memory_is_called_that(error):
    assert is_out_of_memory(error) and is_explained(error)
    assert explain(error) == ("out of memory; use a smaller model, batch or --tile", 1)


@pytest.mark.parametrize("error", OTHER, ids=lambda error: str(error)[:50])
def test_other_errors_that_speak_of_memory_are_not(error):
    assert not is_out_of_memory(error) and not is_explained(error)


def too_large_for_torch():
    torch.empty(1 << 50)


def too_large_for_numpy():
    np.empty(1 << 50, np.uint8)


def too_large_for_opencv():
    cv2.resize(np.zeros((9, 9, 3), np.uint8), (1 << 30, 1 << 14))


@pytest.mark.parametrize(
    "allocate", [too_large_for_torch, too_large_for_numpy, too_large_for_opencv]
)
def test_what_the_libraries_raise_themselves_is_recognised(allocate):
    with pytest.raises(Exception) as caught:
        allocate()
    assert is_out_of_memory(caught.value), repr(caught.value)


def raise_in_opencv():
    cv2.cvtColor(np.zeros((9, 9), np.uint8), cv2.COLOR_RGB2GRAY)


def write_to_one_location():
    grey = torch.zeros(1).expand(3)
    grey += 1


@pytest.mark.parametrize("misuse", [raise_in_opencv, write_to_one_location])
def test_what_the_libraries_raise_for_other_reasons_is_not(misuse):
    with pytest.raises(Exception) as caught:
        misuse()
    assert not is_out_of_memory(caught.value), repr(caught.value)


def test_errors_are_told_apart_without_importing_torch():
    code = (
        "import sys; from i2ibench.errors import is_out_of_memory; "
        "assert is_out_of_memory(RuntimeError('CUDA out of memory')); "
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


GREYER = '''
from i2ibench import TranslationModel

class Greyer(TranslationModel):
    """Sum in place on an expanded tensor."""

    def translate(self, source):
        grey = source.mean(1, keepdim=True).expand(-1, 3, -1, -1)
        grey += 0.1
        return grey
'''


def test_a_plugin_that_speaks_of_memory_is_named_with_its_error_and_line(drawn, tmp_path):
    drawn.draw("test", 2)
    info = tmp_path / "site/greyer-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greyer\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[i2ibench.models]\ngreyer = greyer:Greyer\n")
    (tmp_path / "site/greyer.py").write_text(GREYER)
    command = [sys.executable, "-m", "i2ibench.cli.app", "run", "--model", "greyer"]
    command += ["--dataset", str(drawn.root), "--output", str(tmp_path / "runs")]
    done = subprocess.run(
        [*command, "--board", str(tmp_path / "boards")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )
    said = " ".join(done.stderr.split())
    assert done.returncode == 1 and "Traceback" not in said
    for words in ("single memory location", "'greyer' of greyer", "greyer.py, line 9", "--debug"):
        assert words in said
    assert "out of memory" not in said
