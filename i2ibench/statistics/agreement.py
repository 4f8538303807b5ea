"""Agreement of two readers who sort the same things into ordered groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def quadratic_kappa(
    truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp], groups: int
) -> float | None:
    """Return the quadratic-weighted kappa (Cohen, Psychological Bulletin 1968).

    None where it is undefined (one group only).
    """
    observed = confusion(truth, found, groups) / len(truth)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0))
    places = np.arange(groups)
    cost = np.square(places[:, None] - places[None, :])
    by_chance = float((cost * expected).sum())
    if len(set(truth.tolist())) < 2 or by_chance == 0:
        return None
    return 1 - float((cost * observed).sum()) / by_chance


def confusion(
    truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp], groups: int
) -> npt.NDArray[np.int64]:
    """Return the counts (true group, group found)."""
    counts = np.bincount(truth * groups + found, minlength=groups * groups)
    return np.asarray(counts.reshape(groups, groups))
