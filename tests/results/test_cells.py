"""One number of a table: which words it has, whichever table it stands in."""

from __future__ import annotations

import math

import pytest

from i2ibench.results.cells import NumberCell, record_cell
from i2ibench.results.record import MetricRecord


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (NumberCell(22.4567, "psnr"), "22.46"),
        (NumberCell(0.5, "ssim"), "0.5000"),
        (NumberCell(123.456), "123.5"),
        (NumberCell(12.3456), "12.35"),
        (NumberCell(0.01, like=500.0), "0.0"),
        (NumberCell(1.5, "psnr", style="signed"), "+1.50"),
        (NumberCell(-1.5, "psnr", style="signed"), "-1.50"),
        (NumberCell(21.1, "psnr", style="printed"), "21.1"),
        (NumberCell(21.123456, "psnr", style="printed"), "21.12"),
        (NumberCell(21.10, "psnr", style="short"), "21.1"),
        (NumberCell(12345.6, style="short"), "12346"),
        (NumberCell(math.inf, style="short"), "inf"),
        (NumberCell(math.inf, "psnr"), "inf"),
        (NumberCell(None, "psnr"), "–"),
    ],
)
def test_a_value_has_the_digits_of_its_metric_and_its_table(cell, text):
    assert cell.text == text


def test_interval_and_spread_have_the_digits_of_the_value():
    cell = NumberCell(150.25, "", (9.0, 1100.0), spread=0.5, rank=(2, 4))
    assert (cell.interval, cell.deviation, cell.place) == ("[9.0, 1100.0]", "0.5", "#2-4")
    assert not cell.is_best and NumberCell(1.0, rank=(1, 3)).is_best
    assert NumberCell(1.0, rank=(2, 2)).place == "#2"
    weights = NumberCell(1.0, claim=(3, 1, 5))
    assert (weights.place, weights.is_best) == ("+3 -1 of 5", False)
    bare = NumberCell(1.0)
    assert (bare.interval, bare.deviation, bare.place) == ("", "", "")


def test_programs_read_every_number_at_full_precision():
    fields = NumberCell(1 / 3, "psnr", (0.1, 2 / 3), 1e-9, (1, 3)).fields()
    assert fields == {
        "value": 1 / 3,
        "ci95_low": 0.1,
        "ci95_high": 2 / 3,
        "seed_sd": 1e-9,
        "rank_best": 1,
        "rank_worst": 3,
        "weights_better_than": None,
        "weights_worse_than": None,
        "weights_compared_with": None,
    }
    assert set(NumberCell(None).fields().values()) == {None}


def test_a_record_without_a_value_is_infinite_unless_it_says_why():
    assert record_cell(MetricRecord(value=None, n=4), "psnr").value == math.inf
    assert record_cell(MetricRecord(value=None, n=4, unavailable="no weights")).value is None
    assert record_cell(None).text == "–"
