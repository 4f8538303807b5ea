"""From accumulated scores and states to an evaluation: overall, by group, macro mean."""

from __future__ import annotations

import math
import numbers
import warnings
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError
from i2ibench.evaluation.accumulate import Accumulation
from i2ibench.evaluation.metric_calls import guarded
from i2ibench.evaluation.metric_choice import ChosenMetrics
from i2ibench.evaluation.scores import GroupScores, MetricValue, PairColumns
from i2ibench.metrics.interface import Metric, PairMetric, Score, SetMetric

Values = dict[str, MetricValue]

# In the signature of a macro mean that is a geometric one.
_GEOMETRIC = "group-geometric"


def overall_values(found: Accumulation, chosen: ChosenMetrics) -> tuple[Values, dict[str, Any]]:
    """Return the values over all pairs and the details that set metrics add to them."""
    values: Values = {}
    details: dict[str, Any] = {}
    n = sum(found.counts.values())
    for name, metric in chosen.metrics.items():
        if name in chosen.unavailable:
            values[name] = _without_value(metric, n, chosen.unavailable[name])
            continue
        if isinstance(metric, SetMetric):
            score = _score_states(metric, found.states[metric.state_key()].values())
            values[name] = _set_value(metric, score, n)
            if score.details:
                details[name] = dict(score.details)
        elif isinstance(metric, PairMetric):
            values[name] = pair_value(metric, found.scores.of(name))
        if name in chosen.by_name and values[name].unavailable is not None:
            # What is missing was refused before; these pairs do not define it.
            warnings.warn(f"{name} has no value: {values[name].unavailable}", stacklevel=2)
    return values, details


def group_values(
    found: Accumulation, chosen: ChosenMetrics, dataset: PairedDataset
) -> dict[str, GroupScores]:
    """Return the values of each group, in the data set's order."""
    members: dict[str, list[str]] = {}
    for pair in dataset:
        if pair.group is not None:
            members.setdefault(pair.group, []).append(pair.id)
    groups = {}
    for group in _ordered(members, dataset.group_order):
        values: Values = {}
        n = len(members[group])
        for name, metric in chosen.metrics.items():
            if name in chosen.unavailable:
                values[name] = _without_value(metric, n, chosen.unavailable[name])
            elif isinstance(metric, SetMetric):
                score = _score_states(metric, [found.states[metric.state_key()][group]])
                values[name] = _set_value(metric, score, n)
            elif isinstance(metric, PairMetric):
                values[name] = pair_value(metric, found.scores.of(name, members[group]))
        groups[group] = GroupScores(n, values)
    return groups


def macro_values(groups: Mapping[str, GroupScores], chosen: ChosenMetrics) -> Values:
    """Return the unweighted mean over groups of each metric: arithmetic, or geometric of ratios."""
    if not groups:
        return {}
    macro: Values = {}
    for name, metric in chosen.metrics.items():
        every = {group: scores.metrics[name] for group, scores in groups.items()}
        if name in chosen.unavailable:
            n = sum(value.n for value in every.values())
            macro[name] = _without_value(metric, n, chosen.unavailable[name])
        else:
            kind = _GEOMETRIC if metric.macro == "geometric" else "group"
            signature = str(metric.signature().with_setting("macro", kind))
            macro[name] = macro_value(metric, every, signature)
    return macro


def macro_value(metric: Metric, every: Mapping[str, MetricValue], signature: str) -> MetricValue:
    """Return the mean of one metric's values over groups, each counting the same."""
    values, left_out = _groups_that_count(metric, every)
    n = sum(value.n for value in values.values())
    empty = [group for group, value in values.items() if value.value is None]
    if empty or not values:
        reason = f"no finite value for group {', '.join(empty)}" if empty else left_out
        return MetricValue(None, n, metric.unit, metric.better, signature, reason)
    mean, zero = _mean_of_groups(metric, signature, values)
    notes = tuple(dict.fromkeys([*_marks(values.values()), *filter(None, [left_out, zero])]))
    return MetricValue(mean, n, metric.unit, metric.better, signature, notes=notes)


def pair_columns(found: Accumulation, chosen: ChosenMetrics, dataset: PairedDataset) -> PairColumns:
    """Return the values of each pair metric, one a pair."""
    ids = [pair.id for pair in dataset]
    return PairColumns(
        ids=ids,
        groups=[pair.group for pair in dataset],
        clusters=[pair.cluster for pair in dataset],
        metrics={
            metric.name: array("d", found.scores.of(metric.name, ids))
            for metric in chosen.pair_metrics
        },
    )


