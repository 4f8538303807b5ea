"""Keys of a recipe in a campaign's file: ``"training.epochs" = 1``, or nested."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic

from i2ibench import registry

SECTIONS = ("model", "training", "images")


def flat(value: Any) -> Any:
    """Return ``{"training": {"epochs": 1}}`` as ``{"training.epochs": 1}``."""
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if key in SECTIONS and isinstance(inner, dict):
            found.update({f"{key}.{name}": each for name, each in inner.items()})
        else:
            found[key] = inner
    return found


def checked_keys(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings whose keys name a section and a key in it.

    Raises:
        ValueError: one that does not.
    """
    for key in settings:
        section, dot, name = key.partition(".")
        if not dot or not name:
            raise ValueError(f"{key}: name the section too, e.g. training.epochs")
        if section not in SECTIONS:
            raise ValueError(registry.unknown_name("section", section, [*SECTIONS]))
    return settings


RecipeSettings = Annotated[
    dict[str, Any], pydantic.BeforeValidator(flat), pydantic.AfterValidator(checked_keys)
]
