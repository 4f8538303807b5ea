"""Sources without targets: what translation alone needs."""

from __future__ import annotations

import os
from pathlib import Path

from i2ibench.data.cards import Card, FoldersLayout, SplitName, SuffixLayout
from i2ibench.data.dataset import Dataset
from i2ibench.data.faults import image_faults, raise_together
from i2ibench.data.identity import name_of_own
from i2ibench.data.layouts import present_name
from i2ibench.data.listing import images_by_id
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.data.scale import scaled, scales_of, warn_of_guesses
from i2ibench.errors import DataError
from i2ibench.files import list_folder


def folder_of_sources(folder: Path, *, limit: int | None = None) -> Dataset:
    """Return a bare folder of sources as the test split of a data set of its name.

    The images lie in the folder, or in its only folder, such as ``HE/test``.

    Raises:
        DataError: no images, or they lie in several folders.
    """
    place = folder
    while not (images := images_by_id(place)):
        inner = list_folder(place).folders
        if len(inner) != 1:
            found = ", ".join(path.name for path in inner) or "nothing"
            raise DataError(
                f"{place}: holds no images, but {found}; give the folder of the sources"
            )
        place = inner[0]
    # Not resolve(): a linked folder keeps the name its user gave it.
    name = name_of_own(Path(os.path.abspath(folder)).name, None, folder)  # noqa: PTH100
    test = _alone(images, name, "test", folder, limit)
    card = Card(title="a folder of sources")
    return Dataset(name, card, folder, limit=limit, _checked={"test": test})


def sources_alone(dataset: Dataset, split: SplitName = "test") -> PairedDataset | None:
    """Return the sources of a split that has no targets at all; None where it has some, or none.

    Each pair's target is its source: nothing may read it.

    Raises:
        MissingError: the data set is not on this machine.
        DataError: sources that cannot be read.
    """
    if not dataset.card.layouts or (dataset.direction or dataset.card.direction) != "AtoB":
        return None
    names = dataset.card.split_folders(split)
    for layout in dataset.card.layouts:
        if not isinstance(layout, FoldersLayout | SuffixLayout):
            continue
        name = present_name(layout, dataset.place, names)
        if name is None:
            continue
        if isinstance(layout, FoldersLayout):
            ends = (layout.source_suffix, layout.target_suffix)
            places = (layout.source, layout.target)
        else:
            ends, places = (layout.source, layout.target), (layout.folder, layout.folder)
        found = [
            _images(dataset.place / each.replace("{split}", name), end)
            for each, end in zip(places, ends, strict=True)
        ]
        if found[0] and not found[1]:
            return _alone(found[0], dataset.name, split, dataset.place, dataset.limit)
    return None


def _alone(
    images: dict[str, Path], name: str, split: str, root: Path, limit: int | None
) -> PairedDataset:
    pairs = [ImagePair(each, ImageRef(path), ImageRef(path)) for each, path in images.items()]
    scales = scales_of(pairs, lambda: pairs, {})
    if "source" in scales:
        warn_of_guesses({"source": scales["source"]}, name)
    chosen = sorted(scaled(pairs, scales), key=lambda pair: pair.id)[:limit]
    raise_together(image_faults(chosen), f"{name}/{split}")
    return PairedDataset(name, split, tuple(chosen), root=root, layout="sources alone")


def _images(folder: Path, suffix: str) -> dict[str, Path]:
    return images_by_id(folder, suffix) if folder.is_dir() else {}
