"""docs/metrics.md tells of every metric: which question it answers, and what it is held against."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from i2ibench import registry

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
OURS = {n for n in registry.metrics.names() if registry.metrics.entry(n).provider == "i2ibench"}


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^\|(.*)\|$", section, flags=re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines[2:]]


def _named(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("Every metric against an implementation we did not write", 0),
        ("Which metric answers which question", 1),
    ],
)
def test_every_metric_has_a_row(heading, column):
    named = set().union(*(_named(row[column]) for row in _rows(heading)))
    assert named == OURS


def test_every_row_says_its_reference_and_how_far_it_agrees():
    for metrics, reference, agreement, *_ in _rows(
        "Every metric against an implementation we did not write"
    ):
        assert reference, metrics
        assert agreement, metrics
