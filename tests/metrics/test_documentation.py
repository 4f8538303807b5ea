"""docs/ tell of every metric: which question it answers, and what it is held against."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from i2ibench import registry

DOCS = Path(__file__).resolve().parents[2] / "docs"
QUESTIONS, REFERENCES = "metrics.md", "metrics/references.md"
OURS = {n for n in registry.metrics.names() if registry.metrics.entry(n).provider == "i2ibench"}


def _rows(page: str) -> list[list[str]]:
    """Return the cells of the first table of a page, without its head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    [table] = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)[:1]
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def _named(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


@pytest.mark.parametrize(
    ("page", "column"),
    [(REFERENCES, 0), (QUESTIONS, 1)],
)
def test_every_metric_has_a_row(page, column):
    named = set().union(*(_named(row[column]) for row in _rows(page)))
    assert named == OURS


def test_every_row_says_its_reference_and_how_far_it_agrees():
    for metrics, reference, agreement, *_ in _rows(REFERENCES):
        assert reference, metrics
        assert agreement, metrics
