"""Whether a folder that is called, or asked for, like a catalogue data set is that data set."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

from i2ibench import registry
from i2ibench.data.cards import SPLIT_ALIASES, Card, Layout, SplitName, parse_card
from i2ibench.data.images import image_size
from i2ibench.data.layouts import list_pairs, present_name
from i2ibench.data.listing import pass_over
from i2ibench.data.pairs import ImagePair
from i2ibench.data.patterns import found_group
from i2ibench.errors import DataError

# Before the name of data that are called like a registered set, or are a part of it.
OWN = "own-"


def name_of_own(name: str, root: Path | None, path: Path, *, asked_for: bool = False) -> str:
    """Return what the data that lie in a folder are called on boards and in records.

    That is the folder's own name, unless the catalogue has a data set of that name (upper and
    lower case alike: many file systems keep them apart no more). Then it is called so only if it
    holds what the card states; else its results would stand on the board of data they do not come
    from, and it would be trained by that data set's recipe. A warning says what it is called
    instead.

    Args:
        name: the folder's or file's name.
        root: the folder that holds the data; None where it is absent or listed in a table.
        path: as it was given, for the warning.
        asked_for: whether the catalogue's name was given, and this is where it was found.
    """
    known = registry.datasets.names()
    twin = next((each for each in known if each.casefold() == name.casefold()), None)
    if twin is None:
        return name
    difference = _difference(parse_card(twin, registry.datasets.get(twin)), root)
    if difference is None:
        return twin
    own = f"{OWN}{name}"
    while own in known:
        own = f"{OWN}{own}"
    # Told where it is found, so that one process says it once however often it opens the data.
    if asked_for:
        what = f"does not hold what the catalogue states of {twin} ({difference})"
        mend = f"complete it, as i2ibench datasets {twin} says"
    else:
        what = f"is called like the catalogue's {twin} but is not it ({difference})"
        mend = "rename it to choose another name"
    warnings.warn(
        f"{path}: {what}; it stands as {own} in records and on a board of its own, and takes no "
        f"recipe of {twin}; {mend}",
        stacklevel=1,
    )
    return own


def _difference(card: Card, root: Path | None) -> str | None:
    """Return the first thing in which ``root`` differs from a card, or None."""
    if card.synthetic is not None:
        return "which is drawn, not read from a folder"
    if root is None:
        return "its form is another"
    present: list[tuple[SplitName, Layout]] = [
        (split, layout)
        for split in SPLIT_ALIASES
        for layout in card.layouts
        if present_name(layout, root, card.split_folders(split)) is not None
    ]
    if not present:
        return "its form is another"
    for split, layout in present:
        names = card.split_folders(split)
        pairs = list_pairs(layout, root, split, names, pass_over, known=card.split_names)
        difference = _split_difference(card, split, pairs)
        if difference is not None:
            return difference
    return None


def _split_difference(card: Card, split: SplitName, pairs: list[ImagePair]) -> str | None:
    stated = card.splits.get(split)
    if stated is not None and stated.certain and stated.pairs not in (None, len(pairs)):
        return f"{len(pairs)} pairs in {split}, not {stated.pairs}"
    if stated is not None and stated.certain and stated.groups and card.groups is not None:
        pattern = card.groups.pattern
        found = Counter(found_group(pattern, "group", pair.id) for pair in pairs)
        for group, expected in stated.groups.items():
            if found[group] != expected:
                level = f"{card.groups.name} {group}"
                return f"{found[group]} pairs of {level} in {split}, not {expected}"
    if card.size is None or not pairs:
        return None
    try:
        width, height = image_size(pairs[0].target)
    except DataError:  # told by whoever opens the pairs
        return None
    if (width, height) != card.size:
        return f"images of {width} x {height}, not {card.size[0]} x {card.size[1]}"
    return None
