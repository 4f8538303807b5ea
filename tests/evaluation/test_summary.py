"""What notes say of values is true of the metric they stand beside, and what undefined pairs do."""

from __future__ import annotations

import math
import statistics
import warnings
from pathlib import Path

import pytest

from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import DataError
from i2ibench.evaluation.accumulate import Accumulation
from i2ibench.evaluation.metric_calls import check_value
from i2ibench.evaluation.metric_choice import ChosenMetrics
from i2ibench.evaluation.pair_values import PairValues
from i2ibench.evaluation.summary import group_values, macro_values, overall_values
from i2ibench.metrics.alignment import PSNRAligned
from i2ibench.metrics.interface import PairMetric, Score, SetMetric
from i2ibench.metrics.pixel import PSNR


def _values(name, by_pair):
    """Return the values of one metric by pair id, as a pass collects them."""
    found = PairValues([name])
    for pair_id, value in by_pair.items():
        found.add(pair_id, {name: value})
    return found


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
    found = Accumulation(_values(metric.name, scores))
    chosen = ChosenMetrics({metric.name: metric}, {}, frozenset(), frozenset())
    values, _ = overall_values(found, chosen)
    assert values[metric.name].notes[0] == note


class Overlap(PairMetric):
    """Is undefined on some pairs; a group counts in the macro mean from two defined ones."""

    name = "overlap"
    better = "higher"
    undefined_means = "targets are empty"
    least_pairs_of_group = 2

    def signature(self):
        return self._signature("test")


class OverlapOfAny(Overlap):
    """As Overlap, but one defined pair is enough of a group."""

    least_pairs_of_group = 1


NAN = math.nan


def _summed_up(metric, groups, by_name=()):
    """Return the overall value, those of groups, and the macro mean of scores by group."""
    ids = [(group, f"{group}-{i}") for group, values in groups.items() for i in range(len(values))]
    values = [value for each in groups.values() for value in each]
    pairs = tuple(ImagePair(key, *[ImageRef(Path(key))] * 2, group) for group, key in ids)
    dataset = PairedDataset("drawn", "test", pairs, root=Path(), group_order=tuple(groups))
    scores = _values(metric.name, dict(zip([pair.id for pair in pairs], values, strict=True)))
    counts = {group: len(each) for group, each in groups.items()}
    found = Accumulation(scores, counts=counts)
    chosen = ChosenMetrics({metric.name: metric}, {}, frozenset(by_name), frozenset())
    by_group = group_values(found, chosen, dataset)
    overall, _ = overall_values(found, chosen)
    macro = macro_values(by_group, chosen)
    of_groups = {group: each.metrics[metric.name] for group, each in by_group.items()}
    return overall[metric.name], of_groups, macro[metric.name]


def test_undefined_pairs_are_left_out_of_the_mean_and_counted():
    groups = {"0": [NAN, NAN], "1+": [NAN, 0.5], "3+": [1.0, 0.0, NAN]}
    overall, by_group, _ = _summed_up(Overlap(), groups)
    assert (overall.value, overall.n) == (0.5, 3)
    assert overall.notes == ("undefined: 4 of 7 targets are empty",)
    assert (by_group["1+"].value, by_group["1+"].n) == (0.5, 1)
    assert (by_group["0"].value, by_group["0"].n) == (None, 0)
    assert by_group["0"].unavailable == "undefined: 2 of 2 targets are empty"


def test_the_macro_mean_is_over_groups_with_enough_defined_pairs():
    groups = {"0": [NAN, NAN], "1+": [NAN, 0.5], "2+": [0.2, 0.4], "3+": [1.0, 0.0, NAN]}
    _, _, macro = _summed_up(Overlap(), groups)
    assert (macro.value, macro.n) == (pytest.approx(0.4), 4)
    assert macro.notes == ("without 0, 1+: fewer than 2 defined pairs",)
    assert macro.signature == "overlap|test|macro:group|v:1"
    _, _, macro = _summed_up(OverlapOfAny(), groups)
    assert (macro.value, macro.n) == (pytest.approx((0.5 + 0.3 + 0.5) / 3), 5)
    assert macro.notes == ("without 0: no defined pair",)


