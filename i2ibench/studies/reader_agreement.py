"""How far readers agree: with each other, and with themselves on what they see twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from i2ibench.seeds import derive_seed
from i2ibench.statistics.bootstrap import Floats
from i2ibench.statistics.draws import draw_counts
from i2ibench.statistics.percentiles import percentile_interval
from i2ibench.studies.estimates import Estimate, kappa, share
from i2ibench.studies.tables_of_answers import first_sight, units

NO_LIBRARY = "needs the package krippendorff: pip install 'i2ibench[study]'"
# The library computes one alpha at a time.
_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class TwoReaders:
    """Agreement of two readers, or of a reader's first and second sight (both the same code).

    Attributes:
        first, second: codes.
        level_kappa: quadratic-weighted, of levels that both could read.
        same_level: share of one level by both, of the same images.
        same_real: share of images that both take for real, or both for generated.
        same_choice: share of comparisons with the same choice.
    """

    first: str
    second: str
    level_kappa: Estimate
    same_level: Estimate
    same_real: Estimate
    same_choice: Estimate


@dataclass(frozen=True, slots=True)
class Alphas:
    """Krippendorff's alpha over all readers; ``unavailable`` says why there is none."""

    level: Estimate
    real: Estimate
    choice: Estimate
    unavailable: str = ""


def between_readers(rated: pd.DataFrame, preferred: pd.DataFrame, levels: int) -> list[TwoReaders]:
    """Return the agreement of every two readers on what both saw for the first time."""
    one, two = first_sight(rated), first_sight(preferred)
    codes = sorted({*one["reader"], *two["reader"]})
    return [
        _two(
            (a, b),
            _beside(one[one["reader"] == a], one[one["reader"] == b], "item"),
            _beside(two[two["reader"] == a], two[two["reader"] == b], "item"),
            levels,
        )
        for a, b in combinations(codes, 2)
    ]


def within_readers(rated: pd.DataFrame, preferred: pd.DataFrame, levels: int) -> list[TwoReaders]:
    """Return how far each reader's second answers are the first."""
    found = []
    for code in sorted({*rated["reader"], *preferred["reader"]}):
        one, two = (table[table["reader"] == code] for table in (rated, preferred))
        again = two[two["repeats"] != ""]
        # Its sides are exchanged.
        again = again.assign(left_wins=1 - again["left_wins"])
        found.append(
            _two(
                (code, code),
                _beside(one, one[one["repeats"] != ""], "repeats"),
                _beside(two, again, "repeats"),
                levels,
            )
        )
    return found


def _beside(first: pd.DataFrame, second: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return both answers to the same items; ``name`` is their column in the second table."""
    second = second.drop(columns="item") if name != "item" else second
    renamed = second.rename(columns={name: "item"})
    beside: pd.DataFrame = first.merge(renamed, on="item", suffixes=("", "_2"))
    return beside


def _two(
    codes: tuple[str, str], rated: pd.DataFrame, preferred: pd.DataFrame, levels: int
) -> TwoReaders:
    read = rated[(rated["read"] >= 0) & (rated["read_2"] >= 0)]
    return TwoReaders(
        *codes,
        level_kappa=kappa(read, "read", "read_2", levels) if levels else Estimate(None, None, 0),
        same_level=_same(read, "read"),
        same_real=_same(rated, "said_real"),
        same_choice=_same(preferred, "left_wins"),
    )


def _same(rows: pd.DataFrame, column: str) -> Estimate:
    return share(rows, (rows[column] == rows[f"{column}_2"]).to_numpy(dtype=np.float64))


def alphas(rated: pd.DataFrame, preferred: pd.DataFrame, levels: int) -> Alphas:
    """Return Krippendorff's alpha of levels (ordinal), of real or generated and of preferences."""
    one, two = first_sight(rated), first_sight(preferred)
    nothing = Estimate(None, None, 0)
    try:
        import krippendorff as library
    except ImportError:
        return Alphas(nothing, nothing, nothing, NO_LIBRARY)
    read = one[one["read"] >= 0]
    return Alphas(
        level=_alpha(library, read, read["read"], range(levels), "ordinal") if levels else nothing,
        real=_alpha(library, one, one["said_real"], (False, True), "nominal"),
        choice=_alpha(library, two, two["left_wins"], (0.0, 0.5, 1.0), "ordinal"),
    )


def _alpha(
    library: Any,
    rows: pd.DataFrame,
    values: pd.Series[Any],
    domain: Iterable[float],
    measured: Literal["nominal", "ordinal"],
) -> Estimate:
    """Return alpha with an interval over units; of items that two readers or more have answered."""
    known = list(domain)
    which = pd.Categorical(values, categories=known)
    counts = pd.crosstab(rows["item"].to_numpy(), which.codes).reindex(
        columns=range(len(known)), fill_value=0
    )
    counts = counts[counts.sum(axis=1) > 1]
    number = int(counts.to_numpy().sum())
    if not number:
        return Estimate(None, None, 0)

    def of(table: Floats) -> float:
        # Where all say one thing there is no disagreement to expect; the library refuses it.
        if (table.sum(0) > 0).sum() < 2:
            return float("nan")
        return float(library.alpha(value_counts=table, level_of_measurement=measured))

    table = counts.to_numpy(dtype=np.float64)
    value = of(table)
    place = units(rows.drop_duplicates("item").set_index("item").loc[counts.index])
    size = int(place.max()) + 1
    draws = np.concatenate([*draw_counts(derive_seed(0, "alpha", size), _RESAMPLES, size)])
    resampled = [of(np.repeat(table, each[place].astype(np.intp), axis=0)) for each in draws]
    if not np.isfinite(value):
        return Estimate(None, None, number)
    interval = percentile_interval(value, np.array(resampled), size)
    return Estimate(
        value, None if interval is None else (interval[0], min(1.0, interval[1])), number
    )
