"""What a board says of how its methods were trained."""

from __future__ import annotations

from pathlib import Path

from drawn_boards import draw_entry

from i2ibench.leaderboard.board import build_board


def _budgets(folder: Path) -> dict[str, str]:
    text = build_board(folder, "drawn").read_text()
    table = text[text.index("#### How they were made") :].split("\n\n")[1]
    cells = [[each.strip() for each in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: row[2] for row in cells[2:]}


def test_a_budget_names_steps_images_and_a_precision_that_is_not_full(tmp_path: Path) -> None:
    training = {"epochs": 3, "decay_epochs": 2, "steps": 40, "batch_size": 4}
    training["images"] = {"crop": 64, "flip": True}
    draw_entry(tmp_path, "full", 1.0, training={**training, "precision": "fp32"})
    draw_entry(tmp_path, "half", 0.9, training={**training, "precision": "bf16"})
    said = "5 epochs, 40 steps, batch 4, crop 64"
    assert _budgets(tmp_path) == {"full": said, "half": f"{said}, bf16"}
