"""The one-line definition printed beside every number: ``psnr|rgb|range:255|mean:image|v:1``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from i2ibench.errors import DataError

_WORD = re.compile(r"[^|:\s][^|:]*")
# One spelling a number, so that equal definitions are equal texts.
_VERSION = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Signature:
    """What was computed: the metric's name, its settings in order, and its version.

    Two numbers may stand in one column of a board exactly when their signatures are equal. A
    setting is a ``(key, value)`` pair printed as ``key:value``, or a flag ``(key, "")`` printed
    as ``key``. The version counts changes of the definition that no setting names.

    Raises:
        DataError: a part holds ``|``, ``:`` or what does not show in one line (line breaks, tabs,
            control characters), is empty, or occurs twice; or the version is no whole number from
            0 to 999999999.
    """

    name: str
    settings: tuple[tuple[str, str], ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        keys = [key for key, _ in self.settings]
        words = [self.name, *keys, *(value for _, value in self.settings if value)]
        for word in words:
            if not _WORD.fullmatch(word) or not word.isprintable():
                raise DataError(
                    f"{word!r} cannot stand in a signature: it is empty, begins with a space, or "
                    "holds |, : or a character that does not print"
                )
        if not _VERSION.fullmatch(str(self.version)):
            raise DataError(
                f"signature of {self.name}: version {self.version} is no whole number from 0 to "
                "999999999"
            )
        if len({*keys, "v"}) != len(keys) + 1:
            raise DataError(f"signature of {self.name}: a setting occurs twice, or is called v")

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read a printed signature; ``Signature.parse(str(s)) == s``.

        Raises:
            DataError: ``text`` is not what a signature prints.
        """
        name, *parts = text.split("|")
        settings = []
        for part in parts:
            key, colon, value = part.partition(":")
            if bool(colon) != bool(value):
                raise DataError(f"not a signature: {text!r:.100} (a setting without value)")
            settings.append((key, value))
        if not settings or settings[-1][0] != "v" or not _VERSION.fullmatch(settings[-1][1]):
            raise DataError(f"not a signature: {text!r:.100} (it must end in |v:NUMBER)")
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
