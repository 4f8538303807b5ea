"""The handle of a data set: a name or a path, found once, and from there to checked pairs.

``Dataset.open`` finds the card and the folder (``resolve``), decides what the data set may be
called (``identity``), and says what is to be said of it once. ``Dataset.split`` lists the pairs of
a split in the form they have on disk (``layouts``), labels them (``labels``) and checks them.
Everything above this room takes the handle.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from i2ibench import registry
from i2ibench.data.bare_targets import CARD, list_targets
from i2ibench.data.cards import SPLIT_ALIASES, Card, Layout, SplitName
from i2ibench.data.directions import directed, reading, several_readings
from i2ibench.data.faults import OnImageFault, image_faults, raise_together
from i2ibench.data.group_names import check_group_names
from i2ibench.data.labels import labelled
from i2ibench.data.layouts import check_layout_splits, list_pairs, present_name, size_of_first
from i2ibench.data.listing import OnFault, pass_over, raise_fault
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.resolve import locate, splits_on_disk
from i2ibench.data.scale import Scale, Side, scaled, scales_of, warn_of_guesses
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.notebook import Printed
from i2ibench.wording import count


@dataclass(frozen=True, slots=True)
class ListedSplit:
    """The pairs of one split by id, in their direction, and the form on disk they come from.

    ``cluster_fault`` says why they cannot be scored, see ``PairedDataset``.
    """

    pairs: list[ImagePair]
    layout: Layout
    direction: str
    cluster_fault: str = ""


@dataclass(frozen=True, repr=False)
class Dataset(Printed):
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
        reads targets only: the source of each pair is the target itself. See ``list_targets``.

        Raises:
            DataError: no such folder, no images in it, an unsafe name, or one name twice.
        """
        root = Path(folder)
        test = list_targets(root, limit)
        return cls(test.name, CARD, root, limit=limit, _checked={"test": test})

    def _lines(self) -> Sequence[str]:
        if self.root is None:
            where = f"not on this machine; {self.card.obtain or 'see its card'}"
        else:
            where = f"splits {', '.join(self.splits) or 'none'} in {self.root}"
        ways = f"{self.card.source or 'source'} to {self.card.target or 'target'}"
        limited = f", the first {count(self.limit, 'pair')}" if self.limit else ""
        direction = f"{ways}, {self.direction or self.card.direction}{limited}"
        return [f"{self.name}: {self.card.title}", direction, where]

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

    def split(self, name: str = "test", on_fault: OnImageFault | None = None) -> PairedDataset:
        """Return the checked pairs of one split; they are listed and checked once.

        Args:
            name: ``"train"``, ``"val"`` or ``"test"``, or another name of them (``"valid"``).
            on_fault: called with each fault of an image; by default all are raised as one.

        Raises:
            UsageError: unknown split or direction.
            MissingError: not on this machine; says how to get it.
            DataError: no pairs, a missing partner, sizes that differ, bad ids, or images that
                cannot be read, as far as their headers tell.
        """
        split = split_name(name)
        if split in self._checked:
            return self._checked[split]
        faults: list[DataError] = []
        found = self._check(split, faults.append)
        if on_fault is None:
            raise_together(faults, f"{self.name}/{split}")
        elif faults:
            for fault in faults:
                on_fault(fault)
            return found
        self._checked[split] = found
        return found

    def split_if_there(
        self, name: str, on_fault: OnImageFault | None = None
    ) -> PairedDataset | None:
        """Return the checked pairs of a split, or None where it is not on this machine."""
        return self.split(name, on_fault) if split_name(name) in self.splits else None

    def list_split(self, split: SplitName, on_fault: OnFault = raise_fault) -> ListedSplit:
        """List a split's pairs with groups and clusters; sizes are not yet checked.

        Raises:
            MissingError: not on this machine.
            DataError: as ``split``, unless ``on_fault`` takes it.
        """
        root, names = self.place, self.card.split_folders(split)
        layout, reverse, direction = directed(
            self._layout(split), self.direction or self.card.direction
        )
        pairs = list_pairs(layout, root, split, names, on_fault, known=self.card.split_names)
        pairs, fault = labelled(
            pairs, self.card, root, split, lambda: self._ids_but(split), on_fault
        )
        if reverse:
            pairs = [pair.reversed() for pair in pairs]
        return ListedSplit(pairs[: self.limit], layout, direction, fault)

    def _ids_but(self, split: SplitName) -> set[str]:
        """Return the ids of all other splits, to which rows of a table may belong."""
        found: set[str] = set()
        known = self.card.split_names
        for other in self.splits:
            if other != split:
                names = self.card.split_folders(other)
                layout = self._layout(other)
                listed = list_pairs(layout, self.place, other, names, pass_over, known=known)
                found.update(pair.id for pair in listed)
        return found

    def scales(self, pairs: Sequence[ImagePair]) -> dict[Side, Scale]:
        """Return the scale of each side of ``pairs``, in their direction, that has 16-bit files."""
        known: dict[Side, int | None] = {}
        if self.card.bits is not None:
            known = {"source": self.card.bits.source, "target": self.card.bits.target}
            if (self.direction or self.card.direction) == "BtoA":
                known = {"source": known["target"], "target": known["source"]}
        whole = replace(self, limit=None)

        def all_pairs() -> Iterator[ImagePair]:
            for split in self.splits:
                # What is wrong with another split is told where that is used.
                with contextlib.suppress(DataError):
                    yield from whole.list_split(split, on_fault=pass_over).pairs

        return scales_of(pairs, all_pairs, known)

    def _layout(self, split: SplitName) -> Layout:
        root, names = self.place, self.card.split_folders(split)
        found = [each for each in self.card.layouts if present_name(each, root, names) is not None]
        if not found:
            for layout in self.card.layouts:
                check_layout_splits(layout, root, self.card.split_names)
            present = ", ".join(self.splits) or "none"
            raise DataError(f"{root}: has no split '{split}' (found: {present})")
        chosen = reading(found, self.direction)
        if chosen is not None:
            return chosen
        if len(found) > 1:
            readings = several_readings(found, size_of_first(found[0], root, names))
            if readings:
                raise DataError(f"{root}: {readings}")
            listed = "; ".join(str(layout) for layout in found)
            raise DataError(f"{root}: holds {self.name} in several forms ({listed}); keep one")
        return found[0]

    def _check(self, split: SplitName, on_fault: OnImageFault) -> PairedDataset:
        found = self.list_split(split)
        if not found.pairs:
            raise DataError(f"{self.root}: split '{split}' holds no pairs ({found.layout})")
        _check_twins(found.pairs, split)
        for fault in image_faults(found.pairs):
            on_fault(fault)
        scales = self.scales(found.pairs)
        warn_of_guesses(scales, self.name)
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
            pairs=tuple(scaled(found.pairs, scales)),
            direction=found.direction,
            root=self.root,
            group_name=(declared.name if declared else "group") if groups else None,
            group_order=tuple(
                [group for group in order if group in groups] + sorted(groups - set(order))
            ),
            layout=str(found.layout),
            hidden_clusters=hidden,
            cluster_number=clusters.number if clusters is not None and hidden else None,
            cluster_fault=found.cluster_fault,
        )


