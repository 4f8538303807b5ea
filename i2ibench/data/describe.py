"""What the listing and the card of a data set show; reads cards only, no image."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from i2ibench import registry
from i2ibench.data.folders import dataset_folders
from i2ibench.errors import UsageError
from i2ibench.files import printable

if TYPE_CHECKING:
    from i2ibench.data.dataset import Dataset


def list_datasets() -> list[dict[str, Any]]:
    """Return name, title, pairs by split, place and provider of every catalogue data set.

    Cards are not validated here, and folders only looked for: the listing must be instant.
    """
    listed = []
    for name, card in registry.datasets.items():
        try:
            listed.append(_line(name, card))
        except (AttributeError, TypeError):  # a plugin's card of another form
            warnings.warn(_fault(name, card), stacklevel=2)
    return listed


def _line(name: str, card: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": str(card.get("title", "")),
        "pairs": {split: facts.get("pairs") for split, facts in card.get("splits", {}).items()},
        "place": _place(name, card),
        "provider": registry.datasets.entry(name).provider,
    }


def _fault(name: str, card: dict[str, Any]) -> str:
    """Return what validation says of a card that cannot even be listed."""
    from i2ibench.data.cards import parse_card

    try:
        parse_card(name, card)
    except UsageError as error:
        return str(error)
    return f"card of data set '{name}': cannot be listed"


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return the card of a data set, where it lies, and how many pairs are there.

    Raises:
        DataError: pairs that do not open.
    """
    here: dict[str, int] = {}
    if dataset.root is not None:
        here = {
            split: len(dataset.list_split(split).pairs) for split in dataset.splits or ("test",)
        }
    return {
        "name": dataset.name,
        "card": dataset.card.model_dump(mode="json", exclude_defaults=True),
        "layouts": [str(layout) for layout in dataset.card.layouts],
        "place": printable(dataset.root) if dataset.root is not None else None,
        "pairs_here": here,
    }


def _place(name: str, card: dict[str, Any]) -> str:
    if "synthetic" in card:
        return "drawn on first use"
    for folder in dataset_folders():
        for each in card.get("folders") or [name]:
            if (folder / each).is_dir():
                return str(folder / each)
    return "fetch with --fetch" if "download" in card else "by hand"
