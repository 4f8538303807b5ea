"""Answers as tables: one row an answer, with what the key says of what was shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from i2ibench.statistics.bootstrap import Codes
from i2ibench.studies.answers import Reader
from i2ibench.studies.key import Key, Preference, Rating

# How tables call the real images.
REAL = "real images"
# Of a preference: how much of a win it is for the image on the left.
_WINS = {"left": 1.0, "right": 0.0, "neither": 0.5}

_RATED = ["reader", "item", "pair", "unit", "maker", "truth", "read", "said_real", "repeats"]
_PREFERRED = ["reader", "item", "pair", "unit", "left", "right", "left_wins", "repeats"]


def rated(readers: Sequence[Reader], key: Key) -> pd.DataFrame:
    """Return the ratings: reader, item, pair, unit, maker, truth, read, said_real, repeats.

    ``truth`` and ``read`` are places among the levels, -1 where there is none. ``unit`` is the
    cluster of the pair, or the pair itself where it has none; ``repeats`` is empty at first sight.
    """
    place = {level: number for number, level in enumerate(key.levels)}
    rows = [
        (
            reader.code,
            name,
            item.pair,
            _unit(item.pair, key),
            REAL if item.maker is None else item.maker,
            place.get(key.pairs[item.pair].group or "", -1),
            place.get(answer.level or "", -1),
            bool(answer.real),
            item.repeats or "",
        )
        for reader in readers
        for name, answer in sorted(reader.answers.items())
        if isinstance(item := key.items[name], Rating)
    ]
    table: pd.DataFrame = pd.DataFrame(rows, columns=pd.Index(_RATED))
    return table


def preferred(readers: Sequence[Reader], key: Key) -> pd.DataFrame:
    """Return the preferences: reader, item, pair, unit, left, right, left_wins, repeats."""
    rows = [
        (
            reader.code,
            name,
            item.pair,
            _unit(item.pair, key),
            REAL if item.left is None else item.left,
            REAL if item.right is None else item.right,
            _WINS[str(answer.choice)],
            item.repeats or "",
        )
        for reader in readers
        for name, answer in sorted(reader.answers.items())
        if isinstance(item := key.items[name], Preference)
    ]
    table: pd.DataFrame = pd.DataFrame(rows, columns=pd.Index(_PREFERRED))
    return table


def first_sight(table: pd.DataFrame) -> pd.DataFrame:
    """Return the answers to what is not shown again."""
    once: pd.DataFrame = table[table["repeats"] == ""]
    return once


def units(table: pd.DataFrame) -> Codes:
    """Return a code of the unit of each answer: what is drawn together."""
    return np.asarray(pd.factorize(table["unit"])[0], dtype=np.int64)


def _unit(pair: str, key: Key) -> str:
    cluster = key.pairs[pair].cluster
    return f"pair {pair}" if cluster is None else f"cluster {cluster}"
