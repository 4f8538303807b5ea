"""Mutations for fuzzing readers: of bytes, and of values in their places."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# A night's run: I2IBENCH_FUZZ=50000 python -m pytest tests/test_fuzz_readers.py
EXAMPLES = int(os.environ.get("I2IBENCH_FUZZ", "500"))

_fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="I2IBENCH_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def each_mutation(do: Callable[[Random], None]) -> None:
    """Call ``do`` with ``EXAMPLES`` different generators; a failing one is told by its seed."""

    @_fuzzed
    @given(st.integers(0, 2**32 - 1))
    def holds(seed: int) -> None:
        do(Random(seed))

    holds()


_PIECES = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n\n",
    b'"',
    b"[" * 3000,
    b"{" * 50,
    b",",
    b"NaN",
    b"1e999",
    b"-",
    b"9" * 5000,
    b"\\ud800",
    "\u202e".encode(),
    b"\x1b[31m",
)

_VALUES = (
    None,
    True,
    -1,
    0,
    10**30,
    -(10**299),
    1e308,
    "",
    "x",
    "\x1b[31m",
    "../../x",
    "a" * 5000,
    [],
    [[]],
    {},
    {"": None},
    [1, "a", None],
    {"a": {"b": {"c": []}}},
    float("nan"),
    float("inf"),
)


def mutated_bytes(draw: Random, content: bytes) -> bytes:
    """Return bytes with one to four flips, cuts, insertions or repetitions."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(changed) + 1)
        kind = draw.choice(("flip", "set", "cut", "insert", "drop", "repeat"))
        if kind == "flip" and place < len(changed):
            changed[place] ^= 1 << draw.randrange(8)
        elif kind == "set" and place < len(changed):
            changed[place] = draw.randrange(256)
        elif kind == "cut":
            del changed[place:]
        elif kind == "insert":
            changed[place:place] = draw.choice(_PIECES)
        elif kind == "drop":
            del changed[place : place + draw.randint(1, 40)]
        else:
            changed[place:place] = changed[place : place + draw.randint(1, 40)]
    return bytes(changed)


def mutated_value(draw: Random, value: Any) -> Any:
    """Return a value in which one to three parts are something else, gone, or called otherwise."""
    changed = copy.deepcopy(value)
    for _ in range(draw.randint(1, 3)):
        places = list(_places(changed))
        if not places:
            break
        holder, key = draw.choice(places)
        kind = draw.choice(("replace", "replace", "remove", "rename"))
        if kind == "replace":
            holder[key] = copy.deepcopy(draw.choice(_VALUES))
        elif kind == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw.choice(("", "x", "\x1b", "../x", "a" * 300))] = holder.pop(key)
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every part of a value as its holder and its key there."""
    for key in value.keys() if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])
