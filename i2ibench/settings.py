"""Settings that are hashed into ids, and the explanation of those that are refused.

A model's config, a recipe, a protocol, a metric's settings, a manifest: whatever decides a number
is frozen, refuses unknown keys, and is hashed into the id of a run, a protocol or a folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, get_args

import pydantic

from i2ibench.registry import unknown_name

# Of a refused value that is longer, this many characters are shown.
_LONGEST_VALUE = 60
# Characters of a text that is shown in a line.
_LONGEST_LINE = 300


def one_line(text: str) -> str:
    """Return a text for people without the space around it; one that is no line is refused."""
    if not text.strip() or not text.isprintable() or len(text) > _LONGEST_LINE:
        raise ValueError(f"must be one line of at most {_LONGEST_LINE} characters")
    return text.strip()


Line = Annotated[str, pydantic.AfterValidator(one_line)]


class Settings(pydantic.BaseModel):
    """Frozen settings; a field that was added later is left out while it has its default.

    Ids of runs, hashes of protocols and manifests of predictions are older than such a field. With
    its default it therefore changes none of them; with any other value it changes them all.

    Attributes:
        added_later: names of the fields that the class itself gained after ids were made of it;
            those of its bases are added to them.

    Raises:
        TypeError: when a class is made whose ``added_later`` names no field, or a required one.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    added_later: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Check ``added_later``."""
        for name in cls._all_added_later():
            if name not in cls.model_fields or cls.model_fields[name].is_required():
                raise TypeError(
                    f"{cls.__name__}.added_later names {name}, which must be a field with a default"
                )

    @classmethod
    def _all_added_later(cls) -> frozenset[str]:
        names = (getattr(base, "added_later", ()) for base in cls.__mro__)
        return frozenset(name for each in names for name in each)

    @pydantic.model_serializer(mode="wrap")
    def _without_later_defaults(
        self, serialize: pydantic.SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        later = self._all_added_later()
        if not later:
            return content
        fields = type(self).model_fields
        return {
            name: value
            for name, value in content.items()
            if name not in later
            or getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }


def explain(
    error: pydantic.ValidationError,
    settings: type[pydantic.BaseModel] | None = None,
    *,
    kind: str = "key",
) -> str:
    """Return what is wrong with refused settings, in one line.

    Args:
        error: as pydantic raised it; of several faults an unknown key is told first, because a
            misspelt key also leaves its right spelling missing.
        settings: the class that refused them; an unknown key is then answered with the nearest
            known ones.
        kind: what an unknown key at the top is called, e.g. ``"setting of fid"``.
    """
    faults = error.errors(include_url=False)
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    place, value = fault["loc"], fault["input"]
    key = ".".join(str(part) for part in place)
    if fault["type"] == "extra_forbidden" and settings is not None:
        known = _known_keys(settings, place[:-1])
        if known:
            above = ".".join(str(part) for part in place[:-1])
            named = f"key of [{above}]" if above else kind
            return unknown_name(named, str(place[-1]), known)
    message = fault["msg"].removeprefix("Value error, ")
    if not key:
        return message
    if fault["type"] in {"missing", "extra_forbidden"} or not _is_plain(value):
        return f"{key}: {message}"
    return f"{key} = {_shown(value)}: {message}"


def _known_keys(settings: type[pydantic.BaseModel], place: Sequence[int | str]) -> list[str]:
    """Return the keys that may stand at ``place``; none where that cannot be told."""
    found: list[type[pydantic.BaseModel]] = [settings]
    for part in place:
        if len(found) > 1:  # of several forms the place names the one that was meant
            found = [each for each in found if _tag(each) == part]
        elif found and part in found[0].model_fields:
            found = [*_models_in(found[0].model_fields[str(part)].annotation)]
        # Anything else is a number in a list or a key of a table: what it holds is the same.
    return [*found[0].model_fields] if len(found) == 1 else []


def _models_in(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _tag(settings: type[pydantic.BaseModel]) -> object:
    field = settings.model_fields.get("kind")
    return None if field is None else field.default


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
