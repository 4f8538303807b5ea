"""One recorded value beside that of a package: can they be compared, and do they agree?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from i2ibench.errors import MissingError
from i2ibench.metrics.interface import Context, registered_metric
from i2ibench.metrics.networks.network_loading import find_weights, signature_mark
from i2ibench.metrics.networks.weights import WeightsFile
from i2ibench.metrics.signature import Signature
from i2ibench.results.record import MetricRecord, Result
from i2ibench.results.reference import REFERENCES

# Settings of a signature that are not part of a definition.
_VARYING = frozenset({"weights", "precision", "subset", "subsets", "seed"})


@dataclass(frozen=True, slots=True)
class MetricCrossCheck:
    """One metric by us and by a package, over the same pairs.

    Attributes:
        metric: its name.
        package: the distribution that computes it.
        version: the installed one; None where it is not installed.
        recorded: our value: the record's over all pairs, else the mean of the stored scores.
        reference: the package's value over the same pairs.
        difference: the largest one, of the means and of any pair.
        pair: the pair that differs most, where scores per pair are stored.
        tolerance: how large a difference may be.
        pairs: how many pairs both values rest on.
        refuted: why the recorded value is wrong; None where both agree.
        unchecked: why there is no reference value, which refutes nothing.
    """

    metric: str
    package: str
    version: str | None
    recorded: float | None = None
    reference: float | None = None
    difference: float | None = None
    pair: str | None = None
    tolerance: float | None = None
    pairs: int = 0
    refuted: str | None = None
    unchecked: str | None = None


def comparable(name: str, result: Result) -> MetricRecord:
    """Return the record of a metric whose value a package can compute.

    Raises:
        MissingError: it cannot, with the reason.
    """
    record = result.metrics.get(name)
    if record is None:
        raise MissingError("not in the record")
    if record.value is None:
        reason = record.unavailable or "; ".join(record.notes) or "no reason is given"
        raise MissingError(f"the record has no value: {reason}")
    signature = Signature.parse(record.signature)
    definition = REFERENCES[name].definition
    kept = tuple(setting for setting in signature.settings if setting[0] not in _VARYING)
    if str(Signature(signature.name, kept, signature.version)) != definition:
        raise MissingError(f"recorded as {record.signature}, of which no package is known")
    precision = dict(signature.settings).get("precision", "fp32")
    if precision != "fp32":
        raise MissingError(f"recorded in {precision}, and the package computes in fp32")
    return record


def same_weights(name: str, record: MetricRecord, context: Context) -> list[WeightsFile]:
    """Return the weights that a value was recorded with; other ones would refute nothing.

    Raises:
        MissingError: they are not here.
    """
    needed = registered_metric(name).weights
    if not needed:
        return []
    files = find_weights(needed[0], context)
    recorded = dict(Signature.parse(record.signature).settings).get("weights")
    if recorded != signature_mark(files):
        raise MissingError(
            f"recorded with weights {recorded}, and here are {signature_mark(files)}"
        )
    return files


def without_reference(name: str, why: str) -> MetricCrossCheck:
    """Say why a metric is not compared."""
    by = REFERENCES[name]
    return MetricCrossCheck(name, by.package, by.version, unchecked=why)


def compare_pairs(
    name: str,
    record: MetricRecord,
    ids: Sequence[str],
    values: Sequence[float],
    scores: Mapping[str, float] | None,
) -> MetricCrossCheck:
    """Compare a package's values of some pairs with the stored scores, and their mean.

    ``scores`` are those of all pairs; without them the mean alone is compared, of all pairs then.
    """
    by, mean = REFERENCES[name], math.fsum(values) / len(values)
    if scores is None:
        return compare_value(name, record.value, mean, len(values))
    stored = [scores[pair_id] for pair_id in ids]
    recorded = record.value if len(ids) == len(scores) else math.fsum(stored) / len(stored)
    checked = compare_value(name, recorded, mean, len(values))
    apart = [0.0 if a == b else abs(a - b) for a, b in zip(values, stored, strict=True)]
    worst = max(range(len(ids)), key=apart.__getitem__)
    everything = math.fsum(scores.values()) / len(scores)
    refuted = checked.refuted
    if not apart[worst] <= by.tolerance(stored[worst]):
        refuted = (
            f"pair {ids[worst]}: {stored[worst]:.10g} stored, {values[worst]:.10g} by {by.package}"
        )
    elif record.value is None or not abs(everything - record.value) <= by.tolerance(everything):
        refuted = f"{record.value} recorded, but the mean of the stored scores is {everything:.10g}"
    return replace(
        checked,
        difference=max(checked.difference or 0.0, apart[worst]),
        pair=ids[worst],
        refuted=refuted,
    )


def compare_value(
    name: str, recorded: float | None, reference: float, pairs: int
) -> MetricCrossCheck:
    """Compare a package's value over a number of pairs with the recorded one."""
    by = REFERENCES[name]
    mine = math.nan if recorded is None else recorded
    difference, tolerance = abs(mine - reference), by.tolerance(mine)
    refuted = None
    if not difference <= tolerance:
        refuted = f"{mine:.10g} recorded, {reference:.10g} by {by.package}"
    return MetricCrossCheck(
        metric=name,
        package=by.package,
        version=by.version,
        recorded=mine,
        reference=reference,
        difference=difference,
        tolerance=tolerance,
        pairs=pairs,
        refuted=refuted,
    )
