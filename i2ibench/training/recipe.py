"""Recipes: the TOML that fixes a model's settings and budget for one data set."""

from __future__ import annotations

import importlib.resources
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from i2ibench import limits, registry
from i2ibench.data.loading import ImageSettings
from i2ibench.errors import UsageError
from i2ibench.reading import read_toml, reading
from i2ibench.settings import Settings, explain
from i2ibench.training.plateau import PlateauSettings

# Of a method without a recipe.
DEFAULT_BUDGET = {"epochs": 10, "decay_epochs": 10}
DEFAULT_CROP = 256


class TrainingSettings(Settings):
    """The budget and schedule of a training.

    Attributes:
        epochs: epochs at the constant learning rate.
        decay_epochs: further epochs over which it falls linearly to zero.
        batch_size: pairs a step on each device.
        schedule_step: whether the schedule advances at the end of an epoch (pix2pix) or at its
            start (BCI, whose last epoch therefore trains at learning rate zero).
        validation_fraction: share of the training pairs that is held out for validation; 0 takes
            the data set's own ``val`` split where it has one.
        validate_every: epochs between two validations; None for about ten in a training.
        keep_best: a metric of pairs; the state that scored best is translated with, not the last.
        plateau: lowers the learning rate further where the sum of a step's losses falls no more.
    """

    added_later = frozenset({"validation_fraction", "validate_every", "keep_best", "plateau"})

    epochs: Annotated[int, pydantic.Field(ge=0, le=limits.EPOCHS)] = 100
    decay_epochs: Annotated[int, pydantic.Field(ge=0, le=limits.EPOCHS)] = 100
    batch_size: Annotated[int, pydantic.Field(ge=1, le=limits.BATCH_SIZE)] = 1
    schedule_step: Literal["epoch-start", "epoch-end"] = "epoch-end"
    validation_fraction: Annotated[float, pydantic.Field(ge=0, le=0.5)] = 0.0
    validate_every: Annotated[int, pydantic.Field(ge=1)] | None = None
    keep_best: str | None = None
    plateau: PlateauSettings | None = None

    @pydantic.model_validator(mode="after")
    def _has_an_epoch(self) -> TrainingSettings:
        if self.epochs + self.decay_epochs == 0:
            raise ValueError("epochs + decay_epochs must be at least 1")
        return self


class Recipe(Settings):
    """A recipe: ``model`` settings, the ``training`` budget, and the ``images`` it sees."""

    model: dict[str, Any] = pydantic.Field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()
    images: ImageSettings = ImageSettings()


def load_recipe(model: str, dataset: str, file: Path | None, settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of ``model`` for ``dataset`` with ``settings`` laid over it.

    Args:
        model: registered name.
        dataset: data set name; a set without a recipe of its own takes the model's ``default``.
        file: a recipe file instead of the shipped one.
        settings: dotted keys, e.g. ``{"training.epochs": 5, "model.variance_weight": 10}``.
    """
    content, origin = _recipe_content(model, dataset, file)
    found = bool(content)
    for table in ("external", "method"):  # of a method that is a program
        content.pop(table, None)
    if file is None and (not found or registry.models.entry(model).file is not None):
        _add_default_budget(content, settings)
    for key, value in settings.items():
        section, dot, name = key.partition(".")
        if not dot:
            raise UsageError(f"--set {key}: name the section too, e.g. training.epochs")
        table = content.setdefault(section, {})
        if not isinstance(table, dict):
            raise UsageError(f"{origin}: {section} must be a table, [{section}]")
        table[name] = value
    try:
        return Recipe(**content)
    except pydantic.ValidationError as error:
        raise UsageError(f"{origin}: {explain(error, Recipe, kind='section')}") from None


def has_recipe(model: str, dataset: str, file: Path | None) -> bool:
    """Whether a model has a recipe for a data set, of its own or given."""
    return file is not None or bool(_recipe_content(model, dataset, file)[0])


def _add_default_budget(content: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Give a method that brings no budget a short one, which its author is told.

    Whoever asks for one epoch gets one, not one and a hundred over which the rate falls.
    """
    budget = content.setdefault("training", {})
    if isinstance(budget, dict):
        asked = "epochs" in budget or "training.epochs" in settings
        for key, value in (DEFAULT_BUDGET | ({"decay_epochs": 0} if asked else {})).items():
            budget.setdefault(key, value)


def _recipe_content(model: str, dataset: str, file: Path | None) -> tuple[dict[str, Any], str]:
    if file is not None:
        return read_toml(file, error=UsageError), str(file)
    beside = registry.models.entry(model).file
    if beside is not None:  # a file that was named, whose recipe has its name
        beside = beside.with_suffix(".toml")
        if beside.is_file():
            return read_toml(beside, error=UsageError), str(beside)
        return {}, f"settings of {model}"
    # Recipes lie beside the model, in the folder recipes/ of its top-level package.
    package = registry.models.get(model).__module__.partition(".")[0]
    if not hasattr(sys.modules.get(package), "__path__"):
        return {}, f"settings of {model}"  # a plugin of one module has no folder of recipes
    for folder in (dataset, "default"):
        found = importlib.resources.files(package) / "recipes" / folder / f"{model}.toml"
        if found.is_file():
            origin = f"recipe {folder}/{model}.toml"
            with reading(origin, "valid TOML", error=UsageError):
                return registry.tomllib.loads(found.read_text(encoding="utf-8")), origin
    return {}, f"settings of {model}"
