"""Where data sets are looked for, and where made or downloaded ones are kept."""

from __future__ import annotations

from pathlib import Path

from i2ibench.files import cache_folder as cache_folder
from i2ibench.files import chosen_folder


def dataset_folders() -> list[Path]:
    """Return the folders that hold data sets: ``$I2IBENCH_DATA`` first, then the cache."""
    chosen = chosen_folder("I2IBENCH_DATA")
    return [*([] if chosen is None else [chosen]), cache_folder() / "datasets"]
