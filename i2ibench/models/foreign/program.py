"""A program as a method: a TOML that says by which commands it is trained and translates.

::

    [external]
    train = ["{python}", "train.py", "{sources}", "{targets}", "{weights}"]
    translate = ["{python}", "translate.py", "{weights}", "{sources}", "{predictions}"]

Commands are lists of arguments; no shell reads them. They run in the folder of the TOML.
``{python}`` is the interpreter that runs i2ibench, with the packages it has; a program with an
environment of its own names that one's.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import pydantic
import torch
from torch import Tensor

from i2ibench.errors import DataError, UsageError
from i2ibench.files import sha256_file, sha256_json
from i2ibench.models.interface import ModelConfig, TranslationModel
from i2ibench.plugin_code import contents
from i2ibench.reading import read_toml
from i2ibench.settings import Settings, explain
from i2ibench.wording import some

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_EVERYWHERE = {"sources", "weights", "seed", "device", "folder", "python"}
_KNOWN = {"train": _EVERYWHERE | {"targets"}, "translate": _EVERYWHERE | {"predictions"}}
_NEEDED = {"train": {"sources", "targets", "weights"}, "translate": {"sources", "predictions"}}
# What a program sees of our environment; no path of our packages, and no key to any service.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|LD_LIBRARY_PATH"
    r"|CUDA_\w+|NVIDIA_\w+|OMP_NUM_THREADS|MKL_NUM_THREADS"
)
_Hours = Annotated[float, pydantic.Field(gt=0, le=24 * 365)]
_Command = Annotated[tuple[str, ...], pydantic.Field(min_length=1)]


class Program(Settings):
    """The table ``[external]``.

    Attributes:
        translate: the command that fills ``{predictions}`` with ``<id>.png`` for each file in
            ``{sources}``.
        train: the command that fills ``{weights}`` from ``{sources}`` and ``{targets}``, whose
            files have the same names; None where nothing is trained.
        name: of the method; by default that of the TOML.
        train_hours: after which a training is taken for one that hangs.
        translate_hours: the same of a translation.
        environment: variables beside those that every program gets.
        files: further files and folders beside the TOML whose content decides the images.
    """

    translate: _Command
    train: _Command | None = None
    name: str | None = None
    train_hours: _Hours = 24.0 * 14
    translate_hours: _Hours = 24.0
    environment: dict[str, str] = pydantic.Field(default_factory=dict)
    files: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _placeholders_fit(self) -> Program:
        for kind, command in (("train", self.train), ("translate", self.translate)):
            if command is None:
                continue
            used = {name for part in command for name in _PLACEHOLDER.findall(part)}
            if unknown := sorted(used - _KNOWN[kind]):
                known = ", ".join(f"{{{each}}}" for each in sorted(_KNOWN[kind]))
                raise ValueError(f"{kind}: unknown placeholder {{{unknown[0]}}}; known: {known}")
            if lacking := sorted(_NEEDED[kind] - used):
                raise ValueError(f"{kind}: must name {{{lacking[0]}}} among its arguments")
            if self.train is None and "weights" in used:
                raise ValueError("translate: names {weights}, but no command trains any")
        return self


class ExternalProgram(TranslationModel):
    """A method that a program is; its class attributes say which.

    Its only state is the hash of the folder that its training wrote.
    """

    program: ClassVar[Program]
    folder: ClassVar[Path]
    trained: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.register_buffer("trained", torch.zeros(32, dtype=torch.uint8))

    def translate(self, source: Tensor) -> Tensor:
        """Refuse: a program is called for all images at once, by ``i2ibench run``."""
        raise UsageError(f"{type(self).__name__} is a program, which only i2ibench run calls")

    @property
    def weights_sha256(self) -> str:
        """The hash of what its training wrote."""
        return bytes(self.trained.tolist()).hex()

    def set_weights(self, sha256: str) -> None:
        """Remember the hash of what its training wrote."""
        self.trained.copy_(torch.tensor([*bytes.fromhex(sha256)], dtype=torch.uint8))

    def command(self, kind: str, values: Mapping[str, object]) -> list[str]:
        """Return the arguments of ``train`` or ``translate`` with placeholders filled in."""
        parts = self.program.train if kind == "train" else self.program.translate
        filled = {"folder": self.folder, "python": sys.executable, **values}
        return [_PLACEHOLDER.sub(lambda found: str(filled[found[1]]), part) for part in parts or ()]

    def environment(self) -> dict[str, str]:
        """Return what the program sees of our environment, and what its TOML adds."""
        passed = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        return {**passed, **self.program.environment}


def read_program(file: Path) -> type[ExternalProgram]:
    """Return the class of a program that a TOML describes.

    Raises:
        UsageError: no such file, no TOML, keys or placeholders that are unknown, a program that is
            not there.
    """
    content = read_toml(file, error=UsageError)
    if not isinstance(content.get("external"), dict):
        raise UsageError(
            f"{file}: has no table [external]; to train a registered model by a recipe, give it "
            f"with --recipe {file.name}"
        )
    if others := sorted(content.keys() - {"external", "method"}):
        raise UsageError(f"{file}: unknown table [{others[0]}]; known: [external] and [method]")
    try:
        program = Program(**content["external"])
    except pydantic.ValidationError as error:
        raise UsageError(f"{file}: [external] {explain(error, Program)}") from None
    folder = file.resolve().parent
    name = program.name or file.stem
    attributes = {
        "__doc__": f"The program of {file.name}.",
        "program": program,
        "folder": folder,
    }
    made: type[ExternalProgram] = type(name, (ExternalProgram,), attributes)
    _check_programs(made, file)
    return made


def program_sha256(found: type[ExternalProgram], file: Path) -> str:
    """Return the hash of a program: its TOML, and the files in its folder that it names.

    Those of its commands' arguments that are files there, with what a Python file imports from
    beside it, and everything below ``files``.

    Raises:
        UsageError: ``files`` name what is not there, or lies outside.
    """
    folder, program = found.folder, found.program
    named = {folder / part for part in (*(program.train or ()), *program.translate)}
    hashed = {path.resolve() for path in named if path.is_file()}
    for entry in program.files:
        place = (folder / entry).resolve()
        if not place.exists() or (place != folder and folder not in place.parents):
            raise UsageError(f"{file}: files: {entry} is nothing beside it")
        hashed |= {place} if place.is_file() else {p for p in place.rglob("*") if p.is_file()}
    for script in [path for path in hashed if path.suffix == ".py" and path.parent == folder]:
        hashed |= set(contents(script).files)
    inside = {path for path in hashed if folder in path.parents and "__pycache__" not in path.parts}
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in inside}
    # The TOML may be called otherwise tomorrow.
    hashes.pop(file.name, None)
    return sha256_json({"files": hashes, "toml": sha256_file(file)})


def folder_sha256(folder: Path) -> str:
    """Return the hash of all files below a folder, names and contents.

    Raises:
        DataError: there is none.
    """
    files = snapshot(folder)
    if not files:
        raise DataError(f"{folder}: holds no file")
    return sha256_json(files)


def snapshot(*folders: Path) -> dict[str, str]:
    """Return the hash of every file below folders, by folder and name."""
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": sha256_file(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return in words what was changed, added or removed; empty where nothing was."""
    found = [
        f"{name} {'added' if name not in before else 'removed' if name not in after else 'changed'}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    return some(found, 3)


def _check_programs(found: type[ExternalProgram], file: Path) -> None:
    """Refuse a command whose program is not there before anything costly starts."""
    path = found(ModelConfig()).environment().get("PATH")
    for kind in ("train", "translate"):
        command = found.program.train if kind == "train" else found.program.translate
        if command is None or _PLACEHOLDER.search(command[0]):
            continue
        beside = found.folder / command[0]
        if shutil.which(command[0], path=path) is None and not os.access(beside, os.X_OK):
            raise UsageError(
                f"{file}: {kind}: no program {command[0]} is in PATH or beside it; give its path"
            )
