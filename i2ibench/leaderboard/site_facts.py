"""What a folder of boards says of its site: ``site.toml``, with its address and how to cite it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import pydantic

from i2ibench.errors import DataError
from i2ibench.reading import read_toml
from i2ibench.settings import Line, Settings, explain, one_line

FILE = "site.toml"
# Of the site: each board has a page here.
BOARDS = "boards"
_ADDRESS = re.compile(r"https?://[^\s<>\"'|()\[\]{}\\^`?#]+")
_DOI = re.compile(r"10\.\d{4,9}/[^\s<>\"'{}\\^`|]+")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(one_line(text)):
        raise ValueError("must be an address that begins with https://, without ? and #")
    return text.rstrip("/")


def _doi(text: str) -> str:
    found = one_line(text).removeprefix("https://doi.org/").removeprefix("doi:")
    if not _DOI.fullmatch(found):
        raise ValueError("must be a DOI, such as 10.5281/zenodo.1234567")
    return found


class SiteFacts(Settings):
    """What the site of a folder of boards is called, where it is published, how it is cited.

    Attributes:
        title: of the site.
        address: where it is published; without it pages link to each other alone.
        doi: of an archived snapshot of the boards, e.g. ``"10.5281/zenodo.1234567"``.
        authors: who keeps the boards.
    """

    title: Line = "Leaderboards of image-to-image translation"
    address: Annotated[str, pydantic.AfterValidator(_address)] | None = None
    doi: Annotated[str, pydantic.AfterValidator(_doi)] | None = None
    authors: tuple[Line, ...] = ()

    def board_address(self, dataset: str) -> str | None:
        """Return the address of a board's page, None where the site has none."""
        page = f"{BOARDS}/{quote(dataset)}.html"
        return None if self.address is None else f"{self.address}/{page}"


def read_site_facts(folder: Path) -> SiteFacts:
    """Read ``site.toml`` in the folder of all boards; without that file all is as by default.

    Raises:
        DataError: no TOML, an unknown key, or a value that cannot be shown.
    """
    path = folder / FILE
    if not path.is_file():
        return SiteFacts()
    content = read_toml(path)
    if isinstance(content.get("authors"), str):
        content = {**content, "authors": [content["authors"]]}
    try:
        return SiteFacts(**content)
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: {explain(error, SiteFacts)}") from None
