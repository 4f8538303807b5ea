"""A number of a study with how sure it is, and how tables show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from i2ibench.statistics.agreement import agreement, agreement_interval
from i2ibench.statistics.bootstrap import Floats
from i2ibench.statistics.shares import share_interval
from i2ibench.studies.tables_of_answers import units
from i2ibench.wording import NO_VALUE


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of a study.

    Attributes:
        value: None where it is undefined.
        ci95: over clusters; None where there is none.
        n: answers, pairs of answers or methods that it is made of.
    """

    value: float | None
    ci95: tuple[float, float] | None
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        interval = None if self.ci95 is None else list(self.ci95)
        return {"value": self.value, "ci95": interval, "n": self.n}

    def text(self, *, signed: bool = False) -> str:
        """Return the number, and below it its interval."""
        if self.value is None:
            return NO_VALUE
        form = "+.2f" if signed else ".2f"
        shown = f"{self.value:{form}}"
        if self.ci95 is None:
            return shown
        low, high = self.ci95
        return f"{shown}\n[{low:{form}}, {high:{form}}]"


def share(rows: pd.DataFrame, values: Floats) -> Estimate:
    """Return a mean of values in [0, 1], one a row, with an interval over the rows' units."""
    if not len(rows):
        return Estimate(None, None, 0)
    return Estimate(float(values.mean()), share_interval(values, units(rows)), len(rows))


def kappa(rows: pd.DataFrame, first: str, second: str, levels: int) -> Estimate:
    """Return the quadratic-weighted kappa of two columns of places, with its interval."""
    a, b = rows[first].to_numpy(dtype="intp"), rows[second].to_numpy(dtype="intp")
    value = agreement(a, b, levels, "quadratic-kappa")
    interval = None
    if value is not None:
        interval = agreement_interval(a, b, levels, units(rows), "quadratic-kappa")
    return Estimate(value, interval, len(rows))
