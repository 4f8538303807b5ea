"""A metric that fails, or is no number, ends the evaluation with its name and the pair's id."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from factories import register_metric

from i2ibench.errors import DataError
from i2ibench.evaluation.metric_calls import check_description
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.metrics.interface import MetricSettings, PairMetric, Score, SetMetric

I2I = load_protocol("i2i-1")


class OfPairs(PairMetric):
    """Fails, or is no number, on one pair."""

    name = "failing"
    better = "higher"

    class Settings(MetricSettings):
        fault: str

    def signature(self):
        return self._signature("test")

    def score_pair(self, pair):
        if not pair.id.startswith("00002"):
            return 1.0
        if self.settings.fault == "raise":
            raise ZeroDivisionError("division by zero")
        if self.settings.fault == "refuse":
            raise DataError("too dark")
        return {"nan": math.nan, "inf": math.inf, "none": None}[self.settings.fault]


class OfSets(SetMetric):
    """Fails, or keeps what is no number, at one step."""

    name = "failing"
    better = "higher"
    Settings = OfPairs.Settings

    def signature(self):
        return self._signature("test")

    def describe(self, pair):
        found = OfPairs.score_pair(self, pair) if self.settings.fault in ("nan", "raise") else 1.0
        return {"kept": (np.full(3, found),)}

    def new_state(self):
        return []

    def update(self, state, pair_id, description):
        if self.settings.fault == "update" and pair_id.startswith("00002"):
            raise KeyError(pair_id)
        state.append(description)

    def merge(self, state, other):
        return [*state, *other]

    def compute(self, state):
        if self.settings.fault == "compute":
            return Score(1 / 0)
        values = {"value": math.nan, "text": "1", "bare": 1.0}
        value = values.get(self.settings.fault, 1.0)
        return value if self.settings.fault == "bare" else Score(value)


ON_PAIR = r"on pair 00002_test_2\+"


@pytest.mark.parametrize(
    ("metric", "fault", "message"),
    [
        (OfPairs, "nan", f"metric failing is nan {ON_PAIR}; look at its images"),
        (OfPairs, "inf", f"metric failing is inf {ON_PAIR}"),
        (OfPairs, "none", f"metric failing gave NoneType and no number {ON_PAIR}"),
        (OfPairs, "raise", f"metric failing failed {ON_PAIR}: ZeroDivisionError: division by zero"),
        (OfPairs, "refuse", f"metric failing failed {ON_PAIR}: too dark"),
        (OfSets, "nan", f"metric failing found NaN {ON_PAIR}; look at its images"),
        (OfSets, "raise", f"metric failing failed {ON_PAIR}: ZeroDivisionError"),
        (OfSets, "update", f"metric failing failed {ON_PAIR}: KeyError"),
        (OfSets, "compute", "metric failing failed: ZeroDivisionError"),
        (OfSets, "value", "metric failing is nan; its inputs cannot be trusted"),
        (OfSets, "text", "metric failing gave str and no score; tell its authors"),
        (OfSets, "bare", "metric failing gave float and no score; tell its authors"),
    ],
)
def test_a_failure_is_never_a_value(draw, monkeypatch, metric, fault, message):
    register_metric(monkeypatch, "failing", metric)
    dataset, predictions = draw(4)
    content = I2I.model_dump()
    content["metrics"] = [{"name": "psnr"}, {"name": "failing", "settings": {"fault": fault}}]
    with pytest.raises(DataError, match=message):
        evaluate(dataset, predictions, protocol=type(I2I)(**content))


@dataclass
class Kept:
    priority: np.ndarray
    inner: object


@pytest.mark.parametrize("nan", [math.nan, np.float32("nan"), np.array([1, np.nan], np.float16)])
def test_nan_is_found_wherever_a_description_holds_it(nan):
    whole = Kept(np.arange(3, dtype=np.uint64), [{"a": (np.ones(2), "text", None, math.inf)}])
    check_description(OfSets, whole, "a")
    for holder in (nan, [nan], {"a": (1.0, nan)}, Kept(np.ones(1), {"b": [nan]})):
        with pytest.raises(DataError, match="failing found NaN on pair a"):
            check_description(OfSets, holder, "a")


@pytest.mark.parametrize(
    ("block", "factor", "metrics"),
    [
        ("Mixed_5b.branch1x1", 1e38, ["fid"]),
        ("Mixed_5b.branch1x1", 1e38, ["kid"]),
        ("Mixed_6c.branch7x7dbl_2", 1e38, ["precision"]),
        ("Mixed_7c.branch1x1", 3e37, ["recall"]),
    ],
)
def test_weights_that_overflow_are_no_perfect_score(
    draw, networks, seeded_inception, tmp_path, block, factor, metrics
):
    """Rectified NaN is 0, and equal features of all images are a FID of 0."""
    import torch

    state = dict(torch.load(seeded_inception, weights_only=True))
    state[f"{block}.bn.weight"] = state[f"{block}.bn.weight"] * factor
    place = tmp_path / "weights" / seeded_inception.name
    place.unlink()
    torch.save(state, place)
    dataset, predictions = draw(4)
    message = rf"metric {metrics[0]} failed on pair 0000\d_.*not (all )?finite.*again"
    with pytest.raises(DataError, match=message):
        evaluate(dataset, predictions, protocol=I2I, metrics=metrics, allow_unverified_weights=True)
