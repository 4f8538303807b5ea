"""What code a plugin is: the hash of what decides its numbers, apart from i2ibench itself.

A run's id holds it, so that edited code is a new run and never meets the scores of the old one.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from i2ibench.files import sha256_bytes, sha256_file, sha256_json
from i2ibench.registry import Entry, Registry, is_ours

# Of values that code refers to by name, those of these kinds are hashed by their text.
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


@dataclass(frozen=True, slots=True)
class Contents:
    """Files of code, and the hash of their names and contents, read once."""

    files: tuple[Path, ...]
    sha256: str


def code_sha256(known: Registry[Any], entry: Entry) -> str | None:
    """Return the SHA-256 of a plugin's code; None for ours, and where there is none to be found.

    Of a package all Python files of its top-level package count, of a file that was named its
    local imports too, of a class that was registered in this process what it is made of.
    """
    if entry.sha256 is not None:
        return entry.sha256
    if is_ours(entry):
        return None
    if entry.target:
        return _package_sha256(entry.target.partition(":")[0].partition(".")[0])
    found = known.get(entry.name)
    return class_sha256(found) if isinstance(found, type) else None


def contents(file: Path) -> Contents:
    """Hash a Python file with the files beside it that it imports, and those that they import.

    Imports are read from the source, wherever in it they stand; one that is computed while the
    code runs is not seen.
    """
    folder = file.parent
    found = {file.resolve(): None}
    waiting = [file.resolve()]
    while waiting:
        for imported in _local_imports(waiting.pop(), folder):
            if imported not in found:
                found[imported] = None
                waiting.append(imported)
    root = folder.resolve()
    hashes = {path.relative_to(root).as_posix(): sha256_file(path) for path in sorted(found)}
    # A file may be called otherwise tomorrow; what it is called decides no number.
    hashes["main"] = hashes.pop(file.resolve().relative_to(root).as_posix())
    return Contents(tuple(found), sha256_json(hashes))


def is_local(module: str, folder: Path) -> bool:
    """Whether a top-level module lies in ``folder``; names of the standard library never do."""
    if module in sys.stdlib_module_names:
        return False
    return (folder / f"{module}.py").is_file() or (folder / module).is_dir()


def class_sha256(found: type) -> str:
    """Hash a class that was registered in this process.

    By the file of its module where it has one, else (in a notebook) by the compiled code of its
    methods and of what they refer to in their module.
    """
    module = sys.modules.get(found.__module__)
    file = getattr(module, "__file__", None)
    if file is not None and Path(file).is_file():
        return contents(Path(file)).sha256
    parts: list[str] = []
    _describe_class(found, parts, set())
    return sha256_bytes("\n".join(parts).encode("utf-8"))


def _package_sha256(top: str) -> str | None:
    """Return the hash of a top-level package's Python files, names and content."""
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return sha256_file(Path(spec.origin)) if spec.origin else None
    files = {
        str(path.relative_to(folder).as_posix()): sha256_file(path)
        for folder in map(Path, spec.submodule_search_locations)
        for path in sorted(folder.rglob("*.py"))
    }
    return sha256_json(files)


def _local_imports(file: Path, folder: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # it is told when the file is imported
    for name in _imported_names(tree, file, folder):
        parts = name.split(".")
        if is_local(parts[0], folder):
            yield from _files_of_module(folder, parts)


def _imported_names(tree: ast.AST, file: Path, folder: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = file.parent.resolve().relative_to(folder.resolve()).parts
            # One dot is the package itself, each further one a package above it.
            above = inside[: len(inside) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
            # What is imported from a package may be a module of it.
            yield from (".".join(filter(None, [base, each.name])) for each in node.names)


def _files_of_module(folder: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the files that importing a dotted name runs: every package on the way, and itself."""
    place = folder
    for part in parts:
        place = place / part
        for file in (place / "__init__.py", place.with_name(f"{part}.py")):
            if file.is_file():
                yield file.resolve()


def _describe_class(found: type, parts: list[str], seen: set[int]) -> None:
    if id(found) in seen:
        return
    seen.add(id(found))
    for base in found.__bases__:
        if base.__module__ == found.__module__:
            _describe_class(base, parts, seen)
    parts.append(f"class {found.__qualname__}({', '.join(b.__name__ for b in found.__bases__)})")
    for name, value in sorted(vars(found).items()):
        if name not in {"__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__"}:
            _describe(name, inspect.unwrap(value) if callable(value) else value, parts, seen)


def _describe(name: str, value: Any, parts: list[str], seen: set[int]) -> None:
    value = getattr(value, "__func__", value)
    if isinstance(value, FunctionType):
        if id(value) in seen:
            return
        seen.add(id(value))
        parts.append(f"def {name}{value.__defaults__!r}")
        for code in _codes(value.__code__):
            parts.append(f"{code.co_code.hex()} {code.co_names} {_plain_constants(code)}")
            for each in code.co_names:
                _describe_global(each, value, parts, seen)
    elif isinstance(value, type):
        parts.append(f"{name} = {value.__qualname__}")
    elif isinstance(value, _PLAIN):
        parts.append(f"{name} = {value!r}")


def _describe_global(name: str, user: FunctionType, parts: list[str], seen: set[int]) -> None:
    value = user.__globals__.get(name)
    if isinstance(value, type):
        if value.__module__ == user.__module__:
            _describe_class(value, parts, seen)
    elif isinstance(value, FunctionType):
        if value.__module__ == user.__module__:
            _describe(name, value, parts, seen)
    elif name in user.__globals__:
        _describe(name, value, parts, seen)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _plain_constants(code: CodeType) -> Iterable[str]:
    return [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