@pytest.mark.parametrize("by_name", [(), ("overlap",)])
def test_a_metric_that_no_pair_defines_is_unavailable_and_no_error(by_name):
    overall, _, macro = _summed_up(Overlap(), {"0": [NAN, NAN], "1+": [NAN]}, by_name)
    assert (overall.value, overall.n, macro.value, macro.n) == (None, 0, None, 0)
    assert overall.unavailable == "undefined: 3 of 3 targets are empty"
    assert "fewer than 2" in macro.unavailable
    assert overall.signature  # it was computed: its definition stands in the record


def test_a_defined_pair_alone_makes_a_group_that_is_too_small_for_the_macro_mean():
    overall, _, macro = _summed_up(Overlap(), {"0": [0.3], "1+": [NAN]})
    assert overall.value == 0.3
    assert (macro.value, macro.unavailable) == (None, "without 0, 1+: fewer than 2 defined pairs")


def test_of_a_metric_that_is_always_defined_every_group_counts():
    _, by_group, macro = _summed_up(PSNR(), {"0": [math.inf], "1+": [20.0]})
    assert by_group["1+"].notes == ()
    assert macro.value is None
    assert "group 0" in macro.unavailable


def test_of_undefined_and_infinite_pairs_both_are_told():
    class Both(Overlap):
        name = "both"
        infinite_when_equal = True

    overall, _, _ = _summed_up(Both(), {"0": [NAN, math.inf, 2.0]})
    assert (overall.value, overall.n) == (None, 2)
    assert [note.split()[:4] for note in overall.notes] == [
        ["undefined:", "1", "of", "3"],
        ["infinite:", "1", "of", "2"],
        ["mean", "of", "the", "other"],
    ]


def test_nan_is_a_value_of_metrics_alone_that_say_so():
    assert math.isnan(check_value(Overlap(), NAN, "a"))
    with pytest.raises(DataError, match="psnr is nan on pair a"):
        check_value(PSNR(), NAN, "a")
    with pytest.raises(DataError, match="overlap is inf on pair a"):
        check_value(Overlap(), math.inf, "a")


class Ratio(SetMetric):
    """A set metric that a state of one number is the value of."""

    name = "ratio"
    better = None
    macro = "geometric"

    def signature(self):
        return self._signature()

    def merge(self, state, other):
        return (state * other) ** 0.5

    def compute(self, state):
        return Score(state) if state is not None else Score(None, unavailable="no two pairs")


def _of_states(states, by_name=()):
    chosen = ChosenMetrics({"ratio": Ratio()}, {}, frozenset(by_name), frozenset())
    found = Accumulation(PairValues([]), states={"ratio": states}, counts=dict.fromkeys(states, 1))
    pairs = tuple(ImagePair(key, *[ImageRef(Path(key))] * 2, key) for key in states)
    dataset = PairedDataset("drawn", "test", pairs, root=Path(), group_order=tuple(states))
    return found, chosen, macro_values(group_values(found, chosen, dataset), chosen)["ratio"]


def test_the_macro_mean_of_ratios_is_geometric():
    """Its four ratios multiply to 1.77; added, they would be 1.40 on average."""
    ratios = {"0": 2.36, "1+": 1.86, "2+": 0.94, "3+": 0.43}
    _, _, macro = _of_states(ratios)
    assert macro.value == pytest.approx(statistics.geometric_mean(ratios.values()), rel=1e-12)
    assert macro.signature == "ratio|macro:group-geometric|v:1"
    assert _of_states({"0": 2.0, "1+": 0.5})[2].value == pytest.approx(1)


def test_a_ratio_of_zero_makes_the_geometric_mean_zero_and_is_named():
    _, _, macro = _of_states({"0": 2.0, "1+": 0.0})
    assert macro.value == 0
    assert any("1+" in note for note in macro.notes)
    with pytest.raises(DataError, match=r"ratio .*1\+.*geometric"):
        _of_states({"0": 2.0, "1+": -1.0})


def test_a_pair_metric_has_no_geometric_mean():
    with pytest.raises(ValueError, match="geometric"):
        type("Wrong", (Own,), {"name": "wrong", "macro": "geometric"})


@pytest.mark.parametrize("by_name", [(), ("ratio",)])
def test_what_pairs_do_not_define_warns_where_it_was_asked_for(by_name):
    found, chosen, macro = _of_states({"0": None}, by_name)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        values, _ = overall_values(found, chosen)
    assert values["ratio"].unavailable == "no two pairs"
    assert macro.value is None
    assert [("ratio" in str(each.message)) for each in told] == [True] * len(by_name)
