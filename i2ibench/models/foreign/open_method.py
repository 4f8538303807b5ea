"""What ``--model`` may name beside registered models: a file, a class of an installed package."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import site
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from i2ibench import registry
from i2ibench.errors import UsageError, named
from i2ibench.files import is_safe_name
from i2ibench.models.foreign.onnx_file import read_onnx
from i2ibench.models.foreign.plain_module import PlainModule, adapted
from i2ibench.models.foreign.program import program_sha256, read_program
from i2ibench.models.foreign.python_file import load_file
from i2ibench.models.interface import TranslationModel
from i2ibench.registry import Entry


@dataclass(frozen=True, slots=True)
class Method:
    """A method under its registered name; ``remark`` says what it was taken for, or nothing."""

    name: str
    remark: str = ""


def open_method(text: str) -> Method:
    """Open what ``--model`` names, register it in this process, and return its name.

    ``mynet.py:MyNet`` (or ``mynet.py`` where it has one model) is a file named by its path,
    ``package.module:Class`` a class of an installed package, ``mymethod.toml`` a program,
    ``net.onnx`` a network; anything else is a registered name.

    Raises:
        UsageError: nothing of that name, it cannot be loaded, or is no model.
    """
    if text in registry.models:
        return Method(text)
    before, colon, after = text.rpartition(":")
    if text.lower().endswith((".toml", ".onnx")):
        return _of_described_file(Path(text))
    if text.lower().endswith(".py"):
        return _of_file(Path(text), None)
    if colon and before.lower().endswith(".py"):
        return _of_file(Path(before), after)
    if colon and all(part.isidentifier() for part in before.split(".")):
        return _of_package(before, after)
    return Method(text)


def _of_file(file: Path, attribute: str | None) -> Method:
    file = file.expanduser()
    module, read = load_file(file)
    found = _only_model(module, file) if attribute is None else _attribute(module, attribute, file)
    name = found.__name__
    entry = Entry(name, f"{module.__name__}:{name}", file.name, file.resolve(), read.sha256)
    return _register(entry, found, str(file))


def _of_described_file(file: Path) -> Method:
    """Open a file that holds no code of ours to import: a program's TOML, or a network."""
    file = file.expanduser()
    found: type[TranslationModel]
    if file.suffix.lower() == ".onnx":
        found, sha256 = read_onnx(file)
    else:
        found = program = read_program(file)
        sha256 = program_sha256(program, file)
    entry = Entry(found.__name__, "", file.name, file.resolve(), sha256)
    if not is_safe_name(entry.name):
        raise UsageError(f"{file}: a method cannot be called {entry.name!r}")
    registry.models.add(entry, found)
    return Method(entry.name)


def _of_package(module: str, attribute: str) -> Method:
    """Import from what is installed; the working directory is never looked at."""
    top = module.partition(".")[0]
    provider = next(iter(packages_distributions().get(top, ())), None)
    # What `python -m` puts first is the working directory.
    shadows = [each for each in sys.path[:1] if each == "" or Path(each) == Path.cwd()]
    del sys.path[: len(shadows)]
    try:
        if provider is None and not _is_installed(top):
            raise UsageError(
                f"{module}:{attribute}: no installed package has a module {top}; name a file by "
                f"its path, as in {top}.py:{attribute}"
            )
        imported = importlib.import_module(module)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{module}: cannot be loaded: {named(error)}") from error
    finally:
        sys.path[:0] = shadows
    found = _attribute(imported, attribute, module)
    name = found.__name__
    return _register(Entry(name, f"{module}:{name}", provider or top), found, module)


def _is_installed(top: str) -> bool:
    spec = importlib.util.find_spec(top)
    origin = spec.origin if spec is not None else None
    places = [*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")]
    return origin is not None and any(Path(each) in Path(origin).parents for each in places)


def _register(entry: Entry, found: type[nn.Module], where: str) -> Method:
    if not is_safe_name(entry.name):
        raise UsageError(f"{where}: a model cannot be called {entry.name!r}")
    if issubclass(found, TranslationModel):
        registry.models.add(entry, found)
        return Method(entry.name)
    made = adapted(found)
    registry.models.add(entry, made)
    return Method(
        entry.name,
        f"{entry.name} is a plain nn.Module: it takes and returns images in [-1, 1], and is "
        f"trained by L1 with Adam (--set model.learning_rate={_rate(made):g})",
    )


def _rate(made: type[PlainModule]) -> float:
    return float(made.Config.model_fields["learning_rate"].default or 0)


def _attribute(module: ModuleType, name: str, where: object) -> type[Any]:
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, nn.Module):
        return found
    if found is not None:
        raise UsageError(
            f"{where}: {name} is no model; a model derives from i2ibench.TranslationModel, "
            "i2ibench.TrainableModel or torch.nn.Module"
        )
    raise UsageError(f"{where}: {registry.unknown_name('class', name, _models_of(module))}")


def _only_model(module: ModuleType, file: Path) -> type[Any]:
    """Return the one model of a file; of several, the one that derives from an i2ibench class."""
    names = _models_of(module)
    ours = [n for n in names if issubclass(getattr(module, n), TranslationModel)]
    names = ours or names
    if len(names) == 1:
        return _attribute(module, names[0], file)
    said = " or ".join(f"{file.name}:{name}" for name in names[:5])
    raise UsageError(
        f"{file}: name the class, {said}" if names else f"{file}: defines no torch.nn.Module"
    )


def _models_of(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, nn.Module) and value.__module__ == module.__name__
    ]
