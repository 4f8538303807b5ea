"""Which file of a folder is the prediction of which pair, by the names that tools give.

A prediction is called by its pair's id. Tools add endings, which are the same on all their files:
they are taken off where that is the only way to find the pairs, on both sides, and it is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from i2ibench.data.name_endings import (
    OTHERS,
    PREDICTIONS,
    TARGETS,
    common_endings,
    ending_word,
    endings_after,
)
from i2ibench.errors import DataError
from i2ibench.wording import some


def match_names(
    stems: Mapping[str, Path], ids: Sequence[str], folder: Path
) -> tuple[dict[str, Path], str]:
    """Return the file of each pair by id, and what was taken off the names, in words.

    Args:
        stems: files by stem.
        ids: of the pairs.
        folder: for messages.

    Raises:
        DataError: several endings fit, so that any of them may be the prediction.
    """
    exact = {each: stems[each] for each in ids if each in stems}
    if len(exact) == len(ids):
        return exact, ""
    best, said = exact, ""
    # Targets may have an ending of their own: site_1_gt and site_1_pred.
    for theirs in ("", *common_endings(ids)):
        bases = {each[: len(each) - len(theirs)]: each for each in ids}
        ending = _ending_of_predictions(stems, bases, theirs, folder)
        found = {} if ending is None else _with_ending(stems, bases, ending)
        if len(found) > len(best):
            best, said = found, _said(ending or "", theirs)
    return best, said


def _with_ending(
    stems: Mapping[str, Path], bases: Mapping[str, str], ending: str
) -> dict[str, Path]:
    return {each: stems[base + ending] for base, each in bases.items() if base + ending in stems}


def _ending_of_predictions(
    stems: Mapping[str, Path], bases: Mapping[str, str], theirs: str, folder: Path
) -> str | None:
    """Return the ending that most pairs have; None where there is none."""
    counted = Counter(ending for stem in stems for ending in endings_after(stem, bases))
    counted.pop(theirs, None)  # the targets themselves
    words = {ending: ending_word(ending) for ending in counted}
    fits = {e: n for e, n in counted.items() if words[e] not in OTHERS | TARGETS}
    known = {e: n for e, n in fits.items() if words[e] in PREDICTIONS}
    fits = known or fits
    if not fits:
        return None
    most = max(fits.values())
    if most == 1 and not known:
        return None  # of one pair, any name that goes on after its id
    best = sorted(ending for ending, number in fits.items() if number == most)
    if len(best) > 1 and most > 1:
        listed = some([f"'{ending}'" for ending in best])
        raise DataError(
            f"{folder}: the images of a pair end in {listed}, and any of them may be the "
            "prediction; keep only the predictions in a folder"
        )
    return best[0] if len(best) == 1 else None


def _said(ending: str, theirs: str) -> str:
    parts = [f"'{ending}' off the predictions'"] if ending else []
    parts += [f"'{theirs}' off the targets'"] if theirs else []
    return f"took {' and '.join(parts)} names"
