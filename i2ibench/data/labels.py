"""What pairs are called by: their group (HER2 level) and their cluster (slide, patient)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from i2ibench.data.cards import Card, SplitName
from i2ibench.data.clusters import join_clusters, read_clusters
from i2ibench.data.listing import LeftOut, OnFault
from i2ibench.data.pairs import ImagePair
from i2ibench.data.patterns import found_group
from i2ibench.errors import DataError
from i2ibench.wording import some

# At most this many ids stand in a message.
_SHOWN = 3


def labelled(
    pairs: Sequence[ImagePair],
    card: Card,
    root: Path,
    split: SplitName,
    ids_elsewhere: Callable[[], Collection[str]],
    on_fault: OnFault,
) -> tuple[list[ImagePair], str]:
    """Add groups and clusters from the ids, and clusters from ``clusters.csv`` in the root.

    Args:
        ids_elsewhere: called for the ids of other splits, where the table has rows over.

    Returns:
        The pairs, and why they cannot be scored: clusters are meant, but not told of every pair.
        Otherwise empty.

    Raises:
        DataError: a name tells no group, or the table cannot be read; unless ``on_fault`` takes it.
    """
    found = [_from_id(pair, card, on_fault) for pair in pairs]
    fault = ""
    try:
        names = card.split_folders(split)
        table = read_clusters(root, names, card.split_names, on_fault)
    except DataError as unreadable:
        on_fault(unreadable)
        return found, str(unreadable)
    if table is not None:
        ids = {pair.id for pair in found}
        listed, fault = join_clusters(table, ids, split, ids_elsewhere, on_fault)
        found = [replace(pair, cluster=listed.get(pair.id, pair.cluster)) for pair in found]
    without = [pair.id for pair in found if pair.cluster is None]
    if not without:
        return found, ""
    meant = card.clusters is not None and bool(card.clusters.pattern)
    if not fault and (meant or len(without) < len(found)):
        clusters = card.clusters.name if card.clusters is not None else "cluster"
        fault = (
            f"{root}: {len(without)} of {len(found)} pairs of split {split} have no {clusters}: "
            f"{some(without, _SHOWN)}; intervals need the {clusters} of every pair"
        )
        on_fault(LeftOut(fault, "clusters"))
    return found, fault


def _from_id(pair: ImagePair, card: Card, on_fault: OnFault) -> ImagePair:
    group, cluster = pair.group, pair.cluster
    if card.groups is not None and card.groups.pattern:
        group = found_group(card.groups.pattern, "group", pair.id)
        if group is None:
            on_fault(
                DataError(
                    f"{pair.source.path}: its name tells no {card.groups.name} "
                    f"(expected {card.groups.pattern})"
                )
            )
    if card.clusters is not None and card.clusters.pattern:
        cluster = found_group(card.clusters.pattern, "cluster", pair.id)
    return replace(pair, group=group, cluster=cluster)
