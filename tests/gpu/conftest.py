"""What only a CUDA device shows. Without one these tests skip, and say so.

    pytest -n0 tests/gpu

``I2IBENCH_GPU_DEVICE=cpu`` runs them on the processor, which tries the tests and proves nothing of
a GPU.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

_DEVICE = os.environ.get("I2IBENCH_GPU_DEVICE", "cuda")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, and skip them where there is no device."""
    here = Path(__file__).parent
    lacking = _DEVICE.startswith("cuda") and not torch.cuda.is_available()
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.gpu)
            if lacking:
                item.add_marker(pytest.mark.skip(reason="no CUDA device is usable here"))


@pytest.fixture(scope="session")
def device() -> str:
    """The device on trial."""
    return _DEVICE


@pytest.fixture
def on_cuda(device: str) -> None:
    """Skip what has no meaning on a processor."""
    if not device.startswith("cuda"):
        pytest.skip("a mode of CUDA devices")
