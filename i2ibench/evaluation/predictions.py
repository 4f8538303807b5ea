"""Finding a folder's predictions by pair id, whichever tool wrote them."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from i2ibench.data.images import image_size, read_header
from i2ibench.data.listing import list_images, name_not_utf8, tell_left_out
from i2ibench.data.name_endings import common_endings, endings_after, is_beside
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.data.scale import find_scale
from i2ibench.errors import DataError
from i2ibench.evaluation.prediction_names import match_names
from i2ibench.evaluation.tool_direction import canonical_names, mark_of_predictions
from i2ibench.files import composed, is_utf8, printable
from i2ibench.wording import some

# Of wrong sizes, which are longer than ids, a message lists this many.
_MOST_SIZES = 3


def find_predictions(folder: Path, dataset: PairedDataset) -> dict[str, Path]:
    """Return the prediction of each pair, matched by pair id and never by position.

    A prediction is called ``<id>.png`` (or another image suffix), ``<id>_fake_B.png`` or
    ``<id>_fake_A.png``, whichever shows the side of the targets, or ``<id>`` with an ending that
    all predictions share, which is said. Images that belong to no pair are named in a warning.

    Raises:
        DataError: no such folder, a pair without a prediction, or with two; an ending that may
            belong to another side; a name that is not UTF-8.
    """
    if not folder.is_dir():
        raise DataError(
            f"{printable(folder)}: no such folder; give the folder that holds the predictions"
        )
    if not is_utf8(folder.name):
        raise name_not_utf8(folder)
    files = list_images(folder)
    tell_left_out(folder)
    stems = _by_stem(files, folder)
    found, said = _by_mark(stems, dataset, folder), ""
    if len(found) < len(dataset):
        matched, words = match_names(stems, [pair.id for pair in dataset], folder)
        if len(matched) > len(found):
            found, said = matched, words
    others = sorted(stem for stem, path in stems.items() if path not in {*found.values()})
    check_complete(found, dataset, folder, others)
    if said:
        warnings.warn(f"{folder}: {said}", stacklevel=2)
    _tell_extra(stems, found, dataset, folder)
    return {pair.id: found[pair.id] for pair in dataset}


def _by_stem(files: Iterable[Path], folder: Path) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for path in files:
        stem = composed(path.stem)
        if stem in stems:
            raise _two(folder, stem, stems[stem], path)
        stems[stem] = path
    return stems


def _by_mark(files: Mapping[str, Path], dataset: PairedDataset, folder: Path) -> dict[str, Path]:
    """Return the files called by an id alone, or with the mark of pytorch-CycleGAN-and-pix2pix."""
    found = {pair.id: files[pair.id] for pair in dataset if pair.id in files}
    stems = canonical_names(files, {pair.id for pair in dataset}, folder)
    if len(found) == len(dataset) and not any(stem.endswith("_fake_B") for stem in stems):
        return found
    mark = mark_of_predictions(stems, dataset, folder)
    if mark == "_fake_A":
        warnings.warn(
            f"{folder}: its '_fake_A' images are scored, which show the side of the targets",
            stacklevel=3,
        )
    for pair in dataset:
        marked = stems.get(pair.id + mark)
        if marked is not None and found.get(pair.id, marked) != marked:
            raise _two(folder, pair.id, found[pair.id], marked)
        if marked is not None:
            found[pair.id] = marked
    return found


def _two(folder: Path, name: str, first: Path, second: Path) -> DataError:
    return DataError(
        f"{folder}: pair {name} has two predictions, {first.name} and {second.name}; remove one"
    )


def _tell_extra(
    stems: Mapping[str, Path], found: Mapping[str, Path], dataset: PairedDataset, folder: Path
) -> None:
    used = set(found.values())
    ids = {each.removesuffix(ending) for each in found for ending in ("", *common_endings(found))}
    endings = {
        ending for path in used for ending in endings_after(composed(path.stem), ids) if ending
    }
    extra = [
        stem
        for stem, path in stems.items()
        if path not in used and not is_beside(stem, ids, endings)
    ]
    if extra:
        warnings.warn(
            f"{folder}: {len(extra)} images belong to no pair of {dataset.name}/{dataset.split} "
            f"and are not scored: {some(extra)}",
            stacklevel=3,
        )


def check_complete(
    found: Iterable[str], dataset: PairedDataset, where: object, others: Collection[str] = ()
) -> None:
    """Refuse predictions that miss a pair, naming the ids and what is there instead."""
    known = set(found)
    missing = [pair.id for pair in dataset if pair.id not in known]
    if missing:
        raise DataError(
            f"{where}: {len(missing)} of {len(dataset)} pairs have no prediction: "
            f"{some(missing)}; every pair needs <id>.png"
            + (f", and what is there is called otherwise: {some([*others], 3)}" if others else "")
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
    wide: dict[int | None, list[Path]] = {}
    for pair in dataset:
        path = predictions[pair.id]
        expected = preparation.size(*image_size(pair.target))
        header = read_header(path)
        width, height = header.size
        if (width, height) != expected:
            size = f"{expected[0]} x {expected[1]}"
            wrong.append(f"{pair.id} is {width} x {height} and not {size}")
        if header.bits == 16:
            wide.setdefault(pair.target.bits, []).append(path)
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
    _check_scale(wide.pop(None, []))
    for bits, paths in wide.items():
        _tell_scale(paths, bits or 16)
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


def _tell_scale(paths: list[Path], bits: int) -> None:
    """Warn of 16-bit predictions that seem to have a lower scale than their targets."""
    scale = find_scale(paths, bits)
    if scale is not None and scale.bits < bits:
        warnings.warn(
            f"{paths[0].parent}: 16-bit predictions whose values end at {scale.largest}, as "
            f"{scale.bits}-bit ones do, are scored on the {bits}-bit scale of their targets; if "
            f"they were written with {scale.bits} bits, write them on that scale or as 8-bit PNG",
            stacklevel=3,
        )
