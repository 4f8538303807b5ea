"""What pairs are called by: their group (HER2 level) and their cluster (slide, patient)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from i2ibench.data.cards import Card
from i2ibench.data.layouts import OnFault, read_table
from i2ibench.data.pairs import ImagePair
from i2ibench.data.patterns import found_group
from i2ibench.errors import DataError


def labelled(
    pairs: Sequence[ImagePair], card: Card, root: Path, split: str, on_fault: OnFault
) -> list[ImagePair]:
    """Add groups and clusters from the ids, and clusters from ``clusters.csv`` in the root.

    Raises:
        DataError: a name tells no group, or the table cannot be read; unless ``on_fault`` takes it.
    """
    listed = _listed_clusters(root / "clusters.csv", split)
    found = []
    for pair in pairs:
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
        cluster = listed.get(pair.id, cluster)
        found.append(replace(pair, group=group, cluster=cluster))
    return found


def _listed_clusters(file: Path, split: str) -> dict[str, str]:
    if not file.is_file():
        return {}
    return {
        row["id"]: row["cluster"]
        for row in read_table(file, required=("id", "cluster"))
        if row.get("split") in {None, "", split}
    }
