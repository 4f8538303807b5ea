"""Tables of scores: none is bold, no number is broken, and what marks a number stands below."""

from __future__ import annotations

import numpy as np
import pytest
from factories import pair_scores, result
from rich.console import Console

from i2ibench.cli.results import _beside, show_models, show_result
from i2ibench.results.record import MetricRecord


@pytest.fixture
def shown(monkeypatch, capsys):
    """Return what a function prints on a terminal of some width, lines as they are."""

    def printed(width, function, *arguments):
        console = Console(width=width, emoji=False)
        for module in ("terminal", "results"):
            monkeypatch.setattr(f"i2ibench.cli.{module}.out", lambda: console)
        function(*arguments)
        return capsys.readouterr().out

    return printed


def records(better, *values):
    return [MetricRecord(value=value, n=4, better=better) for value in values]


def test_no_value_is_bold_before_a_test_says_that_it_is_better():
    assert _beside(records("higher", 1.0, 3.0, 2.0)) == ["1", "3", "2"]


def test_a_missing_value_is_no_infinite_one():
    missing = MetricRecord(value=None, n=4, better="higher", unavailable="no weights")
    assert _beside([missing, *records("higher", 1.0, 2.0)]) == ["–", "1", "2"]
    assert _beside(records("higher", None, 2.0))[0] == "inf"


def many(count):
    draw = np.random.default_rng(0)
    scores = [pair_scores({"psnr": 20 + draw.random(16)}, ["0", "3+"] * 8) for _ in range(count)]
    return [result(each, f"model-{i}") for i, each in enumerate(scores)]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_number_is_broken_over_two_lines(shown, width):
    results = many(9)
    text = shown(width, show_models, results)
    for each in results:
        for table in (each.metrics, *(group.metrics for group in each.groups.values())):
            assert f" {table['psnr'].value:.4g} " in text
    assert max(map(len, text.splitlines())) <= width


def test_units_and_names_are_no_markup(shown):
    made = many(2)
    for each in made:
        each.metrics["psnr"] = each.metrics["psnr"].model_copy(
            update={"unit": "[um]", "notes": ("mind [this]",)}
        )
    for text in (shown(90, show_models, made), shown(90, show_result, made[0])):
        assert "psnr ([um])" in text
        assert text.count("psnr: mind [this]") == 1
