"""Where a method comes from, declared: paper, code, licence and kind, in ``methods.toml``.

A package that provides models may bring the file beside them; ours have no other door. What authors
say of a method that was not run here (``method_facts``) stands in its records instead.
"""

from __future__ import annotations

import importlib.resources
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

import pydantic

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.settings import Settings, explain

FILE = "methods.toml"


class MethodCard(Settings):
    """A method as its package declares it.

    Attributes:
        family: its kind, e.g. ``"conditional GAN"``.
        licence: of the code that runs here.
        title: of its paper.
        authors: of its paper, each as ``"Given Family"``.
        year: of its paper.
        venue: where the paper appeared.
        arxiv: id of the paper.
        doi: of the paper.
        code: address of the authors' own code.
    """

    family: str = ""
    licence: str = ""
    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    arxiv: str | None = None
    doi: str | None = None
    code: str | None = None

    @property
    def paper(self) -> str | None:
        """The address of the paper."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else None


def method_card(name: str) -> MethodCard:
    """Return what the package of a registered model declares of it; nothing of any other name.

    Raises:
        UsageError: its ``methods.toml`` cannot be read, or says something unknown.
    """
    if name not in registry.models:
        return MethodCard()
    entry = registry.models.entry(name)
    package = entry.target.partition(":")[0].partition(".")[0]
    if not package or entry.file is not None:
        return MethodCard()
    content = _cards(package).get(name)
    if content is None:
        return MethodCard()
    try:
        return MethodCard(**content)
    except (pydantic.ValidationError, TypeError) as error:
        said = explain(error, MethodCard) if isinstance(error, pydantic.ValidationError) else error
        raise UsageError(f"{FILE} of {package}, [{name}]: {said}") from None


def bibtex(key: str, fields: Mapping[str, str | int | None], kind: str = "misc") -> str:
    """Return an entry of BibTeX; empty fields are left out, a text cannot end its braces.

    >>> print(bibtex("a 2020", {"title": "T", "year": 2020, "doi": None}))
    @misc{a-2020,
      title = {{T}},
      year = {2020},
    }
    """
    lines = [
        f"  {name} = {{{{{_held(str(value))}}}}},"
        if name == "title"
        else f"  {name} = {{{_held(str(value))}}},"
        for name, value in fields.items()
        if value not in (None, "")
    ]
    return "\n".join([f"@{kind}{{{_key(key)},", *lines, "}"])


def card_bibtex(name: str, card: MethodCard) -> str:
    """Return the BibTeX of a method's paper, or nothing where none is declared."""
    if not card.title:
        return ""
    return bibtex(
        name if card.year is None else f"{name}-{card.year}",
        {
            "title": card.title,
            "author": " and ".join(card.authors),
            "year": card.year,
            "howpublished": card.venue,
            "eprint": card.arxiv,
            "archiveprefix": "arXiv" if card.arxiv else None,
            "doi": card.doi,
        },
    )


def _held(text: str) -> str:
    """Return text that BibTeX takes as it is: braces and backslashes would act."""
    plain = "".join(each for each in text if each.isprintable() and each not in "{}\\")
    return plain.replace("&", r"\&").replace("%", r"\%").replace("#", r"\#")


def _key(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(each if each.isalnum() or each in "-_.:" else "-" for each in ascii_text) or "x"


@cache
def _cards(package: str) -> dict[str, dict[str, Any]]:
    try:
        file = importlib.resources.files(package).joinpath(FILE)
        if not file.is_file():
            return {}
        content: dict[str, dict[str, Any]] = registry.tomllib.loads(file.read_text("utf-8"))
    except (OSError, ImportError, UnicodeDecodeError, registry.tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{package} has no readable {FILE}: {error}") from error
    return content
