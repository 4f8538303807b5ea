"""Which way another tool was run, by the pictures in its result folder.

pytorch-CycleGAN-and-pix2pix calls its input ``_real_A`` and its output ``_fake_B`` whichever way it
is run; CycleGAN writes ``_fake_A`` too. So the names alone do not say which side is translated: the
picture of ``_real_A`` does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.images import read_image
from i2ibench.data.listing import list_images
from i2ibench.data.name_endings import ending_word, endings_of
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import DataError
from i2ibench.files import composed, list_folder

Named = dict[str, Path]

# What tools call the sides of a pair that tell a direction, by ``ending_word``.
_SIDES = {f"{kind}_{side}".lower(): f"_{kind}_{side}" for kind in ("fake", "real") for side in "AB"}
_OUTPUTS = {"fake_a", "fake_b"}
# Pairs that are looked at, and the side of the small pictures that are compared.
_TRIED, _SIDE = 5, 8
# One reading must fit so many times better than the other; pictures are resized and compressed.
_CLEAR = 1.5


def canonical_names(files: Mapping[str, Path], ids: Collection[str], folder: Path) -> Named:
    """Return the files with what tools call their sides spelt in one way: ``<id>_fake_B``.

    Read as such are ``<id>-fake_b``, and what lies in a folder called ``fake_B``, as CUT writes
    it, with the folders ``real_A`` and ``real_B`` beside it.

    Raises:
        DataError: two files of one side of a pair.
    """
    named: Named = {}
    for stem, path in files.items():
        _name(named, _canonical(stem, ids), path, folder)
    place = folder.absolute()
    if ending_word(place.name) in _OUTPUTS and not any(_mark_in(stem, ids) for stem in files):
        for beside in (folder, *_folders_of_inputs(place)):
            mark = _SIDES[ending_word(beside.absolute().name)]
            for path in list_images(beside):
                if composed(path.stem) in ids:
                    _name(named, composed(path.stem) + mark, path, beside)
    return named


def mark_of_predictions(stems: Mapping[str, Path], dataset: PairedDataset, folder: Path) -> str:
    """Return the ending of the images that show the targets' side: ``_fake_B`` or ``_fake_A``.

    Args:
        stems: files by their ``canonical_names``.
        dataset: the pairs.
        folder: for messages.

    Raises:
        DataError: only the other ending is there.
    """
    marks = [
        mark for mark in ("_fake_B", "_fake_A") if any(pair.id + mark in stems for pair in dataset)
    ]
    if not marks:
        return "_fake_B"
    seen = _seen(stems, dataset)
    if seen is None and len(marks) == 2 and all(p.source == p.target for p in dataset[:1]):
        raise DataError(
            f"{folder}: holds '_fake_A' and '_fake_B' images, and nothing tells which of them show "
            "the side of the targets; give --dataset, or keep only the predictions"
        )
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
            "which its '_real_A' images would show; add them, or call the predictions <id>.png, "
            "in a folder of another name"
        )
    other = "AtoB" if dataset.direction == "BtoA" else "BtoA"
    raise DataError(
        f"{reason}its inputs, '_real_A' or '_real_B', show that the tool translated the other way; "
        f"give --direction {other}, or translate again"
    )


def _name(named: Named, name: str, path: Path, folder: Path) -> None:
    if named.setdefault(name, path) != path:
        raise DataError(
            f"{folder}: {named[name].name} and {path.name} are called as the same side of a pair; "
            "remove one"
        )


def _mark_in(stem: str, ids: Collection[str]) -> tuple[str, str] | None:
    """Return the id in a name and the mark of its side, or None."""
    for ending in endings_of(stem):
        mark, base = _SIDES.get(ending_word(ending)), stem.removesuffix(ending)
        if mark is not None and base in ids:
            return base, mark
    return None


def _canonical(stem: str, ids: Collection[str]) -> str:
    found = None if stem in ids else _mark_in(stem, ids)
    return stem if found is None else "".join(found)


def _folders_of_inputs(folder: Path) -> list[Path]:
    beside = list_folder(folder.parent, missing_ok=True).folders
    return [each for each in beside if ending_word(each.name) in _SIDES.keys() - _OUTPUTS]


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
    if pair.source == pair.target:  # --targets: nothing is known of the sources
        if theirs[0] is None or theirs[1] is None:
            return None
        return _apart(theirs[1], ours[1]), _apart(theirs[0], ours[1])
    if theirs[0] is None and theirs[1] is None:
        return None
    straight = sum(_apart(one, other) for one, other in zip(theirs, ours, strict=True))
    turned = sum(_apart(one, other) for one, other in zip(theirs, ours[::-1], strict=True))
    return straight, turned


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
