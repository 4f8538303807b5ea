"""The one-line definition printed beside every number: ``psnr|rgb|range:255|mean:image|v:1``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from i2ibench.errors import DataError

_WORD = re.compile(r"[^|:\s][^|:]*")


@dataclass(frozen=True, slots=True)
class Signature:
    """What was computed: the metric's name, its settings in order, and its version.

    Two numbers may stand in one column of a board exactly when their signatures are equal. A
    setting is a ``(key, value)`` pair printed as ``key:value``, or a flag ``(key, "")`` printed
    as ``key``. The version counts changes of the definition that no setting names.

    Raises:
        DataError: a part holds ``|`` or ``:``, is empty, or occurs twice.
    """

    name: str
    settings: tuple[tuple[str, str], ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        keys = [key for key, _ in self.settings]
        words = [self.name, *keys, *(value for _, value in self.settings if value)]
        for word in words:
            if not _WORD.fullmatch(word):
                raise DataError(
                    f"'{word}' cannot stand in a signature: it is empty or holds | or :"
                )
        if len({*keys, "v"}) != len(keys) + 1:
            raise DataError(f"signature of {self.name}: a setting occurs twice, or is called v")

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read a printed signature; ``Signature.parse(str(s)) == s``."""
        name, *parts = text.split("|")
        settings = []
        for part in parts:
            key, colon, value = part.partition(":")
            if bool(colon) != bool(value):
                raise DataError(f"not a signature: '{text}' (a setting without value)")
            settings.append((key, value))
        if not settings or settings[-1][0] != "v" or not settings[-1][1].isdecimal():
            raise DataError(f"not a signature: '{text}' (it must end in |v:NUMBER)")
        version = int(settings.pop()[1])
        return cls(name, tuple(settings), version)

    def with_setting(self, key: str, value: object = "") -> Signature:
        """Return the signature with one more setting, or with ``key`` set to a new value."""
        text = str(value)
        if any(known == key for known, _ in self.settings):
            changed = tuple((k, text if k == key else v) for k, v in self.settings)
            return Signature(self.name, changed, self.version)
        return Signature(self.name, (*self.settings, (key, text)), self.version)

    def __str__(self) -> str:
        parts = [key if not value else f"{key}:{value}" for key, value in self.settings]
        return "|".join([self.name, *parts, f"v:{self.version}"])
