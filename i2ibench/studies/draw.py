"""Which images a study shows: stratified by level, balanced over makers, from a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from i2ibench.data.pairs import ImagePair
from i2ibench.files import sha256_bytes
from i2ibench.seeds import derive_seed
from i2ibench.studies.key import Item, Maker, Preference, Rating
from i2ibench.wording import count

# Items are shown in this many blocks, in their order; what is shown again is so two blocks later.
BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Design:
    """How much is drawn.

    Attributes:
        images: rated a level and maker (each method, and the real images).
        comparisons: a level and two makers.
        repeats: share of the items that each reader is shown again.
        seed: of every choice.
    """

    images: int = 5
    comparisons: int = 3
    repeats: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Items by name, in blocks, and what was drawn otherwise than asked."""

    ratings: tuple[Mapping[str, Item], ...]
    preferences: tuple[Mapping[str, Item], ...]
    notes: tuple[str, ...]

    @property
    def items(self) -> dict[str, Item]:
        """Every item by its name."""
        return {
            name: item
            for block in (*self.ratings, *self.preferences)
            for name, item in block.items()
        }


def draw_items(
    levels: Mapping[str, Sequence[ImagePair]],
    makers: Sequence[Maker],
    design: Design,
    secret: str = "",
) -> Drawn:
    """Draw the items of a study.

    Within a level, pairs are gone through in one random order that takes a pair of every cluster
    before a second one of any: images of one maker are of different pairs, and a pair is met again
    only where the level has too few.

    Args:
        levels: the pairs of each level; one level where pairs have none.
        makers: the methods' labels, and None for the target.
        design: how much.
        secret: what readers do not know; the names of items follow from it, and nothing from them.
    """
    ratings: list[Item] = []
    preferences: list[Item] = []
    notes = []
    for height, (level, pairs) in enumerate(levels.items()):
        order = _by_turns(pairs, derive_seed(design.seed, "study order", level))
        images, comparisons = (
            min(wanted, len(order)) for wanted in (design.images, design.comparisons)
        )
        if images < design.images or comparisons < design.comparisons:
            where = f"level {level}" if level else "the split"
            notes.append(
                f"{where} has {count(len(order), 'pair')}: {count(images, 'image')} a maker and "
                f"{count(comparisons, 'comparison')} of every two are drawn"
            )
        place = 0
        for maker in makers:
            for _ in range(images):
                ratings.append(Rating(pair=order[place % len(order)].id, maker=maker))
                place += 1
        for turn, (one, other) in enumerate(combinations(makers, 2), start=height):
            for number in range(comparisons):
                pair = order[place % len(order)].id
                # Each is on the left as often as on the right.
                sides = (one, other) if (number + turn) % 2 else (other, one)
                preferences.append(Preference(pair=pair, left=sides[0], right=sides[1]))
                place += 1
    return Drawn(
        _in_blocks(ratings, design, f"{secret}/ratings"),
        _in_blocks(preferences, design, f"{secret}/preferences"),
        tuple(notes),
    )


def _by_turns(pairs: Sequence[ImagePair], seed: int) -> list[ImagePair]:
    """Return pairs in a random order in which clusters take turns."""
    draw = np.random.default_rng(seed)
    shuffled = [pairs[i] for i in draw.permutation(len(pairs))]
    met: Counter[str] = Counter()
    turns = []
    for pair in shuffled:
        cluster = pair.id if pair.cluster is None else pair.cluster
        turns.append(met[cluster])
        met[cluster] += 1
    return [shuffled[i] for i in np.argsort(turns, kind="stable")]


def _in_blocks(items: Sequence[Item], design: Design, what: str) -> tuple[Mapping[str, Item], ...]:
    """Return items in blocks; those that are shown again are in the first and the last."""
    draw = np.random.default_rng(derive_seed(design.seed, "study blocks", what))
    order = draw.permutation(len(items)).tolist()
    # At most as many as the first block holds.
    repeated = min(round(design.repeats * len(items)), len(items) // BLOCKS)
    size = -(-(len(items) + repeated) // BLOCKS)
    blocks: list[dict[str, Item]] = [{} for _ in range(BLOCKS)]
    for number, index in enumerate(order):
        blocks[min(number // size, BLOCKS - 1)][_name(what, index)] = items[index]
    for index in order[:repeated]:
        blocks[-1][_name(what, index, "again")] = _again(items[index], _name(what, index))
    return tuple(dict(sorted(block.items())) for block in blocks if block)


def _name(*purpose: str | int) -> str:
    """Return a name that says nothing to whoever does not know what it was made of."""
    return sha256_bytes("/".join(map(str, purpose)).encode("utf-8"))[:12]


def _again(item: Item, first: str) -> Item:
    if isinstance(item, Preference):
        return item.model_copy(update={"left": item.right, "right": item.left, "repeats": first})
    return item.model_copy(update={"repeats": first})
