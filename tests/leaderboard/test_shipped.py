"""The boards in this repository follow from the entries beside them."""

from __future__ import annotations

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
