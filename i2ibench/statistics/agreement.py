"""Agreement of two readers who sort the same things into ordered groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from i2ibench.seeds import derive_seed
from i2ibench.statistics.bootstrap import (
    FEWEST_UNITS,
    RESAMPLES,
    Codes,
    Floats,
    sum_by_cluster,
)
from i2ibench.statistics.draws import draw_counts
from i2ibench.statistics.percentiles import percentile_interval

Places = npt.NDArray[np.intp]
Statistic = Literal["accuracy", "quadratic-kappa"]


def quadratic_kappa(
    truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp], groups: int
) -> float | None:
    """Return the quadratic-weighted kappa (Cohen, Psychological Bulletin 1968).

    None where it is undefined (one group only).
    """
    return agreement(truth, found, groups, "quadratic-kappa")


def confusion(
    truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp], groups: int
) -> npt.NDArray[np.int64]:
    """Return the counts (true group, group found)."""
    counts = np.bincount(truth * groups + found, minlength=groups * groups)
    return np.asarray(counts.reshape(groups, groups))


def agreement(truth: Places, found: Places, groups: int, statistic: Statistic) -> float | None:
    """Return the agreement of two sortings ``(N,)`` into groups; None where it is undefined."""
    if not len(truth):
        return None
    value = float(_of_tables(statistic)(confusion(truth, found, groups)[None])[0])
    return value if np.isfinite(value) else None


def agreement_interval(
    truth: Places,
    found: Places,
    groups: int,
    clusters: Codes | None = None,
    statistic: Statistic = "quadratic-kappa",
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return a 95 % interval of an agreement, by resampling clusters or pairs.

    The percentile bootstrap, whose ends are moved away from the estimate as far as Student's t and
    the sample variance ask for at this number of units; no end lies above 1.

    Args:
        truth, found: ``(N,)`` groups from 0 to ``groups`` - 1.
        groups: their number.
        clusters: ``(N,)``, a code a pair, whose pairs are drawn together; None where each pair is
            its own.
        statistic: ``"accuracy"``, the share in one group by both, or ``"quadratic-kappa"``.
        seed: of the resampling.

    Returns:
        The interval; None below ``FEWEST_UNITS`` units, where the statistic is undefined on one
        resample in twenty or more, and where resampling cannot vary it: nothing disagrees, or all
        is read as one group.
    """
    cells = np.zeros((len(truth), groups * groups))
    cells[np.arange(len(truth)), truth * groups + found] = 1
    tables = sum_by_cluster(cells, clusters)
    units = len(tables)
    if units < FEWEST_UNITS or (truth == found).all():
        return None
    compute = _of_tables(statistic)

    def of(flat: Floats) -> Floats:
        return compute(flat.reshape(-1, groups, groups))

    estimate = float(of(tables.sum(0)[None])[0])
    draws = draw_counts(derive_seed(seed, "agreement", units), RESAMPLES, units)
    values = np.concatenate([of(weights @ tables) for weights in draws])
    interval = percentile_interval(estimate, values, units)
    return None if interval is None else (interval[0], min(1.0, interval[1]))


def _of_tables(statistic: Statistic) -> Callable[[npt.NDArray[Any]], Floats]:
    """Return what computes a statistic of tables ``(B, groups, groups)``."""
    return _accuracies if statistic == "accuracy" else _kappas


def _accuracies(tables: npt.NDArray[Any]) -> Floats:
    """Return the accuracy of each table ``(B, groups, groups)``."""
    return np.asarray(np.trace(tables, axis1=1, axis2=2) / tables.sum((1, 2)), dtype=np.float64)


def _kappas(tables: npt.NDArray[Any]) -> Floats:
    """Return the quadratic-weighted kappa of each table; NaN where it is undefined."""
    observed = tables / tables.sum((1, 2), keepdims=True)
    expected = observed.sum(2)[:, :, None] * observed.sum(1)[:, None, :]
    places = np.arange(tables.shape[1])
    cost = np.square(places[:, None] - places[None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        kappas = 1 - (cost * observed).sum((1, 2)) / (cost * expected).sum((1, 2))
    one_group = (observed.sum(2) > 0).sum(1) < 2
    return np.asarray(np.where(one_group, np.nan, kappas), dtype=np.float64)
