"""Two protocols, or one model's scores under both, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Structural

from i2ibench.errors import UsageError
from i2ibench.evaluation.protocol import Endpoints, Protocol
from i2ibench.metrics.interface import Metric, build_metric
from i2ibench.models.policy import InferencePolicy

# Of a protocol's facts, those that say how the model is run.
_POLICY = ("normalisation", "dropout", "mean of", "seed", "quantisation")


class MetricReading(Structural):
    """A metric's value: ``MetricValue`` of an evaluation, or its record."""

    @property
    def value(self) -> float | None:
        """The score, or None."""

    @property
    def unit(self) -> str:
        """Its unit."""

    @property
    def signature(self) -> str:
        """Its definition; empty of a metric that could not be computed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric under two protocols; ``change`` is second minus first, where both exist.

    ``signatures`` are the definitions of the two values, None where there is none.
    """

    metric: str
    first: float | None
    second: float | None
    change: float | None
    unit: str
    signatures: tuple[str | None, str | None]

    @property
    def redefined(self) -> bool:
        """Whether the two values are by other definitions, so that their change is of both."""
        one, two = self.signatures
        return one is not None and two is not None and one != two


def protocol_facts(protocol: Protocol) -> dict[str, str]:
    """Return what a protocol fixes, as words for a card."""
    preparation, inference = protocol.preparation, protocol.inference
    steps = ["native size"] if preparation.is_native else []
    if preparation.scale_width is not None:
        steps.append(f"bicubic to width {preparation.scale_width}")
    if preparation.centre_crop is not None:
        steps.append(f"centre {preparation.centre_crop} x {preparation.centre_crop}")
    if preparation.target_conversion is not None:
        steps.append("targets converted and truncated as predictions")
    return {
        "id": protocol.id,
        "title": protocol.title,
        "images": ", ".join(steps),
        "normalisation": f"{inference.normalization} statistics",
        "dropout": "active" if inference.dropout else "off",
        "mean of": _mean_of(inference),
        "seed": "none needed" if inference.seed is None else str(inference.seed),
        "quantisation": inference.quantization,
        "metrics": ", ".join(
            _with_settings(name, metric.settings.model_dump())
            for name, metric in _metrics(protocol).items()
        ),
        "main columns": ", ".join(protocol.main_metrics) or "none",
        "ranked": ", ".join(protocol.ranked_metrics) or "none",
        **_endpoint_facts(protocol.endpoints),
        "sha256": protocol.sha256,
    }


def _endpoint_facts(endpoints: Endpoints | None) -> dict[str, str]:
    """Return what decides, in words; the same keys for a protocol that says nothing of it."""
    if endpoints is None:
        return dict.fromkeys(("decided by", "guarded by", "equal within"), "not said")
    mean = "the mean over groups" if endpoints.primary_mean == "groups" else "the mean over pairs"
    margins = (f"{name} {margin:g}" for name, margin in endpoints.margins.items())
    return {
        "decided by": f"{', '.join(endpoints.primary)}: {mean}",
        "guarded by": ", ".join(endpoints.guardrails) or "none",
        "equal within": ", ".join(margins) or "not said",
    }


def protocol_card(protocol: Protocol) -> dict[str, Any]:
    """Return a protocol as JSON values, with the settings and the signature of each metric.

    Signatures are those before weights are loaded, settings all that a metric has.

    Raises:
        UsageError: an unknown metric or setting, with the nearest known ones.
    """
    metrics = _metrics(protocol)
    return {
        **protocol.model_dump(mode="json"),
        "main": protocol.main_metrics,
        "ranked": protocol.ranked_metrics,
        "sha256": protocol.sha256,
        "settings": {name: m.settings.model_dump(mode="json") for name, m in metrics.items()},
        "signatures": {name: str(metric.signature()) for name, metric in metrics.items()},
    }


def signature_rows(protocols: Sequence[Protocol]) -> list[list[str]]:
    """Return metric, protocol and signature, a row each; one row for a definition that all share.

    Further rows of a metric leave its name out, so that the eye finds what differs.
    """
    defined = {
        protocol.id: {name: str(metric.signature()) for name, metric in _metrics(protocol).items()}
        for protocol in protocols
    }
    rows = []
    for name in dict.fromkeys(name for found in defined.values() for name in found):
        signatures = {key: found[name] for key, found in defined.items() if name in found}
        alike = len(signatures) == len(defined) and len(set(signatures.values())) == 1
        own = {"both": next(iter(signatures.values()))} if alike else signatures
        for place, (key, signature) in enumerate(own.items()):
            rows.append(["" if place else name, key, signature])
    return rows


def check_same_files(first: Protocol, second: Protocol) -> None:
    """Check that two protocols can score the same predictions; scoring runs no model.

    Raises:
        UsageError: the protocols are one, or prepare images differently: a prediction has the size
            and the section of one preparation, so it is no prediction of the other's targets.
    """
    ids = [first.id, second.id]
    if first.id == second.id:
        raise UsageError(f"{first.id} is given twice; name two protocols to compare")
    one, two = (protocol_facts(protocol) for protocol in (first, second))
    apart = (
        "run the model under each, i2ibench run --protocol ID, and show the difference with "
        "i2ibench protocols --scores RUN --scores RUN"
    )
    if first.preparation != second.preparation:
        raise UsageError(
            f"{ids[0]} scores images at {one['images']}, {ids[1]} at {two['images']}: the same "
            f"predictions cannot be those of both; {apart}"
        )
    policies = [key for key in _POLICY if one[key] != two[key]]
    if policies:
        warnings.warn(
            f"{' and '.join(ids)} also run the model differently ({', '.join(policies)}), of which "
            f"predictions that are made tell nothing; {apart}",
            stacklevel=2,
        )


def compare_scores(
    first: Mapping[str, MetricReading], second: Mapping[str, MetricReading]
) -> list[Difference]:
    """Return the metrics of two evaluations in the first one's order, then the second's own."""
    rows = []
    for name in dict.fromkeys([*first, *second]):
        a, b = first.get(name), second.get(name)
        one, two = (None if v is None else v.value for v in (a, b))
        known = a if a is not None else b
        change = None if one is None or two is None else two - one
        unit = known.unit if known is not None else ""
        signatures = (_signature_of(a), _signature_of(b))
        rows.append(Difference(name, one, two, change, unit, signatures))
    return rows


def _metrics(protocol: Protocol) -> dict[str, Metric]:
    return {choice.name: build_metric(choice.name, choice.settings) for choice in protocol.metrics}


def _signature_of(scored: MetricReading | None) -> str | None:
    return scored.signature or None if scored is not None else None


def _mean_of(policy: InferencePolicy) -> str:
    symmetries = {"none": [], "flips": ["4 flips"], "dihedral": ["8 flips and turns"]}
    parts = symmetries[policy.augmentation]
    if policy.samples > 1:
        parts = [*parts, f"{policy.samples} stochastic passes"]
    return " x ".join(parts) or "a single pass"


def _with_settings(name: str, settings: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{key} {value}" for key, value in settings.items())
    return f"{name} ({shown})" if shown else name
