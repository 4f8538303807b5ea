"""Folders on disk to image pairs, for each form in which paired data sets are distributed."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path

from i2ibench.data.cards import (
    SPLIT_ALIASES,
    FoldersLayout,
    Layout,
    StripLayout,
    SuffixLayout,
    TableLayout,
)
from i2ibench.data.images import image_size
from i2ibench.data.listing import (
    LeftOut,
    OnFault,
    has_images,
    images_by_id,
    list_images,
    pass_over,
    raise_fault,
    tell_left_out,
)
from i2ibench.data.pair_tables import check_table_splits, pairs_of_table, table_splits
from i2ibench.data.pairs import ImagePair, ImageRef
from i2ibench.errors import DataError
from i2ibench.files import list_folder, printable
from i2ibench.wording import count, some

# At most this many ids stand in a message.
_SHOWN = 3


def list_pairs(
    layout: Layout,
    root: Path,
    split: str,
    names: Sequence[str],
    on_fault: OnFault = raise_fault,
    *,
    known: Collection[str],
) -> list[ImagePair]:
    """Return the pairs of one split, sorted by id; what is left out is told.

    Args:
        layout: the form on disk.
        root: the data set's folder.
        split: the split's name, as rows of a table have it.
        names: folder names the split may have.
        on_fault: called with each fault; the file it names is then left out.
        known: the names of all splits.

    Raises:
        DataError: an id lacks a partner, stands twice or is unsafe as a file name; a strip's width
            is not a multiple of its panels; a table lacks a column or names a missing file.
    """
    if isinstance(layout, TableLayout):
        return pairs_of_table(root / layout.file, names, known, on_fault)
    name = present_name(layout, root, names)
    if name is None:
        raise DataError(f"{root}: no folder of split '{split}' for {layout}")
    aliases = {*names, *next((each for each in SPLIT_ALIASES.values() if split in each), ())}
    for folder in _folders(layout):
        tell_left_out(_below(root, folder, name), on_fault)
        _tell_other_splits(root, folder, name, aliases, known, on_fault)
    if isinstance(layout, StripLayout):
        return _from_strips(layout, _below(root, layout.folder, name), on_fault)
    if isinstance(layout, SuffixLayout):
        return _from_suffixes(layout, _below(root, layout.folder, name), on_fault)
    source, target = _below(root, layout.source, name), _below(root, layout.target, name)
    return _join(
        images_by_id(source, layout.source_suffix, on_fault),
        images_by_id(target, layout.target_suffix, on_fault),
        source,
        target,
        on_fault,
    )


def present_name(layout: Layout, root: Path, names: Sequence[str]) -> str | None:
    """Return the first of ``names`` under which ``layout`` has a folder (or rows), else None.

    Folders may also be spelt ``Train`` or ``TRAIN``; the name is returned as it is on disk.
    """
    if isinstance(layout, TableLayout):
        splits = table_splits(root / layout.file)
        return next((name for name in names if name.casefold() in splits), None)
    folders = _folders(layout)
    if not any("{split}" in folder for folder in folders):
        # Without a folder a split there is one set, to be scored.
        names = [name for name in names if name == "test"]
    for name in names:
        for spelling in (name, name.capitalize(), name.upper()):
            if any(_below(root, folder, spelling).is_dir() for folder in folders):
                return spelling
    return None


def check_layout_splits(layout: Layout, root: Path, known: Collection[str]) -> None:
    """Refuse a table whose rows are all of unknown splits, saying which.

    Raises:
        DataError: rows of a split that is none of ``known``.
    """
    if isinstance(layout, TableLayout):
        check_table_splits(root / layout.file, known)


def size_of_first(layout: Layout, root: Path, names: Sequence[str]) -> tuple[int, int] | None:
    """Return width and height of the first file of a split side by side, where one can be read."""
    name = present_name(layout, root, names)
    if name is None or not isinstance(layout, StripLayout):
        return None
    for path in list_images(_below(root, layout.folder, name), pass_over):
        with contextlib.suppress(DataError):
            return image_size(ImageRef(path))
    return None


def panel_boxes(path: Path, panels: int) -> list[tuple[int, int, int, int]]:
    """Return the boxes of ``panels`` panels of equal width."""
    width, height = image_size(ImageRef(path))
    if width % panels:
        raise DataError(
            f"{path}: its width of {width} px does not divide into {panels} panels of equal width"
        )
    step = width // panels
    return [(index * step, 0, (index + 1) * step, height) for index in range(panels)]


def _from_strips(layout: StripLayout, folder: Path, on_fault: OnFault) -> list[ImagePair]:
    source, target = layout.indices
    pairs = []
    for identifier, path in sorted(images_by_id(folder, on_fault=on_fault).items()):
        try:
            boxes = panel_boxes(path, len(layout.panels))
        except DataError as fault:
            on_fault(fault)
            continue
        pairs.append(
            ImagePair(identifier, ImageRef(path, boxes[source]), ImageRef(path, boxes[target]))
        )
    return pairs


def _from_suffixes(layout: SuffixLayout, folder: Path, on_fault: OnFault) -> list[ImagePair]:
    sources = images_by_id(folder, layout.source, on_fault)
    targets = images_by_id(folder, layout.target, on_fault)
    return _join(
        sources, targets, folder / f"*{layout.source}", folder / f"*{layout.target}", on_fault
    )


def _join(
    sources: dict[str, Path],
    targets: dict[str, Path],
    source_of: Path,
    target_of: Path,
    on_fault: OnFault,
) -> list[ImagePair]:
    for found, others, missing_in in (
        (sources, targets, target_of),
        (targets, sources, source_of),
    ):
        alone = sorted(found.keys() - others.keys())
        for identifier in alone:
            of_several = (
                f" ({some(alone, _SHOWN)} of {len(found)} without one)" if alone[1:] else ""
            )
            on_fault(
                DataError(
                    f"{found[identifier]}: no partner in {missing_in}{of_several}; add it or "
                    "remove the file"
                )
            )
    return [
        ImagePair(identifier, ImageRef(sources[identifier]), ImageRef(targets[identifier]))
        for identifier in sorted(sources.keys() & targets.keys())
    ]


def _below(root: Path, folder: str, split: str) -> Path:
    # Not str.format: a folder's name may hold other braces.
    return root / folder.replace("{split}", split)


def _folders(layout: FoldersLayout | StripLayout | SuffixLayout) -> tuple[str, ...]:
    if isinstance(layout, FoldersLayout):
        return layout.source, layout.target
    return (layout.folder,)


def _tell_other_splits(
    root: Path,
    folder: str,
    here: str,
    names: Collection[str],
    known: Collection[str],
    on_fault: OnFault,
) -> None:
    """Tell of images where a split would lie, in a folder of another name than the splits have.

    Args:
        here: how the split's folder is called.
        names: other names of this split, whose folders are then left out too.
    """
    if "{split}" not in folder:
        return
    parent, _, rest = folder.partition("{split}")
    parent, _, first = parent.rpartition("/")
    last, _, inner = rest.partition("/")
    others = {name.casefold() for name in known} - {name.casefold() for name in names}
    for place in list_folder(root / parent, missing_ok=True).folders:
        name = place.name.removeprefix(first).removesuffix(last)
        fits = len(name) == len(place.name) - len(first) - len(last) > 0
        if fits and name != here and name.casefold() not in others and has_images(place / inner):
            number = len(list_images(place / inner, pass_over))
            on_fault(
                LeftOut(
                    f"{printable(place / inner)}: {count(number, 'image')} left out, because its "
                    f"split is not train, val or test, or lies in {here} too"
                )
            )
