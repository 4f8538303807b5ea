"""Finding a folder's predictions by pair id, whichever tool wrote them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from i2ibench.data.headers import IMAGE_SUFFIXES
from i2ibench.data.images import image_size, read_header
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.data.scale import find_scale
from i2ibench.errors import DataError
from i2ibench.wording import some

# pytorch-CycleGAN-and-pix2pix writes all three images of a pair into one folder.
_PREDICTION_MARK = "_fake_B"
_OTHER_MARKS = ("_real_A", "_real_B", "_fake_A", "_rec_A", "_rec_B", "_idt_A", "_idt_B")
# Of wrong sizes, which are longer than ids, a message lists this many.
_MOST_SIZES = 3


def find_predictions(folder: Path, dataset: PairedDataset) -> dict[str, Path]:
    """Return the prediction of each pair, matched by pair id and never by position.

    A prediction is called ``<id>.png`` (or another image suffix), or ``<id>_fake_B.png``. Images
    that belong to no pair are named in a warning.

    Raises:
        DataError: no such folder, a pair without a prediction, or with two.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder that holds the predictions")
    ids = {pair.id for pair in dataset}
    found: dict[str, Path] = {}
    extra: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        pair_id = _pair_id(path, ids)
        if pair_id is None:
            if not path.stem.endswith(_OTHER_MARKS):
                extra.append(path.stem)
        elif pair_id in found:
            raise DataError(
                f"{folder}: pair {pair_id} has two predictions, {found[pair_id].name} and "
                f"{path.name}; remove one"
            )
        else:
            found[pair_id] = path
    check_complete(found, dataset, folder)
    if extra:
        warnings.warn(
            f"{folder}: {len(extra)} images belong to no pair of {dataset.name}/{dataset.split} "
            f"and are not scored: {some(extra)}",
            stacklevel=2,
        )
    return {pair.id: found[pair.id] for pair in dataset}


def check_complete(found: Iterable[str], dataset: PairedDataset, where: object) -> None:
    """Refuse predictions that miss a pair, naming the ids."""
    known = set(found)
    missing = [pair.id for pair in dataset if pair.id not in known]
    if missing:
        raise DataError(
            f"{where}: {len(missing)} of {len(dataset)} pairs have no prediction: "
            f"{some(missing)}; every pair needs <id>.png"
        )


def check_images(
    dataset: PairedDataset, predictions: Mapping[str, Path], preparation: Preparation
) -> dict[str, tuple[int, int]]:
    """Check from file headers that each prediction has its prepared target's size.

    Predictions that were stored with loss are named in a warning.

    Returns:
        ``(width, height)`` by pair id.

    Raises:
        DataError: wrong sizes: how many, and the first by pair id; 16-bit predictions without a
            known scale.
    """
    sizes: dict[str, tuple[int, int]] = {}
    wrong: list[str] = []
    lossy: dict[str, str] = {}
    wide: list[Path] = []
    for pair in dataset:
        path = predictions[pair.id]
        expected = preparation.size(*image_size(pair.target))
        header = read_header(path)
        width, height = header.size
        if (width, height) != expected:
            size = f"{expected[0]} x {expected[1]}"
            wrong.append(f"{pair.id} is {width} x {height} and not {size}")
        if header.bits == 16 and pair.target.bits is None:
            wide.append(path)
        if header.lossy:
            lossy[pair.id] = header.format
        sizes[pair.id] = expected
    if wrong:
        folder = next(iter(predictions.values())).parent
        raise DataError(
            f"{folder}: {len(wrong)} of {len(dataset)} predictions do not have the size of "
            f"their targets under this protocol: {some(wrong, _MOST_SIZES)}; translate again with "
            "the same protocol or choose the protocol they were made for"
        )
    _check_scale(wide)
    if lossy:
        warnings.warn(
            f"{predictions[next(iter(lossy))].parent}: {len(lossy)} predictions are compressed "
            f"with loss ({', '.join(sorted(set(lossy.values())))}); scores include the "
            f"compression: {some([*lossy])}",
            stacklevel=2,
        )
    return sizes


def _check_scale(paths: list[Path]) -> None:
    """Refuse 16-bit predictions of 8-bit targets that are not scaled to 16 bits."""
    scale = find_scale(paths)
    if scale is not None and scale.bits < 16:
        raise DataError(
            f"{paths[0].parent}: 16-bit predictions whose values end at {scale.largest}, while "
            "their targets have 8 bits, so their scale is unknown; write them as 8-bit PNG"
        )


def _pair_id(path: Path, ids: set[str]) -> str | None:
    if path.stem in ids:
        return path.stem
    stripped = path.stem.removesuffix(_PREDICTION_MARK)
    return stripped if stripped in ids else None
