"""What readers see: levels against the slide's own, real against generated, and preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from i2ibench.statistics.agreement import confusion
from i2ibench.statistics.bootstrap import Floats, mean_intervals
from i2ibench.statistics.preferences import (
    bradley_terry,
    resampled_tables,
    strength_intervals,
)
from i2ibench.studies.estimates import Estimate, kappa, share
from i2ibench.studies.tables_of_answers import REAL, first_sight, units

GENERATED = "all generated"


@dataclass(frozen=True, slots=True)
class LevelReading:
    """Levels that were read in some images, against those of their slides.

    Attributes:
        name: of what made the images, of a reader, or of a level.
        accuracy: share that was read as the slide's level.
        kappa: quadratic-weighted.
        shift: mean of the level read less the slide's, in levels.
        unread: answers that no level could be read.
        counts: answers (slide's level, level read).
    """

    name: str
    accuracy: Estimate
    kappa: Estimate
    shift: Estimate
    unread: int
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class RealOrNot:
    """How often images are taken for real: of a maker, or by a reader.

    Attributes:
        name: of the maker or the reader.
        real_called_real, generated_called_real: shares; a maker has one of them.
    """

    name: str
    real_called_real: Estimate
    generated_called_real: Estimate

    @property
    def balanced_accuracy(self) -> float | None:
        """The mean share of right answers over real and generated images; 0.5 is chance."""
        right, wrong = self.real_called_real.value, self.generated_called_real.value
        return None if right is None or wrong is None else (right + 1 - wrong) / 2


@dataclass(frozen=True, slots=True)
class Strengths:
    """Preferences between makers.

    Attributes:
        makers: methods, and the real images where they were compared.
        share_won: of each maker's comparisons; one without a preference is half.
        strength: Bradley and Terry's log-strength of mean 0; None of all where none is of greatest
            likelihood.
        wins: ``wins[i][j]`` comparisons of i and j that i won.
        left_chosen: share of choices for the left, of those with a choice; 0.5 without a habit.
        unavailable: why there are no strengths.
        resampled, units: tables of wins of resamples, and how many units were drawn.
    """

    makers: tuple[str, ...]
    share_won: tuple[Estimate, ...]
    strength: tuple[Estimate, ...]
    wins: tuple[tuple[float, ...], ...]
    left_chosen: Estimate
    unavailable: str = ""
    resampled: Floats | None = field(default=None, repr=False, compare=False)
    units: int = 0


def level_readings(
    rated: pd.DataFrame, makers: Sequence[str], levels: Sequence[str]
) -> dict[str, list[LevelReading]]:
    """Return readings by maker, by reader, and by level of real and of generated images."""
    rows = first_sight(rated)
    rows = rows[rows["truth"] >= 0]
    real, generated = rows[rows["maker"] == REAL], rows[rows["maker"] != REAL]
    size = len(levels)
    by_maker = [_reading(each, rows[rows["maker"] == each], size) for each in makers]
    readers = sorted(set(rows["reader"]))
    return {
        "maker": [*by_maker, _reading(GENERATED, generated, size)],
        "reader, real images": [
            _reading(code, real[real["reader"] == code], size) for code in readers
        ],
        "reader, generated": [
            _reading(code, generated[generated["reader"] == code], size) for code in readers
        ],
        "level, real images": [
            _reading(name, real[real["truth"] == place], size) for place, name in enumerate(levels)
        ],
        "level, generated": [
            _reading(name, generated[generated["truth"] == place], size)
            for place, name in enumerate(levels)
        ],
    }


def _reading(name: str, rows: pd.DataFrame, levels: int) -> LevelReading:
    read = rows[rows["read"] >= 0]
    truth, found = (read[column].to_numpy(dtype=np.intp) for column in ("truth", "read"))
    errors = (found - truth).astype(np.float64)
    shift = Estimate(None, None, 0)
    if len(read):
        [interval] = mean_intervals(errors[:, None], units(read))
        shift = Estimate(float(errors.mean()), interval, len(read))
    return LevelReading(
        name,
        share(read, (errors == 0).astype(np.float64)),
        kappa(read, "truth", "read", levels),
        shift,
        len(rows) - len(read),
        tuple(map(tuple, confusion(truth, found, levels).tolist())),
    )


def turing(rated: pd.DataFrame, makers: Sequence[str]) -> tuple[list[RealOrNot], list[RealOrNot]]:
    """Return how often images are taken for real, by maker and by reader."""
    rows = first_sight(rated)
    of_makers = [_real_or_not(each, rows[rows["maker"] == each]) for each in makers]
    of_makers.append(_real_or_not(GENERATED, rows[rows["maker"] != REAL]))
    readers = sorted(set(rows["reader"]))
    of_readers = [_real_or_not(code, rows[rows["reader"] == code]) for code in readers]
    return of_makers, [*of_readers, _real_or_not("all readers", rows)]


def _real_or_not(name: str, rows: pd.DataFrame) -> RealOrNot:
    parts = [rows[rows["maker"] == REAL], rows[rows["maker"] != REAL]]
    found = [share(part, part["said_real"].to_numpy(dtype=np.float64)) for part in parts]
    return RealOrNot(name, *found)


def preferences(preferred: pd.DataFrame, makers: Sequence[str]) -> Strengths:
    """Return what readers prefer, over all of them."""
    rows = first_sight(preferred)
    met = tuple(each for each in makers if each in {*rows["left"], *rows["right"]})
    place = {maker: number for number, maker in enumerate(met)}
    winners = np.zeros((len(rows), len(met), len(met)))
    left, right = (rows[side].map(place).to_numpy(dtype=np.intp) for side in ("left", "right"))
    won = rows["left_wins"].to_numpy(dtype=np.float64)
    winners[np.arange(len(rows)), left, right] = won
    winners[np.arange(len(rows)), right, left] = 1 - won
    table = winners.sum(0)
    chosen = rows[rows["left_wins"] != 0.5]
    shares = []
    for number in range(len(met)):
        own = rows[(left == number) | (right == number)]
        of_own = winners[(left == number) | (right == number), number].sum(1)
        shares.append(share(own, of_own))
    strengths = bradley_terry(table) if len(rows) else None
    found: list[Estimate] = [Estimate(None, None, each.n) for each in shares]
    resampled, size, why = None, 0, ""
    if strengths is None:
        why = "no strengths: some maker won, or lost, every comparison with the others"
    else:
        resampled, size = resampled_tables(winners, units(rows), 0)
        intervals = strength_intervals(strengths, resampled, size)
        found = [
            Estimate(float(value), interval, each.n)
            for value, interval, each in zip(strengths, intervals, shares, strict=True)
        ]
    return Strengths(
        met,
        tuple(shares),
        tuple(found),
        tuple(map(tuple, table.tolist())),
        share(chosen, chosen["left_wins"].to_numpy(dtype=np.float64)),
        why if len(rows) else "",
        resampled,
        size,
    )
