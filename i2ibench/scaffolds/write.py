"""Writing the package that a new model, metric, data set or protocol begins with.

A template is a folder of files whose paths and texts hold ``NAME``, ``MODULE`` and ``CLASS`` in
double braces; in paths without the braces, since some file systems refuse them.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from i2ibench import registry
from i2ibench.errors import DataError, UsageError

if TYPE_CHECKING:
    from importlib.abc import Traversable

# The registry in which each kind of plugin has to be new.
KINDS = {
    "model": registry.models,
    "metric": registry.metrics,
    "dataset": registry.datasets,
    "protocol": registry.protocols,
}
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_SUFFIX = ".template"


def write_scaffold(kind: str, name: str, folder: str | Path | None = None) -> Path:
    """Write a package that brings a new plugin, with a test that passes; return its folder.

    Args:
        kind: ``model``, ``metric``, ``dataset`` or ``protocol``.
        name: as it will be registered, e.g. ``my-net``; the package is then ``my_net``.
        folder: what to write, by default a folder of that name here; it must not exist.

    Raises:
        UsageError: an unknown kind, or a name that cannot be that of a package or is taken.
        DataError: the folder is there already, or cannot be written.
    """
    if kind not in KINDS:
        raise UsageError(registry.unknown_name("kind of plugin", kind, [*KINDS]))
    words = _words(kind, name)
    place = Path(folder) if folder is not None else Path(words["NAME"])
    if place.exists() or place.is_symlink():
        raise DataError(f"{place}: is there already and is not overwritten; give another --output")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed: it is there whole, or not at all.
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as temporary:
            made = Path(temporary) / "made"
            for path, text in _files(kind):
                _write(made / _filled(path, words, braces=False), _filled(text, words))
            shutil.move(made, place)
    except OSError as error:
        raise DataError(f"{place}: cannot be written ({error.strerror or error})") from None
    return place


def _words(kind: str, name: str) -> dict[str, str]:
    """Return what stands for each mark of a template."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a name: use small letters, digits and dashes, e.g. my-net"
        )
    module, registered = name.replace("-", "_"), name.replace("_", "-")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise UsageError(f"{name!r} is a word of Python's own; choose another name")
    if registered in KINDS[kind] or registered in KINDS[kind].names():
        raise UsageError(f"{kind} '{registered}' is registered already; choose another name")
    if importlib.util.find_spec(module) is not None:
        raise UsageError(f"a package called {module} is installed already; choose another name")
    camel = "".join(part.capitalize() for part in module.split("_"))
    return {"NAME": registered, "MODULE": module, "CLASS": camel}


def _files(kind: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of every file of a template."""
    root = importlib.resources.files(__package__) / "templates" / kind
    yield from _walk(root, PurePosixPath())


def _walk(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda item: item.name):
        if each.is_dir():
            yield from _walk(each, path / each.name)
        elif each.name.endswith(_SUFFIX):
            inner = str(path / each.name.removesuffix(_SUFFIX))
            yield inner, each.read_text(encoding="utf-8")


def _filled(text: str, words: dict[str, str], *, braces: bool = True) -> str:
    for mark, word in words.items():
        text = text.replace(f"{{{{{mark}}}}}" if braces else mark, word)
    return text


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
