"""Tie brackets say what the tests leave open, no more."""

from __future__ import annotations

import pytest

from i2ibench.web.rank_plot import by_value, rank_plot, tie_groups


def _cells(**ahead: str) -> dict[str, dict]:
    """Return cells by name: the letters of those that each is surely better than."""
    return {
        name: {
            "value": float(place),
            "text": str(place),
            "place": f"#{place + 1}",
            "rank_best": 1,
            "rank_worst": len(ahead),
            "surely_better_than": list(others),
        }
        for place, (name, others) in enumerate(ahead.items())
    }


@pytest.mark.parametrize(
    ("ahead", "runs"),
    [
        ({"a": "", "b": "", "c": ""}, [(0, 2)]),
        ({"a": "c", "b": "", "c": ""}, [(0, 1), (1, 2)]),
        ({"a": "bc", "b": "c", "c": ""}, [(0, 0), (1, 1), (2, 2)]),
        ({"a": "cd", "b": "d", "c": "", "d": ""}, [(0, 1), (1, 2), (2, 3)]),
        ({"a": "b", "b": "", "c": ""}, [(0, 0), (1, 2)]),
    ],
)
def test_a_bracket_joins_those_of_which_none_is_surely_better(
    ahead: dict[str, str], runs: list[tuple[int, int]]
) -> None:
    assert tie_groups(list(ahead), _cells(**ahead)) == runs


def test_lower_is_first_where_lower_is_better() -> None:
    cells = _cells(a="", b="")
    assert by_value(cells, "lower") == ["a", "b"]
    assert by_value(cells, "higher") == ["b", "a"]


def test_a_name_is_text_in_the_plot_and_nothing_is_drawn_of_one_method() -> None:
    hostile = "<script>alert(1)</script>\u202e"
    cells = {**_cells(a="", b=""), hostile: {**_cells(c="")["c"]}}
    column = {"title": hostile, "better": "lower"}
    rows = [{"method": name, "cells": [cell]} for name, cell in cells.items()]
    drawn = rank_plot({"columns": [column], "rows": rows}, 0, {"a": 'x"><script>'})
    assert "<script" not in drawn
    assert "\u202e" not in drawn
    assert drawn.count("<circle") == 3
    assert rank_plot({"columns": [column], "rows": rows[:1]}, 0, {}) == ""
