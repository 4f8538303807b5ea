"""A model's settings: a ``ModelConfig``, or a dataclass, checked and written in the same way."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, ClassVar

import pydantic

from i2ibench.errors import PluginError, UsageError
from i2ibench.settings import Settings, explain


class ModelConfig(Settings):
    """Base of all model configurations: frozen, unknown keys refused.

    Attributes:
        translation_only: names of the settings that training never reads, such as the number of
            sampling steps of a diffusion model. They stand in a run's id, but not in that of its
            training, so that runs that differ in them alone share their weights.
    """

    translation_only: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **given: Any) -> None:
        """Check ``translation_only``, beside what ``Settings`` checks."""
        super().__pydantic_init_subclass__(**given)
        for name in cls.translation_only:
            if name not in cls.model_fields:
                raise TypeError(f"{cls.__name__}.translation_only names {name}, which is no field")


def schema_of(config_class: Any) -> type[ModelConfig]:
    """Return what checks the settings of a class: itself, or one made of a dataclass's fields.

    Raises:
        PluginError: it is neither.
    """
    if isinstance(config_class, type) and issubclass(config_class, ModelConfig):
        return config_class
    if not (isinstance(config_class, type) and dataclasses.is_dataclass(config_class)):
        raise PluginError(
            f"{getattr(config_class, '__qualname__', repr(config_class))} is no class of settings; "
            "Config must be a subclass of i2ibench.ModelConfig, or a dataclass"
        )
    try:
        hints = typing.get_type_hints(config_class, include_extras=True)
    except NameError as error:  # of a type that is imported for checkers alone
        raise PluginError(
            f"{config_class.__qualname__}: {error}; import the types of its fields"
        ) from None
    fields: dict[str, Any] = {
        each.name: (hints[each.name], _default(each))
        for each in dataclasses.fields(config_class)
        if each.init
    }
    made: type[ModelConfig] = pydantic.create_model(
        config_class.__name__, __base__=_OfDataclass, **fields
    )
    return made


def parse_config(name: str, config_class: type[Any], settings: Mapping[str, Any]) -> Any:
    """Validate ``settings``; an unknown key or a bad value is one ``UsageError`` line.

    Returns:
        An instance of ``config_class``.
    """
    schema = schema_of(config_class)
    try:
        checked = schema(**settings)
    except pydantic.ValidationError as error:
        problem = explain(error, schema, kind=f"setting of {name}")
        raise UsageError(f"model {name}: {problem}") from None
    if schema is config_class:
        return checked
    return config_class(**{key: getattr(checked, key) for key in schema.model_fields})


def config_values(config: Any) -> dict[str, Any]:
    """Return the settings of a built model as JSON values, which its run's id is made of."""
    if isinstance(config, pydantic.BaseModel):
        return config.model_dump(mode="json")
    schema = schema_of(type(config))
    values = {key: getattr(config, key) for key in schema.model_fields}
    return schema.model_construct(**values).model_dump(mode="json")


def translation_settings(config_class: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``values`` that a class of settings says training never reads."""
    names: frozenset[str] = getattr(config_class, "translation_only", frozenset())
    return {key: value for key, value in values.items() if key in names}


class _OfDataclass(ModelConfig):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return pydantic.Field(default_factory=field.default_factory)
    return ...
