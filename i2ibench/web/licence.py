"""What the licence of a data set says of its images, for pages that show them."""

from __future__ import annotations

from dataclasses import dataclass

from i2ibench import registry
from i2ibench.data.identity import OWN


@dataclass(frozen=True, slots=True)
class DataLicence:
    """The terms of a data set, as its card has them.

    Attributes:
        words: the terms; empty where nothing is said.
        publishable: whether they let images be published; None where nothing is said.
    """

    words: str = ""
    publishable: bool | None = None

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return bool(self.words) or self.publishable is not None


def licence_of(dataset: str) -> DataLicence:
    """Return what a registered data set says of its licence; nothing of one's own.

    Data that stand as ``own-NAME`` may be a part of NAME, whose terms they then have.
    """
    known = registry.datasets.names()
    name = dataset
    while name not in known and name.startswith(OWN):
        name = name.removeprefix(OWN)
    if name not in known:
        return DataLicence()
    card = registry.datasets.get(name)
    words, publishable = str(card.get("licence", "")), card.get("publishable")
    if name != dataset and words:
        words = f"of {name}, which these data may be a part of: {words}"
    return DataLicence(words, publishable if isinstance(publishable, bool) else None)


def kept_private(dataset: str) -> str:
    """Return a line for whoever made a page with images that may not be published; else nothing."""
    licence = licence_of(dataset)
    if licence.publishable is not False:
        return ""
    words = f" ({licence.words})" if licence.words else ""
    return f"images of {dataset} may not be published{words}"
