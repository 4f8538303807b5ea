"""Where data sets are looked for, and where made or downloaded ones are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$I2IBENCH_CACHE``, or the user's cache folder of this platform."""
    chosen = os.environ.get("I2IBENCH_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("i2ibench"))


def dataset_folders() -> list[Path]:
    """Return the folders that hold data sets: ``$I2IBENCH_DATA`` first, then the cache."""
    chosen = os.environ.get("I2IBENCH_DATA")
    own = [Path(chosen).expanduser()] if chosen else []
    return [*own, cache_folder() / "datasets"]
