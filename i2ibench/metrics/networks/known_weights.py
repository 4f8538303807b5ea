"""Which weights are known: the catalogues of all installed packages, joined by name."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pydantic

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.files import is_safe_name
from i2ibench.registry import Entry, Registry


class CatalogueFile(pydantic.BaseModel):
    """One file of a catalogue entry; ``packaged`` are ``module:path`` of packages shipping it."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")
    also_named: tuple[str, ...] = ()
    bytes: int | None = None
    urls: tuple[str, ...] = ()
    packaged: tuple[str, ...] = ()

    @pydantic.field_validator("name", "also_named")
    @classmethod
    def _stays_in_its_folder(cls, names: Any) -> Any:
        for name in [names] if isinstance(names, str) else names:
            if not is_safe_name(name):
                raise ValueError(f"{name!r} cannot be a file name")
        return names


class CatalogueEntry(pydantic.BaseModel):
    """Weights by name: all ``files`` are needed, or one of them where ``any_of`` is set.

    ``needs`` names other weights without which these are of no use (a trunk's heads); what those
    need in turn is not asked.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    title: str
    metrics: tuple[str, ...] = ()
    licence: str
    any_of: bool = False
    needs: tuple[str, ...] = ()
    files: tuple[CatalogueFile, ...] = pydantic.Field(min_length=1)


@dataclass(frozen=True)
class _Joined:
    """All catalogues: entries and who provides them, by name; names that two packages claim."""

    entries: dict[str, CatalogueEntry] = field(default_factory=dict)
    providers: dict[str, str] = field(default_factory=dict)
    collisions: dict[str, str] = field(default_factory=dict)


def catalogue() -> dict[str, CatalogueEntry]:
    """Return the known weights by name; what cannot be used of a package is told in a warning."""
    return _join(registry.weights).entries


def metrics_for(name: str) -> list[str]:
    """Return the metrics that use weights ``name``, themselves or with weights that need them."""
    known = catalogue()
    using = [each for other, each in known.items() if other == name or name in each.needs]
    return [*dict.fromkeys(metric for each in using for metric in each.metrics)]


def provider(name: str) -> str:
    """Return the package that declares weights ``name``."""
    return _join(registry.weights).providers.get(name, "")


def why_unknown(name: str, known: list[str]) -> str:
    """Return why ``name`` is none of the ``known`` weights: claimed twice, or the nearest names."""
    twice = _join(registry.weights).collisions.get(name)
    return twice or registry.unknown_name("weights", name, known)


@cache
def _join(catalogues: Registry[dict[str, Any]]) -> _Joined:
    joined, read = _Joined(), set()
    for collection, content in catalogues.items():
        source = catalogues.entry(collection)
        if source.target in read:
            continue
        read.add(source.target)
        for name, declared in content.items():
            try:
                entry = _parse(name, declared, source)
            except UsageError as error:
                warnings.warn(str(error), stacklevel=2)
                continue
            _add(joined, name, entry, source.provider)
    return joined


def _add(joined: _Joined, name: str, entry: CatalogueEntry, source: str) -> None:
    if name not in joined.providers:
        joined.entries[name], joined.providers[name] = entry, source
        return
    # Neither may stand for the other: refused when asked for, so that all others still work.
    joined.entries.pop(name, None)
    message = (
        f"weights '{name}' are provided by both {joined.providers[name]} and {source}; uninstall "
        "one of them"
    )
    joined.collisions[name] = message
    warnings.warn(message, stacklevel=2)


def _parse(name: str, declared: object, source: Entry) -> CatalogueEntry:
    try:
        if not is_safe_name(name):
            raise UsageError("its name cannot be that of a folder")
        return CatalogueEntry.model_validate(declared)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        problem = f"{key}: {first['msg'].removeprefix('Value error, ')}"
    except UsageError as error:
        problem = str(error)
    raise UsageError(
        f"weights '{name}' of {source.provider} cannot be used: {source.target}/weights.toml: "
        f"{problem}; tell its authors, or remove that package"
    )
