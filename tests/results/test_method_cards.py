"""Where methods come from: declared for all that ship, harmless in BibTeX."""

from __future__ import annotations

import doctest

import pytest

from i2ibench import registry
from i2ibench.results import method_cards
from i2ibench.results.method_cards import bibtex, card_bibtex, method_card


@pytest.mark.parametrize("name", registry.models.names())
def test_every_shipped_method_says_its_family_and_licence(name: str) -> None:
    card = method_card(name)
    assert card.family
    assert card.licence
    summary = registry.models.summary(name)
    if "arXiv:" in summary and "combination" not in summary:
        assert f"arXiv:{card.arxiv}" in summary, "the paper that the code names"


def test_a_name_that_nobody_registers_says_nothing() -> None:
    assert method_card("theirs") == method_cards.MethodCard()
    assert card_bibtex("theirs", method_card("theirs")) == ""


def test_no_text_ends_the_braces_of_its_field() -> None:
    entry = bibtex("a b}{", {"title": "x}} @misc{\\input{y}", "note": "50 % & #1", "doi": None})
    assert entry.count("{") == entry.count("}")
    assert entry.count("\n@") == 0
    assert "\\input" not in entry
    assert r"50 \% \& \#1" in entry
    assert "doi" not in entry


def test_the_example_is_true() -> None:
    assert doctest.testmod(method_cards).failed == 0