def _score_states(metric: SetMetric[Any], states: Iterable[Any]) -> Score:
    score = guarded(metric, "", partial(_computed, metric, states))
    value = score.value if isinstance(score, Score) else score
    if not isinstance(score, Score) or not isinstance(value, numbers.Real | None):
        raise DataError(
            f"metric {metric.name} gave {type(value).__name__} and no score; tell its authors"
        )
    if score.value is not None and not math.isfinite(score.value):
        raise DataError(f"metric {metric.name} is {score.value}; its inputs cannot be trusted")
    return score


def _computed(metric: SetMetric[Any], states: Iterable[Any]) -> Score:
    merged, *others = states
    for state in others:
        merged = metric.merge(merged, state)
    return metric.compute(merged)


def _set_value(metric: Metric, score: Score, n: int) -> MetricValue:
    signature = metric.signature()
    for key, value in score.settings:
        signature = signature.with_setting(key, value)
    return MetricValue(
        score.value,
        n,
        metric.unit,
        metric.better,
        str(signature),
        unavailable=score.unavailable,
        ci95=score.ci95,
        notes=score.notes,
    )


def counts_in_macro(metric: type[Metric] | None, defined: int) -> bool:
    """Whether a group with so many ``defined`` pairs counts in the macro mean of a metric.

    All groups count, but of a metric that may be undefined those with enough defined pairs.
    """
    if metric is None or not issubclass(metric, PairMetric) or not metric.undefined_means:
        return True
    return defined >= max(1, metric.least_pairs_of_group)


def _groups_that_count(
    metric: Metric, values: Mapping[str, MetricValue]
) -> tuple[dict[str, MetricValue], str | None]:
    """Return the groups of a macro mean, and which others there are and why, if there are any."""
    counted = {
        group: value for group, value in values.items() if counts_in_macro(type(metric), value.n)
    }
    few = [group for group in values if group not in counted]
    if not few or not isinstance(metric, PairMetric):
        return counted, None
    least = metric.least_pairs_of_group
    why = "no defined pair" if least <= 1 else f"fewer than {least} defined pairs"
    return counted, f"without {', '.join(few)}: {why}"


def _mean_of_groups(
    metric: Metric, signature: str, values: Mapping[str, MetricValue]
) -> tuple[float, str | None]:
    """Return the mean over groups, and which of them make a geometric one 0, if any do."""
    found = {group: value.value for group, value in values.items() if value.value is not None}
    # A record says by its signature which mean it holds: older ones of ratios are arithmetic.
    if f"macro:{_GEOMETRIC}" not in signature.split("|"):
        return math.fsum(found.values()) / len(found), None
    below = [group for group, value in found.items() if value < 0]
    if below:
        raise DataError(
            f"metric {metric.name} is below 0 in group {', '.join(below)} and has no geometric "
            "mean; tell its authors"
        )
    zero = [group for group, value in found.items() if value == 0]
    if zero:
        return 0.0, f"0 because group {', '.join(zero)} is 0"
    return math.exp(math.fsum(map(math.log, found.values())) / len(found)), None


def pair_value(
    metric: PairMetric, values: Sequence[float], signature: str | None = None
) -> MetricValue:
    """Return the mean over the pairs on which the metric is defined; the others are counted.

    Infinite values make it infinite, which is said and counted too. The signature is the metric's
    own, which has to be prepared for it, unless it is given.
    """
    signature = str(metric.signature()) if signature is None else signature
    defined = [value for value in values if not math.isnan(value)]
    notes = []
    if len(defined) < len(values):
        undefined = len(values) - len(defined)
        notes.append(f"undefined: {undefined} of {len(values)} {metric.undefined_means}")
    value = MetricValue(None, len(defined), metric.unit, metric.better, signature)
    if not defined:
        return replace(value, unavailable=notes[0])
    infinite = sum(math.isinf(value) for value in defined)
    if not infinite:
        return replace(value, value=math.fsum(defined) / len(defined), notes=tuple(notes))
    notes.append(f"infinite: {infinite} of {len(defined)} {metric.infinite_means}")
    finite = [value for value in defined if not math.isinf(value)]
    if finite:
        mean = math.fsum(finite) / len(finite)
        notes.append(f"mean of the other {len(finite)}: {mean:.4f} {metric.unit}".strip())
    return replace(value, notes=tuple(notes))


def _without_value(metric: Metric, n: int, reason: str) -> MetricValue:
    return MetricValue(None, n, metric.unit, metric.better, "", unavailable=reason)


def _marks(values: Iterable[MetricValue]) -> Iterable[str]:
    """Yield the short marks of values, such as "biased", without their numbers."""
    for value in values:
        for note in value.notes:
            if note.startswith("biased"):
                yield "biased: groups are small"


def _ordered(groups: Iterable[str], order: Sequence[str]) -> list[str]:
    known = {group: place for place, group in enumerate(order)}
    return sorted(groups, key=lambda group: (known.get(group, len(known)), group))
