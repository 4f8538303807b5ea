"""A model's card: what it is and which settings it has."""

from __future__ import annotations

import inspect
import re
from typing import Any

from i2ibench import registry
from i2ibench.models.config import schema_of
from i2ibench.models.interface import TrainableModel, registered_model

# Of the part ``Attributes:`` of a docstring: a name with what is said of it, and more of that.
_ATTRIBUTE = re.compile(r" {4}(\w+)(?: \(.*?\))?: (.+)")
_CONTINUED = re.compile(r" {5,}(.+)")


def model_card(name: str) -> dict[str, Any]:
    """Return name, description, kind and settings of a registered model as JSON values.

    What a setting means is its field's description, or what the docstring of the class of settings,
    or of a base of it, says below ``Attributes:``.
    """
    model_class = registered_model(name)
    entry = registry.models.entry(name)
    config_class = schema_of(model_class.Config)
    schema = config_class.model_json_schema()
    meanings = _meanings(model_class.Config)
    settings = {
        key: {
            "default": "required" if field.is_required() else field.default,
            "type": schema["properties"][key].get("type", "choice"),
            "description": field.description or meanings.get(key, ""),
        }
        for key, field in config_class.model_fields.items()
    }
    return {
        "name": name,
        "description": (inspect.getdoc(model_class) or "").replace("``", ""),
        "from": f"{entry.provider} ({entry.target})",
        "trainable": issubclass(model_class, TrainableModel),
        "minimum_batch": getattr(model_class, "minimum_batch", None),
        "uses_target": model_class.uses_target,
        "stochastic": model_class.stochastic,
        "settings": settings,
    }


def _meanings(config_class: type[Any]) -> dict[str, str]:
    """Return what docstrings say of each setting; a class speaks before its bases."""
    found: dict[str, str] = {}
    for each in config_class.__mro__:
        for name, meaning in _attributes(vars(each).get("__doc__") or "").items():
            found.setdefault(name, meaning)
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """Return the names below ``Attributes:`` with what is said of them, each in one line."""
    _, _, section = inspect.cleandoc(docstring).partition("\nAttributes:\n")
    found: dict[str, str] = {}
    for line in section.splitlines():
        if match := _ATTRIBUTE.fullmatch(line):
            name, found[match[1]] = match[1], match[2]
        elif found and (match := _CONTINUED.fullmatch(line)):
            found[name] += f" {match[1]}"
        else:
            break
    return {name: meaning.replace("``", "") for name, meaning in found.items()}
