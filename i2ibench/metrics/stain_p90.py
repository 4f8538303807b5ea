"""DAB p90: how strong the strongest stain of an image is, and whether levels keep their order.

As in arXiv:2603.12716. Stains are separated by the pseudo-inverse of two vectors, DAB and
hematoxylin; the optical density is ``-log10(x + 1e-6)`` of light x in [1e-6, 1]; p90 is the mean of
the softplus (beta 5) of the DAB amounts at or above their 90th percentile. It is 0.1386, the
softplus of 0, for a white image, and not on the scale of the other stain metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from i2ibench.metrics.by_pair import ByPair, KeyedSetMetric
from i2ibench.metrics.interface import Context, PairImages, PairMetric, Score, Signature
from i2ibench.metrics.pair_images import UInt8Image
from i2ibench.metrics.stain import pearson

Float64 = npt.NDArray[np.float64]
# p90 of prediction and target, and the pair's group.
Strength = tuple[float, float, "str | None"]

_DAB_HEMATOXYLIN = np.array([[0.268, 0.570, 0.776], [0.650, 0.704, 0.286]])
_FLOOR = 1e-6
_BETA = 5.0
_PERCENTILE = 90
# Within a level of fewer images a correlation says nothing.
_FEWEST_OF_LEVEL = 6


class DABStrengthError(PairMetric):
    """Error of the DAB p90 of one image pair, mean over pairs.

    ``|p90 of the prediction - p90 of the target|``, in the softplus of DAB amounts
    (arXiv:2603.12716). It looks at the strongest tenth of the pixels of each image, wherever they
    are.
    """

    name = "dab-p90-error"
    range = (0.0, math.inf)
    title = "DAB-p90 error"
    position = 332
    unit = "OD"
    better = "lower"
    digits = 4

    def signature(self) -> Signature:
        """Return ``dab-p90-error|deconvolution:h-dab-pinv|floor:1e-6|softplus:5|...``."""
        return self._signature(*_P90, ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the absolute error."""
        prediction, target = pair.once(strengths_of)
        return abs(prediction - target)


class _StrengthMetric(KeyedSetMetric[Strength]):
    """What the metrics across images share: one state."""

    def state_key(self) -> str:
        """Return the key that the metrics of p90 share."""
        return "dab-p90"

    def describe(self, pair: PairImages) -> Strength:
        """Return p90 of prediction and target, and the group."""
        return (*pair.once(strengths_of), pair.group)


class DABStrengthCorrelation(_StrengthMetric):
    """Pearson correlation across images of the DAB p90.

    Over all images it is high already where a model finds the level; the correlation within each
    level says whether it finds more than that (arXiv:2603.12716). It stands in the record as the
    value of the level, and of levels of more than 5 images in the details.
    """

    name = "dab-p90-correlation"
    trap = "High already where the level alone is found; read it within each level."
    range = (-1.0, 1.0)
    title = "DAB-p90 correlation"
    position = 352
    better = "higher"
    digits = 4

    def signature(self) -> Signature:
        """Return ``dab-p90-correlation|deconvolution:h-dab-pinv|...|pearson|across:images|v:1``."""
        return self._signature(*_P90, "pearson", ("across", "images"))

    def compute(self, state: ByPair[Strength]) -> Score:
        """Return the correlation; three pairs are the least."""
        rows = state.ordered()
        if len(rows) < 3:
            return Score(None, unavailable=f"{self.name} needs at least 3 pairs, not {len(rows)}")
        value = _correlation(rows)
        if value is None:
            return Score(None, unavailable="all images have the same p90: no correlation")
        levels = _by_level(rows)
        within = {
            level: _correlation(members)
            for level, members in levels.items()
            if len(levels) > 1 and len(members) >= _FEWEST_OF_LEVEL
        }
        return Score(value, details={"within": within} if within else {})


class DABStrengthOrder(_StrengthMetric):
    """Number of pairs of levels whose mean DAB p90 is in the wrong order in the predictions.

    Of two levels the higher one must have the higher mean over its predictions
    (arXiv:2603.12716); equal means are in the wrong order. 0 is the best, and a note says of how
    many pairs of levels, and how many are in the wrong order in the targets themselves. Needs
    groups with an order.
    """

    name = "dab-p90-order"
    range = (0.0, math.inf)
    title = "DAB-p90 order"
    position = 354
    better = "lower"
    digits = 0
    _order: tuple[str, ...] = ()

    def prepare(self, context: Context) -> None:
        """Keep the order of the groups."""
        self._order = context.group_order

    def signature(self) -> Signature:
        """Return ``dab-p90-order|deconvolution:h-dab-pinv|...|means-of-levels|v:1``."""
        return self._signature(*_P90, "means-of-levels")

    def compute(self, state: ByPair[Strength]) -> Score:
        """Return the number of pairs of levels; pairs without a level of the order are left out."""
        levels = _by_level(state.ordered())
        ordered = [level for level in self._order if level in levels]
        if len(ordered) < 2:
            lacking = "pairs of at least 2 groups" if self._order else "groups with an order"
            return Score(None, unavailable=f"{self.name} needs {lacking}")
        members = [levels[level] for level in ordered]
        means = {
            "predictions": [math.fsum(row[0] for row in rows) / len(rows) for rows in members],
            "targets": [math.fsum(row[1] for row in rows) / len(rows) for rows in members],
        }
        wrong = {side: _in_wrong_order(found) for side, found in means.items()}
        pairs = math.comb(len(ordered), 2)
        details: dict[str, Any] = {"levels": ordered, "pairs_of_levels": pairs, "means": means}
        return Score(
            float(wrong["predictions"]),
            notes=(f"of {pairs} pairs of levels; {wrong['targets']} in the targets",),
            details={**details, "targets": wrong["targets"]},
        )


def strengths_of(pair: PairImages) -> tuple[float, float]:
    """Return the p90 of prediction and target."""
    return p90(pair.prediction), pair.once_of_target(p90)


def p90(image: UInt8Image) -> float:
    """Return the DAB p90 of one uint8 RGB image (H, W, 3) (arXiv:2603.12716)."""
    channels = cv2.LUT(np.ascontiguousarray(image), _amount_table())
    amounts = channels[:, :, 0] + channels[:, :, 1]
    amounts += channels[:, :, 2]
    # The published code takes the percentile of the softplus. It picks the same pixels, because the
    # softplus keeps their order; so only these need one.
    strongest = amounts[amounts >= np.percentile(amounts, _PERCENTILE)]
    return float(np.logaddexp(0, _BETA * strongest).mean() / _BETA)


@cache
def _amount_table() -> Float64:
    """Return what each level of each channel adds to the amount of DAB: (1, 256, 3)."""
    light = np.clip(np.arange(256) / 255, _FLOOR, 1)
    table: Float64 = np.outer(-np.log10(light + _FLOOR), np.linalg.pinv(_DAB_HEMATOXYLIN)[:, 0])
    return table[None]


def _by_level(rows: Iterable[Strength]) -> dict[str, list[Strength]]:
    levels: dict[str, list[Strength]] = {}
    for row in rows:
        if row[2] is not None:
            levels.setdefault(row[2], []).append(row)
    return dict(sorted(levels.items()))


def _correlation(rows: Sequence[Strength]) -> float | None:
    return pearson([row[0] for row in rows], [row[1] for row in rows])


def _in_wrong_order(means: Sequence[float]) -> int:
    return sum(low >= high for low, high in combinations(means, 2))


_P90 = (("deconvolution", "h-dab-pinv"), ("floor", "1e-6"), ("softplus", "5"), ("from", "p90"))
