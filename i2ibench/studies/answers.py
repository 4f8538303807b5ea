"""Files of answers, one a reader, held against the key of their study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pydantic

from i2ibench.data.faults import raise_together
from i2ibench.errors import DataError
from i2ibench.escaping import visible
from i2ibench.reading import read_json
from i2ibench.settings import explain
from i2ibench.studies.key import Key, Preference, Rating
from i2ibench.wording import count

FORMAT: Final = "i2ibench study answers"
Choice = Literal["left", "right", "neither"]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Answer(_Part):
    """What a reader said of one item.

    Attributes:
        place: at which it was shown, from 0.
        seconds: from its first sight to the answer.
        level: read in a rated image; None where it cannot be read.
        real: whether a rated image was taken for real.
        choice: which of two images is preferred.
    """

    place: int = pydantic.Field(ge=0)
    seconds: float = pydantic.Field(ge=0)
    level: str | None = None
    real: pydantic.StrictBool | None = None
    choice: Choice | None = None


class _File(_Part):
    format: Literal["i2ibench study answers"]
    schema_: Literal[1] = pydantic.Field(alias="schema")
    study: str
    reader: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,39}$")
    started: str
    saved: str
    complete: bool
    answers: dict[str, Answer]


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader's answers by item.

    Attributes:
        code: which the reader was given.
        path: of the file.
        answers: by the items' names.
        asked: how many items there are.
    """

    code: str
    path: Path
    answers: dict[str, Answer]
    asked: int

    @property
    def complete(self) -> bool:
        """Whether every item is answered."""
        return len(self.answers) == self.asked


def read_answers(
    paths: Sequence[Path], key: Key, on_fault: Callable[[DataError], None] | None = None
) -> list[Reader]:
    """Read the files of all readers, in the order of their codes.

    Args:
        paths: of the files.
        key: of their study.
        on_fault: called with what is wrong with each file, one line each; without it, all is told
            by the error.

    Raises:
        DataError: faulty files: no answers, answers of another study or of items that it has not,
            two files of one reader, or one without any answer.
    """
    readers: dict[str, Reader] = {}
    faults: list[DataError] = []
    for path in paths:
        try:
            reader = _read(path, key)
            if reader.code in readers:
                raise DataError(
                    f"{path}: answers of {reader.code}, as {readers[reader.code].path} is; keep one"
                )
            readers[reader.code] = reader
        except DataError as fault:
            faults.append(fault)
    if faults and on_fault is not None:
        for each in faults:
            on_fault(each)
        raise DataError(
            f"{len(faults)} of {count(len(paths), 'file')} cannot be used; mend them or leave them "
            "out: numbers are of all readers that were named, or none"
        )
    raise_together(faults, "the answers")
    return [readers[code] for code in sorted(readers)]


def _read(path: Path, key: Key) -> Reader:
    content: Any = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(
            f"{path}: not a file of answers; give what the page of the study saved, one a reader"
        )
    if content.get("study") != key.study:
        raise DataError(
            f"{path}: answers of another study ({_short(content.get('study'))}), not of "
            f"{_short(key.study)}; give the key that was written with that study"
        )
    try:
        file = _File.model_validate(content)
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: not a file of answers: {explain(error)}; save it anew") from None
    if not file.answers:
        raise DataError(f"{path}: holds no answer yet; leave it out")
    for name, answer in file.answers.items():
        _check(name, answer, key, path)
    return Reader(file.reader, path, file.answers, len(key.items))


def _check(name: str, answer: Answer, key: Key, path: Path) -> None:
    item = key.items.get(name)
    if item is None:
        raise DataError(
            f"{path}: answers {visible(name[:40])}, which the study has not; restore it"
        )
    if isinstance(item, Preference):
        fits = answer.choice is not None and answer.real is None and answer.level is None
    else:
        fits = answer.choice is None and answer.real is not None
        fits &= answer.level is None or answer.level in key.levels
    if not fits:
        asked = "a level and real or generated" if isinstance(item, Rating) else "a preference"
        raise DataError(f"{path}: the answer to {name} is not one to {asked}; save it anew")


def _short(study: object) -> str:
    return visible(str(study)[:12])
