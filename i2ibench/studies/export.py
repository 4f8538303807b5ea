"""``study export``: one offline page of blinded images, and beside it the key that opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.files import (
    atomic_folder,
    json_text,
    read_json,
    sha256_bytes,
    sha256_file,
    sha256_json,
)
from i2ibench.notebook import Printed
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.methods import method_key, method_labels
from i2ibench.results.pair_scores import pair_scores_beside, read_pair_scores
from i2ibench.results.stored_result import StoredResult, open_stored
from i2ibench.studies.draw import Design, Drawn, draw_items
from i2ibench.studies.key import (
    Item,
    Key,
    Maker,
    MetricFacts,
    PairFacts,
    Preference,
    Rating,
    StudyData,
    study_id,
    write_key,
)
from i2ibench.studies.study_page import IMAGES, write_study_page
from i2ibench.wording import count, some

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
    stored = [_opened(path, dataset, data_root) for path in given]
    methods = _methods(stored)
    first = stored[0]
    levels, notes = _levels(first.pairs)
    hashes = {label: _shown_hash(each) for label, each in methods.items()}
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
            dataset=_data(first),
            levels=tuple(level for level in levels if level),
            methods=hashes,
            pairs={each.id: PairFacts(group=each.group, cluster=each.cluster) for each in plan},
            items=drawn.items,
            metrics=_metrics(methods, [each.id for each in plan]),
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
        key.notes,
    )


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


def _opened(path: str | Path, dataset: str | None, data_root: str | Path | None) -> StoredResult:
    """Open a run whose predictions and data are still those that were scored."""
    found = open_stored(path, dataset=dataset, data_root=data_root)
    if found.findings:
        told = [f"{each.subject}: {each.detail}" for each in found.findings]
        raise DataError(f"{found.path}: not as it was scored ({some(told, 3)}); verify tells more")
    return found


def _methods(stored: Sequence[StoredResult]) -> dict[str, StoredResult]:
    """Return the runs by the labels of their methods; all of one set of pairs and preparation."""
    first = stored[0]
    by_key: dict[str, StoredResult] = {}
    for each in stored:
        same = by_key.setdefault(method_key(each.result), each)
        if same is not each:
            raise UsageError(
                f"{same.path.parent} and {each.path.parent} are one method; give one run of each"
            )
        for what, mine, theirs in (
            ("data set", first.result.dataset.name, each.result.dataset.name),
            ("direction", first.result.dataset.direction, each.result.dataset.direction),
            ("split", first.result.dataset.split, each.result.dataset.split),
            (
                "hash of the data",
                first.result.dataset.manifest_sha256,
                each.result.dataset.manifest_sha256,
            ),
            ("preparation", first.protocol.preparation, each.protocol.preparation),
        ):
            if mine != theirs:
                raise DataError(
                    f"{first.path} and {each.path} cannot be shown beside each other: the {what} "
                    f"is {mine} of the one and {theirs} of the other"
                )
    return dict(zip(method_labels([each.result for each in stored]), stored, strict=True))


def _levels(pairs: PairedDataset) -> tuple[dict[str, list[ImagePair]], list[str]]:
    """Return the pairs by level, in the data set's order, and what is left out."""
    groups = {pair.group for pair in pairs} - {None}
    if not groups:
        return {"": list(pairs)}, []
    order = [group for group in pairs.group_order if group in groups]
    order += sorted(group for group in groups if group is not None and group not in order)
    without = [pair.id for pair in pairs if pair.group is None]
    notes = [f"left out, without a level: {some(without, 3)}"] if without else []
    return {level: [each for each in pairs if each.group == level] for level in order}, notes


def _shown_hash(stored: StoredResult) -> str:
    """Return the hash of a method's predictions."""
    files = {pair: sha256_file(path) for pair, path in sorted(stored.predictions.items())}
    return sha256_json(files)


def _data(stored: StoredResult) -> StudyData:
    recorded = stored.result.dataset
    return StudyData(
        name=recorded.name,
        split=recorded.split or "test",
        direction=recorded.direction or "AtoB",
        group_name=stored.pairs.group_name,
        manifest_sha256=recorded.manifest_sha256,
        clusters_unknown=stored.pairs.hidden_clusters,
    )


def _metrics(methods: Mapping[str, StoredResult], shown: Sequence[str]) -> dict[str, MetricFacts]:
    """Return every metric that all methods were scored with under one definition."""
    tables = {label: _scores(each) for label, each in methods.items()}
    records = {label: each.result.metrics for label, each in methods.items()}
    first = next(iter(records.values()))
    found = {}
    for name, record in first.items():
        if any(
            name not in other or other[name].signature != record.signature
            for other in records.values()
        ):
            continue
        of_pairs = all(name in metric_columns(table) for table in tables.values())
        found[name] = MetricFacts(
            better=record.better,
            signature=record.signature,
            methods={label: each[name].value for label, each in records.items()},
            pairs={
                label: {pair: _number(table[name].get(pair)) for pair in shown}
                for label, table in tables.items()
                if of_pairs
            },
        )
    return found


def _scores(stored: StoredResult) -> pd.DataFrame:
    path = pair_scores_beside(stored.path)
    if path is None:
        raise DataError(f"{stored.path}: no scores per pair beside it; evaluate again")
    table: pd.DataFrame = read_pair_scores(path).set_index("id", drop=False)
    return table


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


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