def open_dataset(
    name_or_path: str | Path,
    split: str = "test",
    *,
    direction: str | None = None,
    data_root: str | Path | None = None,
    limit: int | None = None,
    draw: bool = True,
) -> PairedDataset:
    """Return the checked pairs of one split: ``Dataset.open(name_or_path, ...).split(split)``.

    >>> pairs = i2ibench.open_dataset("my-data", "train")
    >>> len(pairs), pairs[0].id
    (8, '00000_train_0')

    Takes the keywords of ``Dataset.open``, and raises what it and ``Dataset.split`` raise.
    """
    opened = Dataset.open(
        name_or_path, direction=direction, data_root=data_root, limit=limit, draw=draw
    )
    return opened.split(split)


def split_name(name: str) -> SplitName:
    """Return the split that ``name`` means, also ``"valid"`` or ``"testing"``.

    Raises:
        UsageError: unknown.
    """
    for split, aliases in SPLIT_ALIASES.items():
        if name in aliases:
            return split
    raise UsageError(registry.unknown_name("split", name, list(SPLIT_ALIASES)))


def _check_twins(pairs: Sequence[ImagePair], split: str) -> None:
    known: dict[str, ImagePair] = {}
    for pair in pairs:
        twin = known.setdefault(pair.id.casefold(), pair)
        if twin is not pair:
            raise DataError(
                f"{pair.source.path}: '{pair.id}' and '{twin.id}' in {split} are one name where "
                "upper and lower case are not told apart; rename one"
            )
