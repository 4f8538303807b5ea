"""Threads of the libraries below: while pairs are scored, the workers are the only parallelism."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from i2ibench.loaded import torch_if_loaded


def one_torch_thread() -> None:
    """Let torch compute on one CPU thread in the calling thread, if anything has loaded torch."""
    torch = torch_if_loaded()
    if torch is not None:
        torch.set_num_threads(1)


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Let OpenCV compute on one thread for a while."""
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
