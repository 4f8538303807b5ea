"""``study export``: one offline page of blinded images, and beside it the key that opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImagePair
from i2ibench.errors import UsageError
from i2ibench.files import (
    atomic_folder,
    json_text,
    read_json,
    sha256_bytes,
    sha256_json,
)
from i2ibench.notebook import Printed
from i2ibench.results.stored_result import StoredResult
from i2ibench.studies.draw import Design, Drawn, draw_items
from i2ibench.studies.key import (
    Item,
    Key,
    Maker,
    PairFacts,
    Preference,
    Rating,
    study_id,
    write_key,
)
from i2ibench.studies.scored_runs import (
    data_of,
    levels_of,
    methods_of,
    metrics_of,
    open_scored,
    predictions_hash,
)
from i2ibench.studies.study_page import IMAGES, write_study_page
from i2ibench.web.licence import kept_private
from i2ibench.wording import count

Pixels = NDArray[np.uint8]
_NOTHING_LEFT = "give at least one image or comparison"


@dataclass(frozen=True, slots=True, repr=False)
class StudyExport(Printed):
    """A study that was written.

    Attributes:
        page: to be opened by readers; everything it needs lies beside it.
        key: which image is what; not for readers.
        study: the hash that binds both.
        ratings, preferences: how many of each a reader is asked, repeats among them.
        images: files beside the page.
        size: of all of the page's folder, in bytes.
        notes: what was left out, or drawn otherwise than asked.
    """

    page: Path
    key: Path
    study: str
    ratings: int
    preferences: int
    images: int
    size: int
    notes: tuple[str, ...]

    def _lines(self) -> Sequence[str]:
        asked = f"{count(self.ratings, 'rating')}, {count(self.preferences, 'comparison')}"
        return [
            f"{asked}; {count(self.images, 'image')}, {self.size / 2**20:.1f} MiB",
            f"page {self.page}",
            f"key  {self.key}",
        ]


def key_beside(folder: Path) -> Path:
    """Return where the key of a study lies: beside the page's folder, never in it."""
    return folder.parent / f"{folder.name}.key.json"


