"""One registry for models, data sets, metrics, protocols and weights, filled by entry points.

A name maps to a target that is loaded only when it is asked for, so listings import nothing of
torch. Shipped plugins and those of other packages come through the same entry points.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.resources
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from i2ibench.errors import UsageError, named

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "Entry",
    "Registry",
    "datasets",
    "metrics",
    "models",
    "plugin_entries",
    "protocols",
    "read_card",
    "read_weights",
    "tomllib",
    "unknown_name",
    "weights",
]

T = TypeVar("T")

# What this distribution ships, and what is registered in a notebook, which shows its tracebacks.
_OURS = ("i2ibench", "i2ibench_baselines")
_THIS_PROCESS = "this process"


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered name: its target ``module`` or ``module:attribute`` and who provides it.

    Of a method whose file a user named: ``file``, and ``sha256``, the hash of the code that was
    loaded from it.
    """

    name: str
    target: str
    provider: str
    file: Path | None = None
    sha256: str | None = None


class Registry(Generic[T]):
    """Names of one kind of plugin, loaded lazily.

    Args:
        kind: the word used in messages, e.g. ``"model"``.
        group: the entry-point group, e.g. ``"i2ibench.models"``.
        load: turns an entry into the plugin; by default its target is imported.
    """

    def __init__(self, kind: str, group: str, load: Callable[[Entry], T] | None = None) -> None:
        self.kind = kind
        self.group = group
        self._load = load or _import_target
        self._added: dict[str, Entry] = {}
        self._loaded: dict[str, T] = {}
        self._broken: dict[str, UsageError] = {}  # a failed import is not tried again and again
        # Names that two packages claim: refused when asked for, so that all others still work.
        self._collisions: dict[str, str] = {}

    def register(self, name: str, plugin: T) -> T:
        """Register an object of this process under ``name`` (for notebooks and tests).

        Registered again, as by a notebook's cell that is run again, it replaces the former.
        """
        return self.add(Entry(name, "", _THIS_PROCESS), plugin)

    def add(self, entry: Entry, plugin: T) -> T:
        """Add a plugin that no entry point names; it replaces one of its provider."""
        self._refuse_collision(entry.name, entry.provider)
        self._added[entry.name] = entry
        self._loaded[entry.name] = plugin
        self._broken.pop(entry.name, None)
        return plugin

    def __contains__(self, name: str) -> bool:
        known = name in self._added or name in self._installed
        return known and name not in self._collisions

    def names(self) -> list[str]:
        """All usable names, sorted; a name that two packages claim is told in a warning."""
        known = {**self._installed, **self._added}
        for message in self._collisions.values():
            warnings.warn(message, stacklevel=2)
        return sorted(known.keys() - self._collisions.keys())

    def entry(self, name: str) -> Entry:
        """Return the entry of ``name``, or raise ``UsageError`` with the nearest names."""
        entry = self._added.get(name) or self._installed.get(name)
        if name in self._collisions:
            raise UsageError(self._collisions[name])
        if entry is None:
            raise UsageError(unknown_name(self.kind, name, self.names()))
        return entry

    def get(self, name: str) -> T:
        """Load the plugin called ``name``; a plugin that fails to import is a ``UsageError``."""
        if name in self._broken:
            raise self._broken[name]
        if name not in self._loaded:
            entry = self.entry(name)
            try:
                self._loaded[name] = self._load(entry)
            except UsageError as error:
                self._broken[name] = error
                raise
            except (Exception, SystemExit) as error:  # importing a plugin can fail in any way
                self._broken[name] = UsageError(
                    f"{self.kind} '{name}' of {entry.provider} cannot be loaded from "
                    f"{entry.target}: {named(error)}; reinstall or remove that package, or see "
                    "its traceback with --debug"
                )
                raise self._broken[name] from error
        return self._loaded[name]

    def get_class(self, name: str, bases: tuple[type, ...], known_as: str) -> Any:
        """Load the class called ``name``; what derives from none of ``bases`` is refused.

        ``known_as`` names the bases as the plugin's author imports them.
        """
        found = self.get(name)
        if isinstance(found, type) and issubclass(found, bases):
            return found
        entry = self.entry(name)
        raise UsageError(
            f"{self.kind} '{name}' of {entry.provider}: {entry.target} is no subclass of "
            f"{known_as}; reinstall or remove that package"
        )

    def items(self) -> Iterator[tuple[str, T]]:
        """Load all plugins; a broken one is named in a warning and skipped."""
        for name in self.names():
            try:
                plugin = self.get(name)
            except UsageError as error:
                warnings.warn(str(error), stacklevel=2)
                continue
            yield name, plugin

    def summary(self, name: str) -> str:
        """Return the first line of the plugin's docstring without importing the plugin."""
        entry = self.entry(name)
        if name in self._added:
            return _first_line(getattr(self._loaded[name], "__doc__", None))
        if ":" not in entry.target:
            return str(read_card(entry).get("title", ""))
        return _first_line(_docstring_from_source(entry.target))

    @cached_property
    def _installed(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for point in entry_points(group=self.group):
            entry = Entry(point.name, point.value, _provider(point))
            known = found.setdefault(entry.name, entry)
            # The same distribution can be seen twice (an editable install beside its source).
            if known.target != entry.target:
                self._collisions[entry.name] = (
                    f"{self.kind} '{entry.name}' is provided by both {known.provider} and "
                    f"{entry.provider}; uninstall one of them"
                )
        return found

    def _refuse_collision(self, name: str, provider: str) -> None:
        known = self._installed.get(name) or self._added.get(name)
        if known is None:
            return
        # A file that is named again may have been moved; a cell that is run again may be edited.
        if name in self._installed or (known.file is None and known.provider != provider):
            raise UsageError(
                f"{self.kind} '{name}' of {provider} is already provided by {known.provider}; "
                "choose another name"
            )


def plugin_entries() -> Iterator[tuple[str, Entry]]:
    """Yield kind and entry of every model and metric that another package provides."""
    for each in (models, metrics):
        for name in each.names():
            entry = each.entry(name)
            if entry.target and not is_ours(entry):
                yield each.kind, entry


def is_ours(entry: Entry) -> bool:
    """Whether a plugin's code is i2ibench's own."""
    return bool(entry.target) and entry.target.partition(".")[0] in _OURS


def unknown_name(kind: str, name: str, known: list[str]) -> str:
    """Return the message for an unknown name, with the nearest known names."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"unknown {kind} '{name}'; {hint}"


def read_card(entry: Entry) -> dict[str, Any]:
    """Read the TOML file ``<name>.toml`` in the package that an entry points to."""
    return _read_toml(entry, f"{entry.name}.toml")


def read_weights(entry: Entry) -> dict[str, Any]:
    """Read the file ``weights.toml`` in the package that an entry points to."""
    return _read_toml(entry, "weights.toml")


def _read_toml(entry: Entry, file: str) -> dict[str, Any]:
    try:
        text = importlib.resources.files(entry.target).joinpath(file).read_text(encoding="utf-8")
        content: dict[str, Any] = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"'{entry.name}' of {entry.provider} has no readable {file} in {entry.target}: {error}"
        ) from error
    return content


def _provider(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unnamed package"


def _import_target(entry: Entry) -> Any:
    module, _, attribute = entry.target.partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def _docstring_from_source(target: str) -> str | None:
    """Read the docstring of ``module:Class`` from its source file, so that torch stays unloaded."""
    module, _, attribute = target.partition(":")
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    except Exception as error:  # a listing shows a broken plugin among the others
        return f"cannot be read: {named(error)}"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node)
    return ast.get_docstring(tree)


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().split("\n", 1)[0]


# Classes of i2ibench.models.interface.TranslationModel.
models: Registry[Any] = Registry("model", "i2ibench.models")
# Classes of i2ibench.metrics.interface.
metrics: Registry[Any] = Registry("metric", "i2ibench.metrics")
# Cards: dictionaries read from TOML.
datasets: Registry[dict[str, Any]] = Registry("data set", "i2ibench.datasets", read_card)
protocols: Registry[dict[str, Any]] = Registry("protocol", "i2ibench.protocols", read_card)
# Catalogues of weights: one ``weights.toml`` a package, under a name of the package's choice.
weights: Registry[dict[str, Any]] = Registry("weights", "i2ibench.weights", read_weights)
