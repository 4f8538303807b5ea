"""What notes say of values is true of the metric they stand beside."""

from __future__ import annotations

import math

import pytest

from i2ibench.evaluation.accumulate import Accumulation
from i2ibench.evaluation.metric_choice import ChosenMetrics
from i2ibench.evaluation.summary import overall_values
from i2ibench.metrics.alignment import PSNRAligned
from i2ibench.metrics.interface import PairMetric
from i2ibench.metrics.pixel import PSNR


class Own(PairMetric):
    """A plugin's metric that says no more than that it can be infinite."""

    name = "own"
    better = "higher"
    infinite_when_equal = True

    def signature(self):
        return self._signature()


@pytest.mark.parametrize(
    ("metric", "note"),
    [
        (PSNR(), "infinite: 2 of 3 predictions equal their targets"),
        (
            PSNRAligned(),
            "infinite: 2 of 3 predictions, shifted, equal their targets where they overlap",
        ),
        (Own(), "infinite: 2 of 3 pairs have no error"),
    ],
)
def test_an_infinite_value_is_told_as_what_it_means(metric, note):
    scores = dict(zip("abc", (math.inf, 20.0, math.inf), strict=True))
    found = Accumulation({key: {metric.name: value} for key, value in scores.items()})
    chosen = ChosenMetrics({metric.name: metric}, {}, frozenset(), frozenset())
    values, _ = overall_values(found, chosen)
    assert values[metric.name].notes[0] == note
