"""A bare folder of targets, to score what other tools made without a data set."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from i2ibench.data.cards import Card
from i2ibench.data.identity import name_of_own
from i2ibench.data.labels import labelled
from i2ibench.data.listing import images_by_id, name_not_utf8, raise_fault, tell_left_out
from i2ibench.data.name_endings import only_targets
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.data.scale import scaled, scales_of, warn_of_guesses
from i2ibench.errors import DataError
from i2ibench.files import is_utf8

CARD = Card(title="a folder of targets")


def list_targets(root: Path, limit: int | None = None) -> PairedDataset:
    """Return the images of a folder as the split ``test``; each is its own source.

    The id is the name without suffix. Where predictions or sources lie beside the targets, told
    apart by known endings, only the targets are taken, and it is said.

    Raises:
        DataError: no such folder, no images in it, an unsafe name, or one name twice.
    """
    # Not resolve(): a linked folder keeps the name its user gave it.
    own_name = Path(os.path.abspath(root)).name  # noqa: PTH100
    if not is_utf8(own_name):
        raise name_not_utf8(root)
    images = images_by_id(root)
    tell_left_out(root)
    if not images:
        raise DataError(f"{root}: holds no images")
    images, ending = only_targets(images)
    if ending:
        warnings.warn(
            f"{root}: only the images that end in '{ending}' are taken for targets", stacklevel=3
        )
    pairs = [ImagePair(each, ImageRef(path), ImageRef(path)) for each, path in images.items()]
    pairs, fault = labelled(
        sorted(pairs, key=lambda pair: pair.id), CARD, root, "test", set, raise_fault
    )
    name = name_of_own(own_name, None, root)
    scales = scales_of(pairs, lambda: pairs, {})
    if "target" in scales:
        warn_of_guesses({"target": scales["target"]}, name)
    pairs = scaled(pairs, scales)
    return PairedDataset(name, "test", tuple(pairs[:limit]), root=root, cluster_fault=fault)
