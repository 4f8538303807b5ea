"""Where data sets are looked for, and where made or downloaded ones are kept."""

from __future__ import annotations

import os
from pathlib import Path

from i2ibench.files import cache_folder as cache_folder


def dataset_folders() -> list[Path]:
    """Return the folders that hold data sets: ``$I2IBENCH_DATA`` first, then the cache."""
    chosen = os.environ.get("I2IBENCH_DATA")
    own = [Path(chosen).expanduser()] if chosen else []
    return [*own, cache_folder() / "datasets"]
