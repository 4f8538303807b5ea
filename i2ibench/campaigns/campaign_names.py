"""Names in a campaign's file: registered ones, or paths that are relative to the file."""

from __future__ import annotations

import os
from pathlib import Path

from i2ibench import registry
from i2ibench.errors import UsageError


def model_option(name: str, folder: Path) -> str:
    """Return what ``--model`` is given for a model of a campaign whose file lies in ``folder``."""
    file, _ = _file_and_class(name)
    if name in registry.models or file is None:
        return name
    return _joined(file, folder) + name[len(file) :]


def dataset_option(name: str, folder: Path) -> str:
    """Return what ``--dataset`` is given for a data set of a campaign."""
    return name if name in registry.datasets else _beside(name, folder)


def protocol_option(name: str, folder: Path) -> str:
    """Return what ``--protocol`` is given for a protocol of a campaign."""
    return _beside(name, folder) if name.endswith(".toml") else name


def check_model(name: str, folder: Path) -> None:
    """Raise ``UsageError`` where no model or file of a name is there."""
    file, _ = _file_and_class(name)
    if name in registry.models:
        return
    if file is None:
        if ":" not in name:  # package.module:Class is looked up when it is imported
            registry.models.entry(name)
    elif not os.path.isfile(model_option(file, folder)):  # noqa: PTH113 - of any text
        raise UsageError(f"models: {model_option(file, folder)}: no such file")


def check_dataset(name: str, folder: Path) -> None:
    """Raise ``UsageError`` where no data set or path of a name is there."""
    place = dataset_option(name, folder)
    if name in registry.datasets or os.path.exists(place):  # noqa: PTH110 - of any text
        return
    if "/" in name or name.lower().endswith((".toml", ".csv")):
        raise UsageError(f"datasets: {place}: no such folder, CSV or card")
    registry.datasets.entry(name)


def check_protocol(name: str, folder: Path) -> None:
    """Raise ``UsageError`` where no protocol or file of a name is there."""
    if not name.endswith(".toml"):
        registry.protocols.entry(name)
    elif not os.path.isfile(protocol_option(name, folder)):  # noqa: PTH113 - of any text
        raise UsageError(f"protocols: {protocol_option(name, folder)}: no such file")


def _file_and_class(model: str) -> tuple[str | None, str]:
    """Return the file that a model names, or None, and the class in it."""
    if model.lower().endswith((".py", ".toml", ".onnx")):
        return model, ""
    before, _, after = model.rpartition(":")
    return (before, after) if before.lower().endswith(".py") else (None, "")


def _beside(name: str, folder: Path) -> str:
    found = _joined(name, folder)
    # A bare word is first looked up among the names of the catalogue.
    return found if "/" in found or "\\" in found else f"./{found}"


def _joined(name: str, folder: Path) -> str:
    # Not Path.expanduser(): it raises for a user it does not know.
    return str(folder / os.path.expanduser(name))  # noqa: PTH111
