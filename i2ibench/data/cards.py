"""What a data set is, declared: the schema of its TOML card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from i2ibench import limits
from i2ibench.data.patterns import check_pattern
from i2ibench.errors import UsageError
from i2ibench.reading import read_toml
from i2ibench.settings import explain

# Names under which a split is found on disk, unless its card says otherwise.
SplitName = Literal["train", "val", "test"]
SPLIT_ALIASES: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


class _Declared(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class FoldersLayout(_Declared):
    """Two folders with one file a pair in each, matched by name.

    Attributes:
        source: folder below the root, with ``{split}`` where the split's name stands,
            e.g. ``"HE/{split}"`` or ``"{split}A"``.
        target: the same for the targets.
        source_suffix: removed from the end of a source's name to give the pair's id.
        target_suffix: the same for the targets.
    """

    kind: Literal["folders"] = "folders"
    source: str
    target: str
    source_suffix: str = ""
    target_suffix: str = ""

    def __str__(self) -> str:
        return (
            f"two folders, {self.source}/*{self.source_suffix} -> "
            f"{self.target}/*{self.target_suffix}"
        )


class StripLayout(_Declared):
    """One file a pair: panels of equal width in a row.

    Attributes:
        folder: folder below the root, with ``{split}``.
        panels: the panels' names from left to right.
        source: name of the source's panel; by default the first.
        target: name of the target's panel; by default the second.
    """

    kind: Literal["strip"] = "strip"
    folder: str = "{split}"
    panels: tuple[str, ...] = ("A", "B")
    source: str = ""
    target: str = ""

    @pydantic.model_validator(mode="after")
    def _known_panels(self) -> StripLayout:
        if len(self.panels) < 2 or len(set(self.panels)) < len(self.panels):
            raise ValueError("panels must be two or more different names")
        for name in (self.source, self.target):
            if name and name not in self.panels:
                raise ValueError(f"panel '{name}' is not among {', '.join(self.panels)}")
        return self

    @property
    def indices(self) -> tuple[int, int]:
        """Positions of the source's and of the target's panel."""
        source = self.panels.index(self.source) if self.source else 0
        target = self.panels.index(self.target) if self.target else 1
        return source, target

    def __str__(self) -> str:
        source, target = (self.panels[index] for index in self.indices)
        return f"side by side in {self.folder}: {'|'.join(self.panels)}, {source} -> {target}"


class SuffixLayout(_Declared):
    """Both images in one folder, told apart by the end of their names.

    Attributes:
        folder: folder below the root, with ``{split}`` if there is one a split.
        source: end of a source's name, e.g. ``"_real_A"``.
        target: end of a target's name, e.g. ``"_real_B"``.
    """

    kind: Literal["suffix"] = "suffix"
    folder: str = "."
    source: str = "_real_A"
    target: str = "_real_B"

    def __str__(self) -> str:
        return f"one folder, {self.folder}/*{self.source} -> *{self.target}"


class TableLayout(_Declared):
    """A CSV with columns ``source`` and ``target``, and optionally id, split, group, cluster."""

    kind: Literal["table"] = "table"
    file: str = "pairs.csv"

    def __str__(self) -> str:
        return f"table {self.file}"


Layout = FoldersLayout | StripLayout | SuffixLayout | TableLayout


class Split(_Declared):
    """What is known of one split.

    Attributes:
        folder: its name on disk where that is none of the usual ones.
        pairs: expected number of pairs; None where unknown.
        groups: expected number of pairs by group.
        certain: False where the count is said but could not be confirmed.
    """

    folder: str | None = None
    pairs: int | None = None
    groups: dict[str, int] = {}
    certain: bool = True


class Groups(_Declared):
    """How a pair's group is read from its id.

    Attributes:
        name: what the groups are, e.g. ``"HER2"``.
        pattern: regular expression with the named group ``group``, searched in the id.
        order: the groups in the order of tables.
    """

    name: str
    pattern: str = ""
    order: tuple[str, ...] = ()

    _compiles = pydantic.field_validator("pattern")(lambda value: check_pattern(value, "group"))


class Clusters(_Declared):
    """How a pair's cluster (slide, patient) is read from its id.

    Attributes:
        name: what the clusters are, e.g. ``"slide"``.
        pattern: regular expression with the named group ``cluster``, searched in the id.
        unknown: whether pairs depend by clusters that nobody has published; intervals over single
            pairs are then too narrow, and say so.
        number: how many clusters there are in all splits, where that is published.
    """

    name: str
    pattern: str = ""
    unknown: bool = False
    number: Annotated[int, Field(ge=1)] | None = None

    _compiles = pydantic.field_validator("pattern")(lambda value: check_pattern(value, "cluster"))

    @pydantic.model_validator(mode="after")
    def _unknown_or_read(self) -> Clusters:
        if self.unknown and self.pattern:
            raise ValueError("clusters that are read by a pattern are not unknown; keep one key")
        return self


class Bits(_Declared):
    """How many bits the values of 16-bit files have, where they are not scaled to 16.

    Attributes:
        source: of the sources; None where it is found in the files.
        target: of the targets, and of predictions in 16-bit files.
    """

    source: Annotated[int, Field(ge=8, le=16)] | None = None
    target: Annotated[int, Field(ge=8, le=16)] | None = None


class Download(_Declared):
    """A public archive.

    Attributes:
        url: its address.
        sha256: its hash; None where nobody has published or checked it.
        folder: the folder inside the archive that holds the data set.
        megabytes: size of the archive, to warn before fetching.
    """

    url: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    folder: str = "."
    megabytes: Annotated[float, Field(gt=0, le=limits.DOWNLOAD_BYTES / 1e6)] | None = None


class Card(_Declared):
    """A data set's card.

    Attributes:
        title: one line that says what is translated into what.
        source: what the source images are.
        target: what the target images are.
        direction: ``AtoB`` as the layout states, or ``BtoA``.
        size: usual width and height of one image.
        folders: names under which the data set lies in a data folder; by default its own name.
        layouts: the forms in which it is distributed.
        splits: by name (train, val, test).
        groups: how groups are read, where there are any.
        clusters: how slides or patients are read, where they can be; ``"unknown"`` where pairs
            depend by them but nobody has published which.
        bits: of the values in 16-bit files, one number or one a side, where files alone could be
            read in two ways; see ``i2ibench.data.scale``.
        stain: the stain of the targets that stain metrics read, ``"DAB"``, where there is one.
        recipes: the data set whose recipes are used, where it is not this one.
        licence: under which terms it may be used.
        publishable: whether these terms let everybody publish images of it; None where the card
            does not say.
        citation: what to cite.
        home: its web page.
        obtain: the steps to get it.
        download: where it may be fetched from, if it may.
        notes: what a user should know before trusting a number.
        synthetic: options of the built-in generator, for data sets that are drawn.
    """

    title: str
    source: str = ""
    target: str = ""
    direction: Literal["AtoB", "BtoA"] = "AtoB"
    size: tuple[int, int] | None = None
    folders: tuple[str, ...] = ()
    layouts: tuple[Annotated[Layout, Field(discriminator="kind")], ...] = ()
    splits: dict[SplitName, Split] = {}
    groups: Groups | None = None
    clusters: Clusters | None = None
    bits: Bits | None = None
    stain: Literal["", "DAB"] = ""
    recipes: str = ""
    licence: str = ""
    publishable: bool | None = None
    citation: str = ""
    home: str = ""
    obtain: str = ""
    download: Download | None = None
    notes: tuple[str, ...] = ()
    synthetic: dict[str, Any] | None = None

    @pydantic.field_validator("bits", mode="before")
    @classmethod
    def _equal_bits(cls, value: Any) -> Any:
        return {"source": value, "target": value} if isinstance(value, int) else value

    @pydantic.field_validator("clusters", mode="before")
    @classmethod
    def _unknown_clusters(cls, value: Any) -> Any:
        return {"name": "cluster", "unknown": True} if value == "unknown" else value

    @property
    def split_names(self) -> frozenset[str]:
        """All names that a split of this data set may have on disk or in a table."""
        declared = {known.folder for known in self.splits.values() if known.folder is not None}
        return frozenset(declared.union(*SPLIT_ALIASES.values()))

    def split_folders(self, split: SplitName) -> tuple[str, ...]:
        """Return the names that ``split`` may have on disk."""
        declared = self.splits.get(split)
        if declared is not None and declared.folder is not None:
            return (declared.folder,)
        claimed = {known.folder for name, known in self.splits.items() if name != split}
        return tuple(alias for alias in SPLIT_ALIASES[split] if alias not in claimed)


def parse_card(name: str, values: dict[str, Any]) -> Card:
    """Validate a card; a bad or unknown key is one ``UsageError`` line."""
    try:
        return Card(**values)
    except pydantic.ValidationError as error:
        raise UsageError(f"card of data set '{name}': {explain(error, Card)}") from None


def read_card_file(path: Path) -> dict[str, Any]:
    """Read a user's card from a TOML file; a ``DataError`` where it cannot be read."""
    return read_toml(path)
