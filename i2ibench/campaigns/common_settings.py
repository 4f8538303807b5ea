"""Settings that are meant for all runs, given to the models that have them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.models.config import schema_of
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.foreign.program import ExternalProgram
from i2ibench.models.interface import registered_model
from i2ibench.runs.options import Options
from i2ibench.wording import some


class CommonSettings:
    """Keeps account of which setting reached which model."""

    def __init__(self) -> None:
        self._left_out: dict[str, dict[str, None]] = {}
        self._taken: set[str] = set()
        self._known: dict[str, None] = {}

    def fitted(self, options: Options, common: Collection[str]) -> Options:
        """Return options without those common settings that their model does not have.

        A program has none: its settings stand in its own commands.
        """
        name = open_method(options.model).name
        model = registered_model(name)
        if issubclass(model, ExternalProgram):
            left = {key: value for key, value in options.settings.items() if key not in common}
            for key in common:
                self._left_out.setdefault(key, {})[name] = None
            return replace(options, settings=left, keep_best=None, validation_fraction=None)
        fields = schema_of(model.Config).model_fields
        self._known.update(dict.fromkeys(f"model.{field}" for field in fields))
        lacking = []
        for key in common:
            section, _, field = key.partition(".")
            if section == "model" and field not in fields:
                lacking.append(key)
                self._left_out.setdefault(key, {})[name] = None
            else:
                self._taken.add(key)
        left = {key: value for key, value in options.settings.items() if key not in lacking}
        return replace(options, settings=left)

    def remarks(self) -> list[str]:
        """Return what was left out.

        Raises:
            UsageError: a setting that no model has.
        """
        for key in self._left_out:
            if key not in self._taken:
                problem = registry.unknown_name("setting", key, [*self._known])
                raise UsageError(f"set: no model of the campaign has it: {problem}")
        by_models: dict[tuple[str, ...], list[str]] = {}
        for key, models in self._left_out.items():
            by_models.setdefault(tuple(models), []).append(key)
        return [
            f"{some(keys)} of [set]: left out for {some(models)}, which have no such setting"
            for models, keys in by_models.items()
        ]
