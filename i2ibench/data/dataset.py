"""A name or a path to checked pairs: the one door through which data enters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from i2ibench import registry
from i2ibench.data.cards import (
    SPLIT_ALIASES,
    Card,
    Layout,
    SplitName,
    StripLayout,
)
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.images import image_size
from i2ibench.data.layouts import OnFault, list_pairs, present_name, raise_fault, read_table
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.resolve import DatasetEntry, present_root, resolve_dataset, splits_on_disk
from i2ibench.errors import DataError, UsageError

__all__ = [
    "ListedSplit",
    "available_splits",
    "list_split",
    "manifest_sha256",
    "open_dataset",
]


@dataclass(frozen=True, slots=True)
class ListedSplit:
    """The pairs of one split by id, in their direction, and the form on disk they come from."""

    pairs: list[ImagePair]
    layout: Layout
    direction: str


def open_dataset(
    name_or_path: str,
    split: str = "test",
    *,
    direction: str | None = None,
    data_root: Path | None = None,
    limit: int | None = None,
) -> PairedDataset:
    """Open one split of a data set and check its pairs.

    Args:
        name_or_path: a catalogue name, or the path of a folder, a CSV or a TOML card.
        split: ``"train"``, ``"val"`` or ``"test"``, or another name of them (``"valid"``).
        direction: ``"AtoB"``, ``"BtoA"``, or for strips two panels, e.g. ``"DAPItoLap2"``; by
            default as the card says.
        data_root: folder that holds the data set; default ``$I2IBENCH_DATA/<name>``, then the
            cache.
        limit: keep only the first pairs in the order of ids.

    Raises:
        UsageError: unknown name, split or direction.
        MissingError: a catalogue data set that is not on this machine; says how to get it.
        DataError: no pairs, a missing partner, sizes that differ, or bad ids.
    """
    split_name = _split_name(split)
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}")
    entry = resolve_dataset(name_or_path, data_root)
    found = list_split(entry, split_name, direction)
    if not found.pairs:
        raise DataError(f"{entry.root}: split '{split_name}' holds no pairs ({found.layout})")
    pairs = found.pairs[:limit]
    _check_sizes(pairs)
    groups = {pair.group for pair in pairs if pair.group is not None}
    declared = entry.card.groups
    order = declared.order if declared is not None else ()
    return PairedDataset(
        name=entry.name,
        split=split_name,
        pairs=tuple(pairs),
        direction=found.direction,
        root=entry.root,
        group_name=(declared.name if declared else "group") if groups else None,
        group_order=tuple(
            [group for group in order if group in groups] + sorted(groups - set(order))
        ),
        layout=str(found.layout),
    )


def available_splits(name_or_path: str, *, data_root: Path | None = None) -> tuple[str, ...]:
    """Return the splits of a data set that are on this machine, in the order train, val, test.

    Raises:
        UsageError: unknown name.
        MissingError: not on this machine.
    """
    entry = resolve_dataset(name_or_path, data_root)
    root = present_root(entry)
    return splits_on_disk(entry.card, root)


def list_split(
    entry: DatasetEntry,
    split: SplitName,
    direction: str | None = None,
    on_fault: OnFault = raise_fault,
) -> ListedSplit:
    """List a split's pairs with groups and clusters; sizes are not yet checked.

    Raises:
        MissingError: not on this machine.
        DataError: as ``open_dataset``, unless ``on_fault`` takes it.
    """
    root = present_root(entry)
    layout = _layout(entry, root, split)
    layout, reverse, direction = _directed(layout, direction or entry.card.direction)
    pairs = list_pairs(layout, root, split, entry.card.split_folders(split), on_fault)
    pairs = _labelled(pairs, entry.card, root, split, on_fault)
    if reverse:
        pairs = [pair.reversed() for pair in pairs]
    return ListedSplit(pairs, layout, direction)


def _layout(entry: DatasetEntry, root: Path, split: SplitName) -> Layout:
    names = entry.card.split_folders(split)
    found = [each for each in entry.card.layouts if present_name(each, root, names) is not None]
    if not found:
        present = ", ".join(splits_on_disk(entry.card, root)) or "none"
        raise DataError(f"{root}: has no split '{split}' (found: {present})")
    if len(found) > 1:
        listed = "; ".join(str(layout) for layout in found)
        raise DataError(f"{root}: holds {entry.name} in several forms ({listed}); keep one")
    return found[0]


def _directed(layout: Layout, direction: str) -> tuple[Layout, bool, str]:
    """Return the layout, whether its pairs are to be reversed, and the direction's name."""
    if isinstance(layout, StripLayout):
        for source in layout.panels:
            for target in layout.panels:
                if source != target and direction == f"{source}to{target}":
                    chosen = layout.model_copy(update={"source": source, "target": target})
                    return chosen, False, direction
        if len(layout.panels) > 2 and not layout.source and direction in {"AtoB", "BtoA"}:
            first, second = layout.panels[:2]
            raise DataError(
                f"files of {len(layout.panels)} panels ({', '.join(layout.panels)}): say which is "
                f"translated to which, e.g. --direction {first}to{second}"
            )
    if direction not in {"AtoB", "BtoA"}:
        panels = (
            f", or two of {', '.join(layout.panels)}" if isinstance(layout, StripLayout) else ""
        )
        raise UsageError(f"unknown direction '{direction}'; known: AtoB, BtoA{panels}")
    return layout, direction == "BtoA", direction


def _labelled(
    pairs: Sequence[ImagePair], card: Card, root: Path, split: str, on_fault: OnFault
) -> list[ImagePair]:
    """Add groups and clusters from the ids, and clusters from ``clusters.csv`` in the root."""
    listed = _listed_clusters(root / "clusters.csv", split)
    labelled = []
    for pair in pairs:
        group, cluster = pair.group, pair.cluster
        if card.groups is not None and card.groups.pattern:
            group = _label(card.groups.pattern, "group", pair)
            if group is None:
                on_fault(
                    DataError(
                        f"{pair.source.path}: its name tells no {card.groups.name} "
                        f"(expected {card.groups.pattern})"
                    )
                )
        if card.clusters is not None and card.clusters.pattern:
            cluster = _label(card.clusters.pattern, "cluster", pair)
        cluster = listed.get(pair.id, cluster)
        labelled.append(replace(pair, group=group, cluster=cluster))
    return labelled


def _label(pattern: str, name: str, pair: ImagePair) -> str | None:
    match = re.search(pattern, pair.id)
    return match[name] if match else None


def _listed_clusters(file: Path, split: str) -> dict[str, str]:
    if not file.is_file():
        return {}
    return {
        row["id"]: row["cluster"]
        for row in read_table(file, required=("id", "cluster"))
        if row.get("split") in {None, "", split}
    }


def _check_sizes(pairs: Sequence[ImagePair]) -> None:
    for pair in pairs:
        if pair.source.path == pair.target.path:
            continue  # panels of one file are equal by construction
        source, target = image_size(pair.source), image_size(pair.target)
        if source != target:
            raise DataError(
                f"{pair.target.path}: is {target[0]}x{target[1]} px but its source "
                f"{pair.source.path} is {source[0]}x{source[1]}; make them equal"
            )


def _split_name(split: str) -> SplitName:
    for name, aliases in SPLIT_ALIASES.items():
        if split in aliases:
            return name
    raise UsageError(registry.unknown_name("split", split, list(SPLIT_ALIASES)))
