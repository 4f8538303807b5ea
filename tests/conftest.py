"""Isolation from the user's machine, and the real data that some tests stand on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two cores are shared by everything that runs here; torch is imported after this.
os.environ.setdefault("OMP_NUM_THREADS", "2")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data and golden outputs, beside the checkout; never part of the project."""
    if not _SHARED.is_dir():
        pytest.skip("the folder ../shared with real data and golden outputs is absent")
    return _SHARED


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from the user's cache, data sets and weights."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("I2IBENCH_CACHE", str(cache))
    monkeypatch.delenv("I2IBENCH_DATA", raising=False)
    monkeypatch.delenv("I2IBENCH_WEIGHTS", raising=False)
