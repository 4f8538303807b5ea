"""Pairs of images: the unit of training, translation, scoring and statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np

from i2ibench.errors import DataError
from i2ibench.notebook import Picture, Printed, thumbnail
from i2ibench.wording import count

# Of a data set that is shown in a notebook; one a group.
_MOST_PICTURES = 4

# left, top, right, bottom in pixels, right and bottom exclusive.
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image file, or a ``box`` cut out of it (side-by-side files and strips of panels).

    Attributes:
        path: the file.
        box: what is cut out of it; None for all.
        bits: of a file with 16 bits a channel, how many its values have: the scale of its set;
            None for other files, and for one that stands alone.
    """

    path: Path
    box: Box | None = None
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class ImagePair:
    """A source image and its target.

    Attributes:
        id: unique in its split and safe as a file name; joins images, predictions and scores.
        source: the image to translate (H&E).
        target: the real image of the other domain (IHC).
        group: a label such as the HER2 level, by which scores are also given.
        cluster: slide or patient; pairs of one cluster are not independent.
    """

    id: str
    source: ImageRef
    target: ImageRef
    group: str | None = None
    cluster: str | None = None

    def reversed(self) -> ImagePair:
        """Return the pair with source and target exchanged (direction B to A)."""
        return replace(self, source=self.target, target=self.source)

    def prediction(self, path: Path) -> ImageRef:
        """Return the reference of the pair's prediction in a file.

        Values of a 16-bit file have the scale of the target, 16 bits where that has 8.
        """
        return ImageRef(path, bits=self.target.bits or 16)


@dataclass(frozen=True, slots=True, repr=False)
class PairedDataset(Printed, Sequence[ImagePair]):
    """The checked pairs of one split, in the order of their ids.

    Attributes:
        name: the data set's name, as it stands on a board.
        split: ``"train"``, ``"val"`` or ``"test"``.
        pairs: sorted by id.
        direction: ``"AtoB"`` or ``"BtoA"``.
        root: the folder the pairs were found in.
        group_name: what the groups are, e.g. ``"HER2"``; None where pairs have no group.
        group_order: the groups in the order in which tables show them.
        layout: the form on disk the pairs were read from, for the reader of a log.
        hidden_clusters: whether pairs depend by clusters (slides, patients) that are not known.
        cluster_fault: why the pairs cannot be scored, where clusters are meant but not told of
            every pair: intervals would take pairs of one slide for independent ones. Else empty.
        cluster_number: of clusters in all splits, where they are hidden and that is published.
    """

    name: str
    split: str
    pairs: tuple[ImagePair, ...]
    direction: str = "AtoB"
    root: Path | None = None
    group_name: str | None = None
    group_order: tuple[str, ...] = field(default=())
    layout: str = ""
    hidden_clusters: bool = False
    cluster_number: int | None = None
    cluster_fault: str = ""

    def check_scorable(self) -> None:
        """Refuse pairs whose clusters are meant but not known.

        Raises:
            DataError: says for which pairs the cluster is missing.
        """
        if self.cluster_fault:
            raise DataError(self.cluster_fault)

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> ImagePair: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[ImagePair, ...]: ...

    def __getitem__(self, index: int | slice) -> ImagePair | tuple[ImagePair, ...]:
        return self.pairs[index]

    def __iter__(self) -> Iterator[ImagePair]:
        return iter(self.pairs)

    def _lines(self) -> Sequence[str]:
        numbers = Counter(pair.group for pair in self.pairs)
        groups = [f"{group} ({numbers[group]})" for group in self.group_order]
        clusters = {pair.cluster for pair in self.pairs} - {None}
        labels = f"{self.group_name}: {', '.join(groups)}" if groups else "no groups"
        joined = f"; {count(len(clusters), 'cluster')}" if clusters else ""
        what = f"{self.name}, {self.split}: {count(len(self), 'pair')}, {self.direction}"
        return [what, f"{labels}{joined}", f"{self.layout} in {self.root}"]

    def _pictures(self) -> Iterator[Picture]:
        from i2ibench.data.images import read_pair

        shown = [*{pair.group: pair for pair in reversed(self.pairs)}.values()][::-1]
        for pair in (shown if len(shown) > 1 else self.pairs)[:_MOST_PICTURES]:
            group = f", {self.group_name} {pair.group}" if pair.group is not None else ""
            both = np.concatenate([thumbnail(image) for image in read_pair(pair)], axis=1)
            yield Picture(f"{pair.id}{group}: source and target", both)
