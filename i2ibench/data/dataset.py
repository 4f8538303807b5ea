"""The handle of a data set: a name or a path, found once, and from there to checked pairs.

``Dataset.open`` finds the card and the folder (``resolve``), decides what the data set may be
called (``identity``), and says what is to be said of it once. ``Dataset.split`` lists the pairs of
a split in the form they have on disk (``layouts``), labels them (``labels``) and checks them.
Everything above this room takes the handle.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from i2ibench import registry
from i2ibench.data.cards import SPLIT_ALIASES, Card, Layout, SplitName, StripLayout
from i2ibench.data.group_names import check_group_names
from i2ibench.data.identity import name_of_own
from i2ibench.data.images import image_size
from i2ibench.data.labels import labelled
from i2ibench.data.layouts import OnFault, images_by_id, list_pairs, present_name, raise_fault
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.data.resolve import locate, splits_on_disk
from i2ibench.errors import DataError, MissingError, UsageError


@dataclass(frozen=True, slots=True)
class ListedSplit:
    """The pairs of one split by id, in their direction, and the form on disk they come from."""

    pairs: list[ImagePair]
    layout: Layout
    direction: str


@dataclass(frozen=True)
class Dataset:
    """A data set, found once.

    Attributes:
        name: as it stands on boards and in records.
        card: what is declared of it.
        root: the folder it lies in; None where it is not on this machine.
        direction: ``"AtoB"``, ``"BtoA"``, or two panels of a strip; None for the card's own.
        limit: where only the first pairs of each split are taken, how many.
    """

    name: str
    card: Card
    root: Path | None
    direction: str | None = None
    limit: int | None = None
    _checked: dict[str, PairedDataset] = field(
        default_factory=dict, repr=False, compare=False, kw_only=True
    )

    @classmethod
    def open(
        cls,
        name_or_path: str | Path,
        *,
        direction: str | None = None,
        data_root: str | Path | None = None,
        limit: int | None = None,
        draw: bool = True,
    ) -> Dataset:
        """Find a data set.

        Args:
            name_or_path: a catalogue name, or the path of a folder, a CSV or a TOML card.
            direction: ``"AtoB"``, ``"BtoA"``, or for strips two panels, e.g. ``"DAPItoLap2"``; by
                default as the card says.
            data_root: folder that holds the data set; default ``$I2IBENCH_DATA/<name>``, then the
                cache.
            limit: keep only the first pairs of each split in the order of ids.
            draw: whether a synthetic data set that is not there yet is drawn.

        Raises:
            UsageError: an unknown name, a bad card, or a limit below 1.
            DataError: a folder that is not recognised as paired images.
        """
        if limit is not None and limit < 1:
            raise UsageError(f"limit must be at least 1, not {limit}")
        if isinstance(name_or_path, Path):  # never a name of the catalogue
            name_or_path = os.path.abspath(name_or_path)  # noqa: PTH100
        found = locate(name_or_path, None if data_root is None else Path(data_root), draw)
        return cls(found.name, found.card, found.root, direction, limit)

    @classmethod
    def of_targets(cls, folder: str | Path, *, limit: int | None = None) -> Dataset:
        """Return a bare folder of targets, to score what other tools made without a data set.

        Its one split, ``test``, has a pair an image, whose id is the name without suffix. Scoring
        reads targets only: the source of each pair is the target itself.

        Raises:
            DataError: no such folder, no images in it, an unsafe name, or one name twice.
        """
        root = Path(folder)
        images = images_by_id(root)
        if not images:
            raise DataError(f"{root}: holds no images")
        pairs = [ImagePair(each, ImageRef(path), ImageRef(path)) for each, path in images.items()]
        pairs = sorted(pairs, key=lambda pair: pair.id)[:limit]
        # Not resolve(): a linked folder keeps the name its user gave it.
        own_name = Path(os.path.abspath(root)).name  # noqa: PTH100
        name = name_of_own(own_name, None, root)
        test = PairedDataset(name, "test", tuple(pairs), root=root)
        card = Card(title="a folder of targets")
        return cls(name, card, root, limit=limit, _checked={"test": test})

    @property
    def is_of_catalogue(self) -> bool:
        """Whether the name is one of the catalogue, so that its recipes and boards are meant."""
        return self.name in registry.datasets.names()

    @property
    def recipes(self) -> str:
        """The name of the data set whose recipes train on this one, usually its own."""
        return self.card.recipes or self.name

    @property
    def has_stain(self) -> bool:
        """Whether stain metrics can read the targets: a stain is declared, and they carry it."""
        return bool(self.card.stain) and self.direction in (None, self.card.direction)

    @property
    def place(self) -> Path:
        """The folder it lies in.

        Raises:
            MissingError: it is not on this machine; says how to get it.
        """
        if self.root is not None:
            return self.root
        steps = self.card.obtain or f"see {self.card.home or 'its authors'}"
        raise MissingError(f"data set '{self.name}' is not on this machine; {steps}")

    @property
    def splits(self) -> tuple[SplitName, ...]:
        """The splits on this machine, in the order train, val, test.

        Raises:
            MissingError: not on this machine.
        """
        on_disk = splits_on_disk(self.card, self.place)
        return tuple(each for each in SPLIT_ALIASES if each in on_disk or each in self._checked)

    def split(self, name: str = "test") -> PairedDataset:
        """Return the checked pairs of one split; they are listed and checked once.

        Args:
            name: ``"train"``, ``"val"`` or ``"test"``, or another name of them (``"valid"``).

        Raises:
            UsageError: unknown split or direction.
            MissingError: not on this machine; says how to get it.
            DataError: no pairs, a missing partner, sizes that differ, or bad ids.
        """
        split = split_name(name)
        if split not in self._checked:
            self._checked[split] = self._check(split)
        return self._checked[split]

    def split_if_there(self, name: str) -> PairedDataset | None:
        """Return the checked pairs of a split, or None where it is not on this machine."""
        return self.split(name) if split_name(name) in self.splits else None

    def list_split(self, split: SplitName, on_fault: OnFault = raise_fault) -> ListedSplit:
        """List a split's pairs with groups and clusters; sizes are not yet checked.

        Raises:
            MissingError: not on this machine.
            DataError: as ``split``, unless ``on_fault`` takes it.
        """
        root, names = self.place, self.card.split_folders(split)
        layout, reverse, direction = _directed(
            self._layout(split), self.direction or self.card.direction
        )
        pairs = list_pairs(layout, root, split, names, on_fault)
        pairs = labelled(pairs, self.card, root, split, on_fault)
        if reverse:
            pairs = [pair.reversed() for pair in pairs]
        return ListedSplit(pairs[: self.limit], layout, direction)

    def _layout(self, split: SplitName) -> Layout:
        root, names = self.place, self.card.split_folders(split)
        found = [each for each in self.card.layouts if present_name(each, root, names) is not None]
        if not found:
            present = ", ".join(self.splits) or "none"
            raise DataError(f"{root}: has no split '{split}' (found: {present})")
        if len(found) > 1:
            listed = "; ".join(str(layout) for layout in found)
            raise DataError(f"{root}: holds {self.name} in several forms ({listed}); keep one")
        return found[0]

    def _check(self, split: SplitName) -> PairedDataset:
        found = self.list_split(split)
        if not found.pairs:
            raise DataError(f"{self.root}: split '{split}' holds no pairs ({found.layout})")
        _check_sizes(found.pairs)
        _check_twins(found.pairs, split)
        groups = {pair.group for pair in found.pairs if pair.group is not None}
        check_group_names(sorted(groups), self.root)
        declared = self.card.groups
        order = declared.order if declared is not None else ()
        clusters = self.card.clusters
        # A clusters.csv of the user's own tells what the card calls unknown.
        hidden = (
            clusters is not None
            and clusters.unknown
            and all(pair.cluster is None for pair in found.pairs)
        )
        return PairedDataset(
            name=self.name,
            split=split,
            pairs=tuple(found.pairs),
            direction=found.direction,
            root=self.root,
            group_name=(declared.name if declared else "group") if groups else None,
            group_order=tuple(
                [group for group in order if group in groups] + sorted(groups - set(order))
            ),
            layout=str(found.layout),
            hidden_clusters=hidden,
            cluster_number=clusters.number if clusters is not None and hidden else None,
        )


def open_dataset(name_or_path: str | Path, split: str = "test", **where: Any) -> PairedDataset:
    """Return the checked pairs of one split: ``Dataset.open(name_or_path, ...).split(split)``.

    Takes the keywords of ``Dataset.open``, and raises what it and ``Dataset.split`` raise.
    """
    return Dataset.open(name_or_path, **where).split(split)


def split_name(name: str) -> SplitName:
    """Return the split that ``name`` means, also ``"valid"`` or ``"testing"``.

    Raises:
        UsageError: unknown.
    """
    for split, aliases in SPLIT_ALIASES.items():
        if name in aliases:
            return split
    raise UsageError(registry.unknown_name("split", name, list(SPLIT_ALIASES)))


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


def _check_twins(pairs: Sequence[ImagePair], split: str) -> None:
    known: dict[str, ImagePair] = {}
    for pair in pairs:
        twin = known.setdefault(pair.id.casefold(), pair)
        if twin is not pair:
            raise DataError(
                f"{pair.source.path}: '{pair.id}' and '{twin.id}' in {split} are one name where "
                "upper and lower case are not told apart; rename one"
            )


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
