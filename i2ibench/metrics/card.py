"""What a metric's card says: definition, direction, settings, and whether its weights are here."""

from __future__ import annotations

import inspect
from typing import Any

from i2ibench import registry
from i2ibench.errors import MissingError
from i2ibench.metrics.interface import Metric, PairMetric, SetMetric, registered_metric
from i2ibench.metrics.networks.weights import locate
from i2ibench.metrics.presentation import metric_title


def metric_card(name: str) -> dict[str, Any]:
    """Return the card of a registered metric as JSON values; an unknown name suggests others."""
    metric_class = registered_metric(name)
    metric = metric_class()
    settings = {
        key: {"default": field.default, "type": getattr(field.annotation, "__name__", "value")}
        for key, field in metric_class.Settings.model_fields.items()
    }
    return {
        "name": name,
        "title": metric_title(name),
        "description": (inspect.getdoc(metric_class) or "").replace("``", ""),
        "kind": _kind(metric_class),
        "unit": metric.unit,
        "better": metric.better,
        "digits": metric.digits,
        "version": metric.version,
        "minimum_size": metric.minimum_size,
        "signature": str(metric.signature()),
        "settings": settings,
        "runs_network": metric.runs_network,
        "weights": {weights: weights_state(weights) for weights in metric.weights},
        "provider": registry.metrics.entry(name).provider,
    }


def weights_state(name: str) -> str:
    """Return ``"verified"``, or why weights ``name`` cannot be used."""
    try:
        locate(name)
    except MissingError as error:
        return str(error)
    return "verified"


def _kind(metric_class: type[Metric]) -> str:
    if issubclass(metric_class, PairMetric):
        return "pair"
    return "set" if issubclass(metric_class, SetMetric) else "other"
