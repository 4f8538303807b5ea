"""One number of a table as words: the same for the terminal, pages, CSV and papers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from i2ibench.metrics.presentation import number
from i2ibench.wording import NO_VALUE

if TYPE_CHECKING:
    from i2ibench.results.record import MetricRecord

Style = Literal["rounded", "signed", "short", "printed"]


@dataclass(frozen=True, slots=True)
class NumberCell:
    """A number with all that a table may say of it; renderers only lay the words out.

    Attributes:
        value: None where there is none.
        metric: whose digits the words have; of an empty one about four significant digits.
        ci95: 95 % interval.
        spread: standard deviation over seeds.
        rank: the best and the worst rank in its column that tests leave open.
        claim: of one set of weights, which has no rank: than how many others it is surely better
            and surely worse, and how many there are.
        notes: what a reader must know; a table marks them, or says them beside.
        like: the number whose size decides the digits where the metric does not: by default value.
        style: ``rounded`` to the metric's digits, ``signed`` of a difference, ``short`` with four
            significant digits, or ``printed`` as a source prints it.
    """

    value: float | None
    metric: str = ""
    ci95: tuple[float, float] | None = None
    spread: float | None = None
    rank: tuple[int, int] | None = None
    claim: tuple[int, int, int] | None = None
    notes: tuple[str, ...] = ()
    like: float | None = None
    style: Style = "rounded"

    @property
    def text(self) -> str:
        """The value, without a word of the rest."""
        if self.value is None:
            return NO_VALUE
        if self.style == "short":
            plain = abs(self.value) < 1000 or math.isinf(self.value)
            return f"{self.value:.4g}" if plain else f"{self.value:.0f}"
        rounded = self._rounded(self.value)
        if self.style == "signed":
            return f"+{rounded}" if self.value > 0 else rounded
        if self.style == "printed":  # with the source's own digits, or fewer of very many
            own = repr(self.value)
            return own if _decimals(own) < _decimals(rounded) else rounded
        return rounded

    @property
    def interval(self) -> str:
        """``[low, high]``, or nothing."""
        if self.ci95 is None:
            return ""
        return f"[{self._rounded(self.ci95[0])}, {self._rounded(self.ci95[1])}]"

    @property
    def deviation(self) -> str:
        """The spread over seeds with the digits of the value, or nothing."""
        return "" if self.spread is None else self._rounded(self.spread)

    @property
    def place(self) -> str:
        """``#1-3`` of a rank, ``+3 -1 of 5`` of a claim, or nothing of what was not tested."""
        if self.rank is not None:
            best, worst = self.rank
            return f"#{best}" if best == worst else f"#{best}-{worst}"
        if self.claim is not None:
            better, worse, others = self.claim
            return f"+{better} -{worse} of {others}"
        return ""

    @property
    def is_best(self) -> bool:
        """Whether it is a method's and none is surely better: the best group, printed bold."""
        return self.rank is not None and self.rank[0] == 1

    def fields(self) -> dict[str, Any]:
        """Return the numbers at full precision, under the names that programs read."""
        low, high = self.ci95 or (None, None)
        best, worst = self.rank or (None, None)
        better, poorer, others = self.claim or (None, None, None)
        return {
            "value": self.value,
            "ci95_low": low,
            "ci95_high": high,
            "seed_sd": self.spread,
            "rank_best": best,
            "rank_worst": worst,
            "weights_better_than": better,
            "weights_worse_than": poorer,
            "weights_compared_with": others,
        }

    def _rounded(self, value: float) -> str:
        return number(value, self.metric, self.value if self.like is None else self.like)


def record_cell(
    record: MetricRecord | None, metric: str = "", style: Style = "rounded"
) -> NumberCell:
    """Return the cell of a record; infinite, which JSON has not, where no value has no reason."""
    if record is None:
        return NumberCell(None, metric)
    value = record.value
    if value is None and not record.unavailable:
        value = math.inf
    return NumberCell(value, metric, record.ci95, notes=record.notes, style=style)


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])
