"""What a study shows is balanced, and says nothing of what it is."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from scripted_reader import LEVELS, pairs_of

from i2ibench.studies.draw import BLOCKS, Design, draw_items
from i2ibench.studies.key import Preference, Rating

MAKERS = (None, "a", "b")


def _draw(design: Design, pairs: int = 40, per_cluster: int = 1):
    levels = {level: pairs_of(level, pairs, per_cluster) for level in LEVELS}
    return draw_items(levels, MAKERS, design, "secret")


def test_every_maker_has_as_many_images_of_each_level() -> None:
    drawn = _draw(Design(images=6, comparisons=4, repeats=0.0))
    ratings = [each for each in drawn.items.values() if isinstance(each, Rating)]
    counts = Counter((each.maker, each.pair.rpartition("-")[0]) for each in ratings)
    assert counts == {(maker, level): 6 for maker in MAKERS for level in LEVELS}
    # Tissue that was seen once is not seen again while the level has more.
    assert len({each.pair for each in ratings}) == len(ratings)
    compared = [each for each in drawn.items.values() if isinstance(each, Preference)]
    sides = Counter(frozenset((each.left, each.right)) for each in compared)
    assert set(sides.values()) == {4 * len(LEVELS)}
    ordered = Counter((each.left, each.right) for each in compared)
    assert set(ordered.values()) == {2 * len(LEVELS)}


def test_slides_take_turns() -> None:
    drawn = _draw(Design(images=4, comparisons=0, repeats=0.0), pairs=48, per_cluster=4)
    of_level = [each.pair for each in drawn.items.values() if each.pair.startswith("3+-")]
    assert len({int(pair.rpartition("-")[2]) // 4 for pair in of_level}) == len(of_level) == 12


def test_what_is_shown_again_comes_two_blocks_later_with_sides_exchanged() -> None:
    drawn = _draw(Design(images=6, comparisons=4, repeats=0.2))
    for blocks, number in ((drawn.ratings, 72), (drawn.preferences, 48)):
        assert len(blocks) == BLOCKS
        again = {name: each for name, each in blocks[-1].items() if each.repeats}
        assert len(again) == round(0.2 * number)
        assert sum(map(len, blocks)) == number + len(again)
        for name, item in again.items():
            first = blocks[0][item.repeats]
            assert item.pair == first.pair and name != item.repeats
            if isinstance(item, Preference):
                assert (item.left, item.right) == (first.right, first.left)
            else:
                assert item.maker == first.maker


def test_names_and_order_say_nothing_and_another_seed_draws_others() -> None:
    drawn = _draw(Design(repeats=0.1))
    for block in (*drawn.ratings, *drawn.preferences):
        assert list(block) == sorted(block)
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in drawn.items)
    # Sorted names mix makers: of three, two neighbours of three differ.
    makers = [each.maker for each in drawn.items.values() if isinstance(each, Rating)]
    changes = sum(one != other for one, other in pairwise(makers))
    assert changes / len(makers) == pytest.approx(2 / 3, abs=0.15)
    assert _draw(Design(repeats=0.1)) == drawn
    other = _draw(Design(repeats=0.1, seed=1))
    assert not other.items.keys() & drawn.items.keys() or other.items != drawn.items
    secret = draw_items({"": pairs_of("0", 40)}, MAKERS, Design(), "another")
    assert not secret.items.keys() & drawn.items.keys()


@pytest.mark.parametrize("pairs", [1, 3])
def test_a_small_level_is_drawn_as_far_as_it_goes_and_told(pairs: int) -> None:
    drawn = _draw(Design(images=5, comparisons=3), pairs=pairs)
    ratings = [each for each in drawn.items.values() if isinstance(each, Rating)]
    shown = Counter((each.maker, each.pair) for each in ratings if not each.repeats)
    assert set(shown.values()) == {1}
    assert len(shown) == pairs * len(MAKERS) * len(LEVELS)
    assert len(drawn.notes) == len(LEVELS) and f"has {pairs} pair" in drawn.notes[0]
