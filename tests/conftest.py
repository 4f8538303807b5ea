"""Isolation from the user's machine, and the real data that some tests stand on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from seeded_weights import write_inception

# The cores are shared by everything that runs here: by as many tests at a time as pytest-xdist has
# workers, or by the threads of one. torch is imported after this.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("i2ibench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("i2ibench")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data and golden outputs, beside the checkout; never part of the project."""
    if not _SHARED.is_dir():
        pytest.skip("the folder ../shared with real data and golden outputs is absent")
    return _SHARED


@pytest.fixture(scope="session", autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests, and what they share, away from the user's cache, data sets and weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I2IBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.delenv("I2IBENCH_DATA", raising=False)
        patch.delenv("I2IBENCH_WEIGHTS", raising=False)
        yield


class DrawnFolder:
    """A paired data set in BCI form, drawn from a seed: small, real files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def draw(self, split: str, count: int, size: int = 32, seed: int = 0) -> DrawnFolder:
        """Write ``count`` pairs of ``size`` px whose target is a function of the source."""
        import cv2
        import numpy as np

        generator = np.random.default_rng([seed, *split.encode()])
        levels = ("0", "1+", "2+", "3+")
        for index in range(count):
            level = levels[index % 4]
            source = cv2.resize(
                generator.integers(0, 256, (4, 4, 3), np.uint8), (size, size), interpolation=2
            )
            target = 255 - source
            for side, image in (("HE", source), ("IHC", target)):
                folder = self.root / side / split
                folder.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / f"{index:05d}_{split}_{level}.png"), image)
        return self


@pytest.fixture
def drawn(tmp_path: Path) -> DrawnFolder:
    """An empty folder ``tmp_path/drawn`` to draw pairs into."""
    return DrawnFolder(tmp_path / "drawn")


@pytest.fixture(scope="session")
def seeded_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random Inception weights: torch-fidelity's keys and shapes, no meaning."""
    return write_inception(tmp_path_factory.mktemp("inception"))


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a local Ray cluster of two workers, one for the whole session."""
    from ray_clusters import ray_cluster

    with ray_cluster() as address:
        yield address
