"""A card's regular expression finds what Python's own would, and cannot hang."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest

from i2ibench import limits, registry
from i2ibench.data.patterns import check_pattern, found_group
from i2ibench.errors import DataError

NAMES = ("00000_train_1+", "[7941,48408]_patch_0_0", "14M2102785_23_16", "a b-c", "é_3+", "")


def test_shipped_patterns_find_what_re_finds() -> None:
    searched = 0
    for name in registry.datasets.names():
        card = registry.datasets.get(name)
        for key, group in (("groups", "group"), ("clusters", "cluster")):
            declared = card.get(key)
            pattern = declared.get("pattern") if isinstance(declared, dict) else None
            for each in NAMES if pattern else ():
                match = re.search(pattern, each)
                assert found_group(pattern, group, each) == (match[group] if match else None)
                searched += 1
    assert searched > 10


def test_a_pattern_that_would_hang_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PATTERN_SECONDS", 0.02)
    pattern = check_pattern(r"^(?P<group>(a|aa)+)$", "group")
    with pytest.raises(DataError, match="takes more than"):
        found_group(pattern, "group", "a" * 200 + "!")


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?P<group>(a+)+)$",
        r"^(?P<group>(.*a){20})$",
        r"^(?P<group>a*a*a*a*a*a*a*a*a*a*)b$",
        r"^(?P<group>(a*)*)\1b",
    ],
)
def test_neighbours_of_it_end_too(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.setattr(limits, "PATTERN_SECONDS", 0.02)
    with suppress(DataError):  # regex sees through some of them
        assert found_group(check_pattern(pattern, "group"), "group", "a" * 200 + "!") is None


@pytest.mark.parametrize(
    "pattern", ["(", "(?P<other>a)", "(?P<group>a" * 2000, "(?P<group>a){9999999999999}"]
)
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"named group|not a regular|longer"):
        check_pattern(pattern, "group")