def export_study(
    runs: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    dataset: str | None = None,
    data_root: str | Path | None = None,
    images: int = 5,
    comparisons: int = 3,
    repeats: float = 0.1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> StudyExport:
    """Write a blinded reader study of one or more methods and the real images.

    >>> copy = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> mean = i2ibench.run(model="mean-colour", dataset="my-data", device="cpu")
    >>> study = i2ibench.export_study([copy.folder, mean.folder], "study", images=2, comparisons=1)
    >>> study.ratings, study.preferences, study.key.name
    (26, 13, 'study.key.json')

    Readers open ``output/index.html``; ``output.key.json`` stays with whoever evaluates. All
    images are decoded, prepared as the protocol says, and encoded anew: no name, date or metadata
    of a file reaches a reader.

    Args:
        runs: run folders or results with their predictions, one a method.
        output: folder of the page, absent or empty.
        dataset: data set, name or path; default: the recorded name.
        data_root: where data sets lie.
        images: rated a level and maker; the real images are a maker like the methods.
        comparisons: a level and two makers; 0 for none.
        repeats: share of the items that are shown twice, from 0 to 1/3.
        seed: of every choice.
        progress: called with images written and all.

    Raises:
        UsageError: nothing to show, one method twice, or a folder that is not empty.
        DataError: predictions or data that are no longer those that were scored; runs of other
            pairs or of another preparation.
    """
    folder = Path(output)
    given = [runs] if isinstance(runs, str | Path) else list(runs)
    design = _checked(Design(images, comparisons, repeats, seed), given, folder)
    stored = [open_scored(path, dataset, data_root) for path in given]
    methods = methods_of(stored)
    first = stored[0]
    levels, notes = levels_of(first.pairs)
    hashes = {label: predictions_hash(each) for label, each in methods.items()}
    drawn = draw_items(
        levels,
        [None, *methods],
        design,
        sha256_json([hashes, first.result.dataset.manifest_sha256, seed]),
    )
    if not drawn.items:
        raise UsageError(f"a study without anything to show; {_NOTHING_LEFT}")
    plan = _Plan(methods, {pair.id: pair for pair in first.pairs}, drawn)
    with atomic_folder(folder) as temporary:
        files = plan.write_images(temporary / IMAGES, progress)
        page = plan.page(first.pairs.group_name if levels.keys() - {""} else None, [*levels])
        key = Key(
            study=study_id(page, files),
            seed=seed,
            dataset=data_of(first),
            levels=tuple(level for level in levels if level),
            methods=hashes,
            pairs={each.id: PairFacts(group=each.group, cluster=each.cluster) for each in plan},
            items=drawn.items,
            metrics=metrics_of(methods, [each.id for each in plan]),
            page=page,
            files=files,
            notes=(*notes, *drawn.notes),
        )
        write_study_page(temporary, key.study, page)
        size = sum(each.stat().st_size for each in temporary.rglob("*") if each.is_file())
        beside = key_beside(folder)
        _check_key(beside, key)
        write_key(beside, key)
    ratings = sum(isinstance(each, Rating) for each in key.items.values())
    return StudyExport(
        folder / "index.html",
        beside,
        key.study,
        ratings,
        len(key.items) - ratings,
        len(files),
        size,
        (*key.notes, *_private(first.result.dataset.name)),
    )


def _private(dataset: str) -> list[str]:
    """Return what whoever hands out a page of this data must know; not of the key, which stays."""
    said = kept_private(dataset)
    return [f"{said}: give the page to its readers alone, at no public address"] if said else []


def _checked(design: Design, runs: Sequence[str | Path], folder: Path) -> Design:
    if not runs:
        raise UsageError("a study needs runs; give the folders of one or more")
    if design.images < 0 or design.comparisons < 0:
        raise UsageError(f"fewer than no images cannot be shown; {_NOTHING_LEFT}")
    if not 0 <= design.repeats <= 1 / 3:
        raise UsageError(f"repeats are {design.repeats:g}; give a share from 0 to 0.33")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists; give a folder that is absent or empty")
    return design


def _check_key(path: Path, key: Key) -> None:
    """Refuse to replace the key of another study, whose answers would be lost."""
    if path.exists() and json_text(read_json(path)) != key.text():
        raise UsageError(f"{path} is the key of another study; move it, or give another --output")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is shown, with where it comes from."""

    methods: Mapping[str, StoredResult]
    pairs: Mapping[str, ImagePair]
    drawn: Drawn

    def __iter__(self) -> Iterator[ImagePair]:
        """Go through the pairs that are shown."""
        for pair in sorted({each.pair for each in self.drawn.items.values()}):
            yield self.pairs[pair]

    def page(self, level_name: str | None, levels: Sequence[str]) -> dict[str, object]:
        """Return what the page may know: names of items and images, and the levels."""
        return {
            "level_name": level_name,
            "levels": [level for level in levels if level],
            "ratings": [[*block] for block in self.drawn.ratings],
            "preferences": [[*block] for block in self.drawn.preferences],
        }

    def write_images(
        self, folder: Path, progress: Callable[[int, int], None] | None
    ) -> dict[str, str]:
        """Write every image under the name of its item; return their SHA-256 by name.

        In the order of names, so that the files' times say nothing.
        """
        wanted = [
            (f"{name}{side}.png", item, side)
            for name, item in sorted(self.drawn.items.items())
            for side in _sides(item)
        ]
        hashes = {}
        for done, (name, item, side) in enumerate(wanted, start=1):
            write_png(folder / name, self._image(item, side))
            hashes[name] = sha256_bytes((folder / name).read_bytes())
            if progress is not None:
                progress(done, len(wanted))
        return hashes

    def _image(self, item: Item, side: str) -> Pixels:
        pair = self.pairs[item.pair]
        any_method = next(iter(self.methods.values()))
        prepare = any_method.protocol.preparation
        if side == "-source":
            return prepare.apply(read_image(pair.source))
        maker = _maker(item, side)
        if maker is None:
            return prepare.apply_target(read_image(pair.target))
        return read_image(pair.prediction(self.methods[maker].predictions[pair.id]))


def _sides(item: Item) -> tuple[str, ...]:
    return ("",) if isinstance(item, Rating) else ("-source", "-left", "-right")


def _maker(item: Item, side: str) -> Maker:
    if isinstance(item, Preference):
        return item.left if side == "-left" else item.right
    return item.maker
