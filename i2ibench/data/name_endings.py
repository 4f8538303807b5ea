"""Endings by which tools tell the images of a pair apart: ``_fake_B``, ``_gt``, ``-outputs``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

# What tools call their predictions, the targets, and other images beside them; in lower case,
# with one underscore between words.
PREDICTIONS = frozenset(
    """
    fake fake_a fake_b gen generated out output outputs pred predicted prediction predictions preds
    result sr synthesized synthesized_image synthetic translated virtual virtual_stain
    """.split()  # noqa: SIM905
)
TARGETS = frozenset(
    "ground_truth groundtruth gt real_b ref reference target targets".split()  # noqa: SIM905
)
OTHERS = frozenset(
    """
    encoded_label idt_a idt_b input input_image input_label inputs label real real_a real_image rec
    rec_a rec_b source src
    """.split()  # noqa: SIM905
)
_OF_CYCLEGAN = frozenset(
    {"real_a", "real_b", "fake_a", "fake_b", "rec_a", "rec_b", "idt_a", "idt_b"}
)
_SEPARATORS = "-_. "
# No ending that is known has more words.
_MOST_WORDS = 3


def ending_word(ending: str) -> str:
    """Return an ending as the sets above hold it: ``-Fake`` is ``fake``."""
    return re.sub(r"[-_. ]+", "_", ending.strip(_SEPARATORS)).casefold()


def endings_of(name: str) -> Iterator[str]:
    """Yield the last word of a name with the separator before it, then the last two, and three."""
    end = len(name)
    for _ in range(_MOST_WORDS):
        end = max(name.rfind(separator, 0, end) for separator in _SEPARATORS)
        if end <= 0:
            return
        yield name[end:]


def endings_after(name: str, ids: Collection[str]) -> list[str]:
    """Return what follows an id in a name: nothing, or what begins with a separator."""
    found = [name[end:] for end in range(1, len(name) + 1) if name[:end] in ids]
    return [ending for ending in found if not ending or ending[0] in _SEPARATORS]


def common_endings(names: Collection[str]) -> list[str]:
    """Return the endings that all names share, where what is left still tells them apart.

    One name alone shares only what targets are called by.
    """
    first = next(iter(names), "")
    shared = []
    for ending in endings_of(first):
        rest = {name.removesuffix(ending) for name in names if name.endswith(ending)} - {""}
        if len(rest) == len(names) and (len(names) > 1 or ending_word(ending) in TARGETS):
            shared.append(ending)
    return shared


def only_targets(images: Mapping[str, Path]) -> tuple[dict[str, Path], str]:
    """Return the targets among the images of a folder, by id, and the ending taken off them.

    A folder in which predictions lie beside their targets has names that all end in what they are;
    any other folder is returned as it is.
    """
    known = {name: _known_ending(name) for name in images}
    endings = {name: ending for name, ending in known.items() if ending}
    targets = {name for name, ending in endings.items() if ending_word(ending) in TARGETS}
    if len(endings) < len(images) or not targets or len(targets) == len(images):
        return dict(images), ""
    [*used] = {endings[name] for name in targets}
    if len(used) > 1:
        return dict(images), ""
    return {name.removesuffix(used[0]): images[name] for name in targets}, used[0]


def is_beside(name: str, ids: Collection[str], used: Collection[str]) -> bool:
    """Whether an image is known to belong to a pair and to be no prediction.

    Args:
        name: of the image.
        ids: of the pairs.
        used: the endings of the predictions.
    """
    for ending in endings_of(name):
        word = ending_word(ending)
        known = ending not in used and word in OTHERS | TARGETS | PREDICTIONS
        if known and (word in _OF_CYCLEGAN or name.removesuffix(ending) in ids):
            return True
    return False


def _known_ending(name: str) -> str:
    known = [
        ending
        for ending in endings_of(name)
        if ending_word(ending) in PREDICTIONS | TARGETS | OTHERS
    ]
    return known[-1] if known else ""
