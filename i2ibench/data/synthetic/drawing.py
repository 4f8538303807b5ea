"""The built-in data set: H&E and HER2 IHC of drawn tissue, the same bytes on every machine.

It is written in the form of BCI, so everything that reads BCI reads it, and is generated into the
cache on first use. The HER2 level belongs to the slide; H&E tells it only in part, because the
grade that shapes the cells overlaps between neighbouring levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pydantic
from numpy.typing import NDArray
from pydantic import Field

from i2ibench import limits
from i2ibench.data.synthetic.exact_random import Stream
from i2ibench.data.synthetic.staining import LEVELS, slide_look, stain_he, stain_ihc
from i2ibench.data.synthetic.tissue import draw_tissue
from i2ibench.errors import UsageError
from i2ibench.seeds import derive_seed
from i2ibench.settings import Settings, explain

# Raised whenever the bytes change for the same options.
VERSION = 2

SPLITS = ("train", "val", "test")


class SyntheticOptions(Settings):
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

    size: Annotated[int, Field(ge=32, le=limits.SYNTHETIC_SIDE)] = 256
    train: Annotated[int, Field(ge=0, le=limits.SYNTHETIC_PAIRS)] = 128
    val: Annotated[int, Field(ge=0, le=limits.SYNTHETIC_PAIRS)] = 0
    test: Annotated[int, Field(ge=0, le=limits.SYNTHETIC_PAIRS)] = 64
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
            raise UsageError(f"synthetic data set: {explain(error, cls)}") from None


@dataclass(frozen=True, slots=True)
class SyntheticPair:
    """What is known of one pair before it is drawn.

    Attributes:
        id: as its files are named, e.g. ``"00003_train_3+"``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        index: its number in the split.
        level: HER2 level.
        slide: number of its slide in the split.
        shift: x and y in pixels by which the IHC section is displaced.
    """

    id: str
    split: str
    index: int
    level: str
    slide: int
    shift: tuple[int, int]

    @property
    def cluster(self) -> str:
        """The slide's name, unique over all splits."""
        return f"{self.split}-{self.slide:03d}"


def list_synthetic(options: SyntheticOptions) -> list[SyntheticPair]:
    """Return all pairs of a synthetic data set, in the order train, val, test."""
    return [
        _pair(options, split, index) for split in SPLITS for index in range(getattr(options, split))
    ]


def draw_pair(
    options: SyntheticOptions, pair: SyntheticPair
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the H&E and the IHC image of ``pair``, each ``(H, W, 3)``, whatever else is drawn."""
    of_slide = Stream(derive_seed(options.seed, "slide", pair.split, pair.slide))
    grade = _grade(of_slide, LEVELS.index(pair.level), options.ambiguity)
    look = slide_look(of_slide, options.stain_variation)

    stream = Stream(derive_seed(options.seed, "pair", pair.split, pair.index))
    margin, size = options.section_offset, options.size
    tissue = draw_tissue(stream, size + 2 * margin, size + 2 * margin, grade)
    he = stain_he(tissue, look, grade, stream)
    ihc = stain_ihc(tissue, look, pair.level, stream)
    left, top = margin - pair.shift[0], margin - pair.shift[1]
    return (
        he[margin : margin + size, margin : margin + size],
        ihc[top : top + size, left : left + size],
    )


def _pair(options: SyntheticOptions, split: str, index: int) -> SyntheticPair:
    slides = -(-getattr(options, split) // options.pairs_per_slide)
    # Neighbouring pairs are of different slides and levels, so the first few show every level.
    slide = index % slides
    level = LEVELS[slide % len(LEVELS)]
    stream = Stream(derive_seed(options.seed, "shift", split, index))
    reach = options.section_offset
    x, y = (math.floor(stream.uniform(-reach, reach + 1)) for _ in range(2))
    return SyntheticPair(f"{index:05d}_{split}_{level}", split, index, level, slide, (x, y))


def _grade(stream: Stream, level: int, ambiguity: float) -> float:
    grade = 0.08 + 0.28 * level + stream.uniform(-0.6, 0.6) * ambiguity
    return min(max(grade, 0.0), 1.0)
