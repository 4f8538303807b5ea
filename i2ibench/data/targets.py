"""A bare folder of targets, for scoring the output of other tools without a data set."""

from __future__ import annotations

from pathlib import Path

from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import DataError
from i2ibench.files import is_safe_name

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})


def open_targets(folder: Path, limit: int | None = None) -> PairedDataset:
    """Return one pair per image of ``folder``, its id the name without suffix.

    The source of each pair is the target itself: scoring reads targets only.

    Raises:
        DataError: no such folder, no images in it, or one name under two suffixes.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of targets")
    pairs: dict[str, ImagePair] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in pairs:
            raise DataError(f"{folder}: {path.stem} occurs with two suffixes; keep one of them")
        if not is_safe_name(path.stem):
            raise DataError(f"{path}: its name cannot serve as an id everywhere; rename it")
        pairs[path.stem] = ImagePair(path.stem, ImageRef(path), ImageRef(path))
    if not pairs:
        raise DataError(f"{folder}: holds no images")
    chosen = tuple(pairs.values())[:limit]
    return PairedDataset(folder.resolve().name, "test", chosen, root=folder)
