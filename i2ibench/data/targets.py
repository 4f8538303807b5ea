"""A bare folder of targets, for scoring the output of other tools without a data set."""

from __future__ import annotations

from pathlib import Path

from i2ibench.data.identity import name_of_own
from i2ibench.data.layouts import images_by_id
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import DataError


def open_targets(folder: Path, limit: int | None = None) -> PairedDataset:
    """Return one pair per image of ``folder``, its id the name without suffix.

    The source of each pair is the target itself: scoring reads targets only.

    Raises:
        DataError: no such folder, no images in it, an unsafe name, or one name twice.
    """
    found = images_by_id(folder)
    if not found:
        raise DataError(f"{folder}: holds no images")
    pairs = tuple(
        ImagePair(identifier, ImageRef(path), ImageRef(path))
        for identifier, path in sorted(found.items())
    )
    name = name_of_own(folder.resolve().name, None, folder)
    return PairedDataset(name, "test", pairs[:limit], root=folder)
