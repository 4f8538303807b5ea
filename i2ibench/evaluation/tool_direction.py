"""Which way another tool was run, by the pictures in its result folder.

pytorch-CycleGAN-and-pix2pix calls its input ``_real_A`` and its output ``_fake_B`` whichever way it
is run; CycleGAN writes ``_fake_A`` too. So the names alone do not say which side is translated: the
picture of ``_real_A`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import DataError

# Pairs that are looked at, and the side of the small pictures that are compared.
_TRIED, _SIDE = 5, 8
# One reading must fit so many times better than the other; pictures are resized and compressed.
_CLEAR = 1.5


def mark_of_predictions(stems: Mapping[str, Path], dataset: PairedDataset, folder: Path) -> str:
    """Return the ending of the images that show the targets' side: ``_fake_B`` or ``_fake_A``.

    Raises:
        DataError: only the other ending is there.
    """
    marks = [
        mark for mark in ("_fake_B", "_fake_A") if any(pair.id + mark in stems for pair in dataset)
    ]
    if not marks:
        return "_fake_B"
    seen = _seen(stems, dataset)
    turned = dataset.direction == "BtoA" if seen is None else seen
    wanted = "_fake_A" if turned else "_fake_B"
    if wanted in marks:
        return wanted
    reason = (
        f"{folder}: its '{marks[0]}' images are not predictions of {dataset.name}'s targets in "
        f"direction {dataset.direction}: "
    )
    if seen is None:
        raise DataError(
            f"{reason}they are of the other side, unless the tool was itself run the same way, "
            "which its '_real_A' images would show; add them, or rename the predictions to <id>.png"
        )
    other = "AtoB" if dataset.direction == "BtoA" else "BtoA"
    raise DataError(
        f"{reason}its '_real_A' images show the targets, so the tool translated the other way; "
        f"give --direction {other}, or translate again"
    )


def _seen(stems: Mapping[str, Path], dataset: PairedDataset) -> bool | None:
    """Whether the tool's side A is our target; None where its pictures do not tell."""
    straight, turned, tried = 0.0, 0.0, 0
    for pair in dataset:
        if tried == _TRIED:
            break
        distances = _distances(stems, pair)
        if distances is not None:
            straight, turned, tried = straight + distances[0], turned + distances[1], tried + 1
    if straight * _CLEAR < turned:
        return False
    return True if turned * _CLEAR < straight else None


def _distances(stems: Mapping[str, Path], pair: ImagePair) -> tuple[float, float] | None:
    """Return how far the tool's inputs are from ours, taken straight and with sides turned."""
    files = [stems.get(f"{pair.id}_real_{side}") for side in "AB"]
    ours = [_small(pair.source), _small(pair.target)]
    theirs = [None if file is None else _small(ImageRef(file)) for file in files]
    bare_targets = pair.source == pair.target  # --targets: nothing is known of the sources
    if theirs[0] is None or (bare_targets and theirs[1] is None):
        return None
    if bare_targets:
        return _apart(theirs[1], ours[1]), _apart(theirs[0], ours[1])
    if theirs[1] is None:
        return _apart(theirs[0], ours[0]), _apart(theirs[0], ours[1])
    return (
        _apart(theirs[0], ours[0]) + _apart(theirs[1], ours[1]),
        _apart(theirs[0], ours[1]) + _apart(theirs[1], ours[0]),
    )


def _small(ref: ImageRef) -> NDArray[np.float32] | None:
    try:
        image = read_image(ref)
    except DataError:  # told by whoever needs the image
        return None
    resized = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.float32)


def _apart(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> float:
    if one is None or other is None:
        return 0.0
    # A grey level more: that one is equal proves little where the other nearly is.
    return float(np.abs(one - other).mean()) + 1.0
