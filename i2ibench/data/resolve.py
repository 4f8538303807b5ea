"""Which data set a name or a path means: its card, and the folder it lies in."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from i2ibench import registry
from i2ibench.data.cards import (
    SPLIT_ALIASES,
    Card,
    SplitName,
    TableLayout,
    parse_card,
    read_card_file,
)
from i2ibench.data.folders import dataset_folders
from i2ibench.data.identity import name_of_own
from i2ibench.data.layouts import present_name
from i2ibench.data.listing import name_not_utf8
from i2ibench.data.recognise import recognise
from i2ibench.errors import DataError, UsageError
from i2ibench.files import is_utf8


@dataclass(frozen=True, slots=True)
class Located:
    """A data set found: its name, its card, and the folder it lies in (None where absent)."""

    name: str
    card: Card
    root: Path | None


def locate(name_or_path: str, data_root: Path | None = None, draw: bool = True) -> Located:
    """Find the card and the folder of a data set; a synthetic one is drawn unless not ``draw``."""
    # Not Path.expanduser(): it raises for a user it does not know.
    path = Path(os.path.expanduser(name_or_path))  # noqa: PTH111
    if not _is_path(name_or_path):
        try:
            found = _located(name_or_path, catalogue_card(name_or_path), data_root, draw)
        except UsageError:
            if name_or_path in registry.datasets.names() or not path.exists():
                raise
        else:
            return _of_catalogue(found)
    if not path.exists():
        raise UsageError(f"{name_or_path}: no such folder, CSV or card")
    # Not resolve(): a linked folder keeps the name its user gave it.
    path = Path(os.path.abspath(path))  # noqa: PTH100
    if not is_utf8(path.name):
        raise name_not_utf8(path)
    if path.is_dir():
        card = recognise(path)
        return Located(name_of_own(path.name or "data", path, path), card, path)
    if path.suffix.lower() == ".csv":
        card = Card(title=f"{path.stem}: table", layouts=(TableLayout(file=path.name),))
        return Located(name_of_own(path.stem, None, path), card, path.parent)
    if path.suffix.lower() == ".toml":
        card = parse_card(path.stem, read_card_file(path))
        found = _located(path.stem, card, data_root, draw, beside=path.parent)
        return replace(found, name=name_of_own(path.stem, found.root, path))
    raise UsageError(f"{name_or_path}: a data set is a folder, a CSV or a TOML card")


def _of_catalogue(found: Located) -> Located:
    """Return what was found under a name of the catalogue, called so if it is what its card says.

    What is drawn comes from the card's own options, and is it by construction.
    """
    if found.root is None or found.card.synthetic is not None:
        return found
    return replace(found, name=name_of_own(found.name, found.root, found.root, asked_for=True))


def catalogue_card(name: str) -> Card:
    """Return the card of a catalogue name.

    Raises:
        UsageError: unknown name, or a bad card.
    """
    return parse_card(name, registry.datasets.get(name))


def splits_on_disk(card: Card, root: Path) -> tuple[SplitName, ...]:
    """Return the splits of ``card`` that lie in ``root``, in the order train, val, test."""
    return tuple(
        split
        for split in SPLIT_ALIASES
        if any(present_name(layout, root, card.split_folders(split)) for layout in card.layouts)
    )


def _located(
    name: str, card: Card, data_root: Path | None, draw: bool, beside: Path | None = None
) -> Located:
    names = card.folders or (name,)
    if data_root is not None:
        places = [*(data_root / each for each in names), data_root]
    else:
        places = [folder / each for folder in dataset_folders() for each in names]
        if beside is not None:
            places = [*(beside / each for each in names), beside, *places]
    # What is drawn is taken from a folder only if that folder was named.
    if card.synthetic is None or data_root is not None:
        for place in places:
            if place.is_dir() and splits_on_disk(card, place):
                return Located(name, card, place)
    if card.synthetic is not None:
        from i2ibench.data.synthetic.drawing import SyntheticOptions
        from i2ibench.data.synthetic.generate import ensure_generated, generated_folder

        options = SyntheticOptions.parse(card.synthetic)
        if draw:
            return Located(name, card, ensure_generated(options))
        folder = generated_folder(options)
        return Located(name, card, folder if folder.is_dir() else None)
    if data_root is not None and data_root.is_dir():
        expected = "; or ".join(str(layout) for layout in card.layouts)
        raise DataError(f"{data_root}: does not hold {name} as its card expects it: {expected}")
    return Located(name, card, None)


def _is_path(text: str) -> bool:
    return (
        "/" in text
        or "\\" in text
        or text.startswith((".", "~"))
        or Path(text).suffix.lower() in {".toml", ".csv"}
    )
