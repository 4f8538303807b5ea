"""What its authors say of a method that was not run here: ``method.toml``, validated and recorded.

Nothing of it can be measured from predictions, so boards show it as said by them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pydantic

from i2ibench.errors import DataError
from i2ibench.reading import read_toml
from i2ibench.registry import Entry
from i2ibench.settings import Line, Settings, explain, one_line

_ADDRESS = re.compile(r"https?://[^\s<>\"'|()\[\]{}\\^`]+")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(one_line(text)):
        raise ValueError("must be an address that begins with https://")
    return text


_Address = Annotated[str, pydantic.AfterValidator(_address)]


class MethodFacts(Settings):
    """A method as its authors describe it.

    Attributes:
        title: its name in full.
        saw_test_targets: whether any test target had a part in training or in the choice of a
            state; such a method is shown, and never ranked.
        authors: who made it.
        paper: address of the paper.
        code: address of the code.
        parameters: number of those that translate.
        training_data: what it was trained on.
        training_budget: for how long, e.g. ``"200 epochs, batch 1"``.
        hardware: what it was trained on.
        family: its kind, e.g. ``"conditional GAN"``.
        licence: of its code.
    """

    title: Line
    saw_test_targets: pydantic.StrictBool
    authors: tuple[Line, ...] = ()
    paper: _Address | None = None
    code: _Address | None = None
    parameters: Annotated[int, pydantic.Field(ge=0, strict=True)] | None = None
    training_data: Line | None = None
    training_budget: Line | None = None
    hardware: Line | None = None
    family: Line | None = None
    licence: Line | None = None

    def recorded(self) -> dict[str, Any]:
        """Return what is said as JSON values; what is not said is absent."""
        content: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        return content if self.authors else {k: v for k, v in content.items() if k != "authors"}


def read_method(path: Path) -> MethodFacts:
    """Read a ``method.toml``.

    Raises:
        DataError: no such file, no TOML, an unknown key, or a value that cannot be shown.
    """
    return _parse(read_toml(path), path)


def facts_beside(entry: Entry) -> MethodFacts | None:
    """Return what the table ``[method]`` says in the TOML beside a file that is a method.

    None where the method is no named file, or nothing is said.
    """
    beside = None if entry.file is None else entry.file.with_suffix(".toml")
    if beside is None or not beside.is_file():
        return None
    content = read_toml(beside).get("method")
    if content is None:
        return None
    if not isinstance(content, dict):
        raise DataError(f"{beside}: method must be a table, [method]")
    return _parse(content, f"{beside}: [method]")


def _parse(content: dict[str, Any], where: object) -> MethodFacts:
    if isinstance(content.get("authors"), str):
        content = {**content, "authors": [content["authors"]]}
    try:
        return MethodFacts(**content)
    except pydantic.ValidationError as error:
        raise DataError(f"{where}: {explain(error, MethodFacts)}") from None
