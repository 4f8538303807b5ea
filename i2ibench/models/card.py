"""A model's card: what it is and which settings it has."""

from __future__ import annotations

import inspect
from typing import Any

from i2ibench import registry
from i2ibench.models.config import schema_of
from i2ibench.models.interface import TrainableModel, registered_model


def model_card(name: str) -> dict[str, Any]:
    """Return name, description, kind and settings of a registered model as JSON values."""
    model_class = registered_model(name)
    entry = registry.models.entry(name)
    config_class = schema_of(model_class.Config)
    schema = config_class.model_json_schema()
    settings = {
        key: {
            "default": "required" if field.is_required() else field.default,
            "type": schema["properties"][key].get("type", "choice"),
            "description": field.description or "",
        }
        for key, field in config_class.model_fields.items()
    }
    return {
        "name": name,
        "description": inspect.getdoc(model_class) or "",
        "from": f"{entry.provider} ({entry.target})",
        "trainable": issubclass(model_class, TrainableModel),
        "uses_target": model_class.uses_target,
        "stochastic": model_class.stochastic,
        "settings": settings,
    }
