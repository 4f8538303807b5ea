"""The built-in data set: H&E and HER2 IHC of drawn tissue, the same bytes on every machine.

It is written in the form of BCI, so everything that reads BCI reads it, and is generated into the
cache on first use. The HER2 level belongs to the slide; H&E tells it only in part, because the
grade that shapes the cells overlaps between neighbouring levels.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
from numpy.typing import NDArray
from pydantic import Field

from i2ibench.data.exact_random import Stream
from i2ibench.data.places import cache_folder
from i2ibench.data.staining import LEVELS, slide_look, stain_he, stain_ihc
from i2ibench.data.tissue import draw_tissue
from i2ibench.errors import UsageError
from i2ibench.files import sha256_json, write_text
from i2ibench.seeds import derive_seed

# Raised whenever the bytes change for the same options.
VERSION = 1

_SPLITS = ("train", "val", "test")
# Pairs from which on two processes finish before one would.
_POOL_FROM = 24


class SyntheticOptions(pydantic.BaseModel):
    """What is drawn.

    Attributes:
        size: width and height in pixels.
        train: number of training pairs.
        val: number of validation pairs.
        test: number of test pairs.
        pairs_per_slide: pairs that share a slide, hence level, grade and look.
        seed: of everything random.
        section_offset: largest shift in pixels between the H&E and the IHC section, each axis.
        stain_variation: differences of stain and scanner between slides; 0 none, 1 as in a clinic.
        ambiguity: how far the grade that H&E shows strays from the level; 0 not at all, 1 beyond
            recognition.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    size: Annotated[int, Field(ge=32, le=4096)] = 256
    train: Annotated[int, Field(ge=0)] = 128
    val: Annotated[int, Field(ge=0)] = 0
    test: Annotated[int, Field(ge=0)] = 64
    pairs_per_slide: Annotated[int, Field(ge=1)] = 4
    seed: Annotated[int, Field(ge=0)] = 0
    section_offset: Annotated[int, Field(ge=0, le=256)] = 0
    stain_variation: Annotated[float, Field(ge=0, le=2)] = 1.0
    ambiguity: Annotated[float, Field(ge=0, le=1)] = 0.3

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> SyntheticOptions:
        """Validate options; a bad one is one ``UsageError`` line."""
        try:
            return cls(**values)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"synthetic data set: {key}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class SyntheticPair:
    """One drawn pair, with what is known of it.

    Attributes:
        id: as its files are named, e.g. ``"00003_train_3+"``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        level: HER2 level.
        slide: cluster id.
        shift: x and y by which the IHC section is displaced, in pixels.
        source: H&E ``(H, W, 3)``.
        target: IHC of the same shape.
    """

    id: str
    split: str
    level: str
    slide: str
    shift: tuple[int, int]
    source: NDArray[np.uint8]
    target: NDArray[np.uint8]


def ensure_generated(options: SyntheticOptions) -> Path:
    """Return the folder in the cache that holds this data set; draw it if it is not there."""
    key = sha256_json([VERSION, options.model_dump()])[:12]
    folder = cache_folder() / "datasets" / f"synthetic-{VERSION}-{key}"
    if not folder.is_dir():
        generate(folder, options)
    return folder


def generate(folder: Path, options: SyntheticOptions) -> None:
    """Draw the data set into ``folder``, which appears only when it is complete.

    It holds ``{HE,IHC}/{split}/<id>.png``, ``clusters.csv`` (id, split, cluster) and
    ``shifts.csv`` (id, split, x, y).

    Raises:
        UsageError: the folder exists and is not empty, or no pairs are asked for.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty; choose another folder or remove it")
    jobs = list(_jobs(options))
    if not jobs:
        raise UsageError("synthetic data set: train, val and test are all 0")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        drawn = _draw_all(options, jobs, temporary)
        _write_table(temporary / "clusters.csv", "id,split,cluster", drawn, 2)
        _write_table(temporary / "shifts.csv", "id,split,x,y", drawn, 3)
        temporary.chmod(0o755)
        _move(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def draw_pair(options: SyntheticOptions, split: str, index: int) -> SyntheticPair:
    """Draw pair number ``index`` of ``split``; pairs do not depend on one another."""
    slides = -(-getattr(options, split) // options.pairs_per_slide)
    # Neighbouring indices are of different slides and levels, so the first pairs show all.
    slide = index % slides
    level = LEVELS[slide % len(LEVELS)]
    of_slide = Stream(derive_seed(options.seed, "slide", split, slide))
    grade = _grade(of_slide, slide % len(LEVELS), options.ambiguity)
    look = slide_look(of_slide, options.stain_variation)

    stream = Stream(derive_seed(options.seed, "pair", split, index))
    margin, size = options.section_offset, options.size
    side = size + 2 * margin
    tissue = draw_tissue(stream, side, side, grade)
    dx, dy = (int(stream.uniform(-margin, margin + 1) // 1) for _ in range(2))
    he = stain_he(tissue, look, grade, stream)
    ihc = stain_ihc(tissue, look, level, stream)
    return SyntheticPair(
        id=f"{index:05d}_{split}_{level}",
        split=split,
        level=level,
        slide=f"{split}-{slide:03d}",
        shift=(dx, dy),
        source=he[margin : margin + size, margin : margin + size],
        target=ihc[margin - dy : margin - dy + size, margin - dx : margin - dx + size],
    )


def _grade(stream: Stream, level: int, ambiguity: float) -> float:
    grade = 0.08 + 0.28 * level + stream.uniform(-1.0, 1.0) * 0.6 * ambiguity
    return min(max(grade, 0.0), 1.0)


_Row = tuple[str, str, str, str]


def _jobs(options: SyntheticOptions) -> Iterator[tuple[str, int]]:
    for split in _SPLITS:
        for index in range(getattr(options, split)):
            yield split, index


def _draw_all(options: SyntheticOptions, jobs: list[tuple[str, int]], folder: Path) -> list[_Row]:
    processes = min(os.cpu_count() or 1, 8)
    if len(jobs) < _POOL_FROM or processes == 1:
        return [_draw_and_write(options, split, index, folder) for split, index in jobs]
    # Spawned, because forking a process in which torch has started threads can hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        splits, indices = zip(*jobs, strict=True)
        repeated = ([value] * len(jobs) for value in (options, folder))
        options_each, folder_each = repeated
        return list(
            pool.map(_draw_and_write, options_each, splits, indices, folder_each, chunksize=8)
        )


def _draw_and_write(options: SyntheticOptions, split: str, index: int, folder: Path) -> _Row:
    from i2ibench.data.images import write_png

    pair = draw_pair(options, split, index)
    write_png(folder / "HE" / split / f"{pair.id}.png", pair.source)
    write_png(folder / "IHC" / split / f"{pair.id}.png", pair.target)
    return pair.id, pair.split, pair.slide, f"{pair.shift[0]},{pair.shift[1]}"


def _write_table(file: Path, header: str, rows: list[_Row], column: int) -> None:
    lines = [f"{row[0]},{row[1]},{row[column]}" for row in rows]
    write_text(file, "\n".join([header, *lines]) + "\n")


def _move(temporary: Path, folder: Path) -> None:
    try:
        temporary.replace(folder)
    except OSError:
        # Another process has drawn the same data set meanwhile; its bytes are the same.
        if not folder.is_dir():
            raise
