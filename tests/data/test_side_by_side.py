"""A row of panels that can be read in two ways is read in none until the direction is given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2ibench.cli.app import run_app
from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.images import read_pair, write_png
from i2ibench.errors import DataError


def _draw(root: Path, width: int, height: int, panels: int) -> list[np.ndarray]:
    """Write two files of panels side by side in the split test; return the panels of the first."""
    generator = np.random.default_rng(3)
    for name in "ba":
        parts = [generator.integers(0, 256, (height, width, 3), np.uint8) for _ in range(panels)]
        write_png(root / "test" / f"{name}.png", np.hstack(parts))
    return parts


@pytest.mark.parametrize(
    ("width", "height", "squares"), [(60, 40, 3), (80, 40, 4), (30, 10, 6), (75, 50, 3)]
)
def test_halves_that_fit_square_panels_too_are_named_with_them(
    tmp_path: Path, width: int, height: int, squares: int
) -> None:
    left, right = _draw(tmp_path, width, height, 2)
    both = rf"{squares} panels of {height} x {height} px .*1to2.* 2 halves of {width} x {height} px"
    with pytest.raises(DataError, match=rf"{both} .*AtoB"):
        open_dataset(str(tmp_path))
    for direction, expected in (("AtoB", (left, right)), ("BtoA", (right, left))):
        pairs = open_dataset(str(tmp_path), direction=direction)
        for found, panel in zip(read_pair(pairs[0]), expected, strict=True):
            np.testing.assert_array_equal(found, panel)


def test_square_panels_are_read_by_their_numbers(tmp_path: Path) -> None:
    panels = _draw(tmp_path, 20, 20, 4)
    pairs = open_dataset(str(tmp_path), direction="2to4")
    source, target = read_pair(pairs[0])
    np.testing.assert_array_equal(source, panels[1])
    np.testing.assert_array_equal(target, panels[3])


def test_an_odd_row_of_panels_has_one_reading(tmp_path: Path) -> None:
    _draw(tmp_path, 21, 21, 3)
    with pytest.raises(DataError, match=r"files of 3 panels \(1, 2, 3\): .*1to2"):
        open_dataset(str(tmp_path))
    with pytest.raises(DataError, match="3 panels"):
        open_dataset(str(tmp_path), direction="AtoB")


def test_a_card_of_panels_keeps_its_own_reading(tmp_path: Path) -> None:
    _draw(tmp_path, 20, 20, 4)
    card = 'title = "t"\n[[layouts]]\nkind = "strip"\npanels = ["a", "b", "c", "d"]\n'
    (tmp_path / "mine.toml").write_text(card)
    with pytest.raises(DataError, match="4 panels"):
        open_dataset(str(tmp_path / "mine.toml"), direction="AtoB")


def test_halves_are_scored_as_a_card_scores_them(tmp_path: Path, capsys) -> None:
    root = tmp_path / "set"
    _draw(root, 60, 40, 2)
    for pair in Dataset.open(str(root), direction="AtoB").split("test"):
        source, target = read_pair(pair)
        write_png(
            tmp_path / "made" / f"{pair.id}.png", (source // 2 + target // 2).astype(np.uint8)
        )
    (root / "card.toml").write_text('title = "t"\n[[layouts]]\nkind = "strip"\n')
    values = []
    for where in ([str(root), "--direction", "AtoB"], [str(root / "card.toml")]):
        line = ["evaluate", str(tmp_path / "made"), "--metrics", "psnr", "--json", "--dataset"]
        assert run_app([*line, *where]) == 0
        values.append(json.loads(capsys.readouterr().out)["metrics"]["psnr"]["value"])
    assert values[0] == values[1]
