"""The boards in this repository follow from the entries beside them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from i2ibench.leaderboard.board import board_names, check_board, read_board

FOLDER = Path(__file__).resolve().parents[2] / "leaderboards"


@pytest.mark.parametrize("dataset", board_names(FOLDER))
def test_the_shipped_board_follows_from_its_entries(dataset: str) -> None:
    check_board(FOLDER, dataset)


@pytest.mark.parametrize("dataset", board_names(FOLDER))
def test_shipped_entries_carry_scores_and_no_folder_of_a_machine(dataset: str) -> None:
    for entry in read_board(FOLDER, dataset).entries:
        assert entry.pair_scores is not None, entry.path.name
        text = entry.path.read_text(encoding="utf-8")
        assert '"/' not in text, entry.path.name


def _rows(text: str, first: str) -> dict[str, list[str]]:
    """Return the cells of the table that begins with ``first``, by the method of a row."""
    lines = text[text.index(first) :].splitlines()
    rows = list(itertools.takewhile(lambda line: line.startswith("|"), lines))[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0].partition("<")[0]: row[1:] for row in cells}


def test_the_table_of_the_readme_is_that_of_the_board():
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    board = (FOLDER / "synthetic-64.md").read_text(encoding="utf-8")
    shown, made = _rows(readme, "| method | DAB-Dice"), _rows(board, "| method | DAB-Dice")
    assert shown.keys() <= made.keys() and len(shown) >= 9
    for method, cells in shown.items():
        assert set(cells) <= set(made[method]), method
