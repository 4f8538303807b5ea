"""What a folder of boards says of its site, and what a board says where it says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import pair_scores, result

from i2ibench.errors import DataError
from i2ibench.leaderboard.board import add_entry, build_board
from i2ibench.leaderboard.site_facts import read_site_facts


def test_a_doi_is_known_however_it_is_written(tmp_path: Path) -> None:
    for written in ("10.5281/zenodo.1", "https://doi.org/10.5281/zenodo.1", "doi:10.5281/zenodo.1"):
        (tmp_path / "site.toml").write_text(f'doi = "{written}"\nauthors = "A. Keeper"\n')
        found = read_site_facts(tmp_path)
        assert (found.doi, found.authors) == ("10.5281/zenodo.1", ("A. Keeper",))


@pytest.mark.parametrize(
    "line",
    [
        'address = "javascript:alert(1)"',
        'address = "https://x/)[l](y"',
        'doi = "zenodo"',
        'title = "two\\nlines"',
        'url = "https://x"',
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_file(tmp_path: Path, line: str) -> None:
    (tmp_path / "site.toml").write_text(line)
    with pytest.raises(DataError, match=r"site\.toml: .*" + line.partition(" ")[0]):
        read_site_facts(tmp_path)


def test_a_board_points_to_its_page_or_to_the_command(tmp_path: Path) -> None:
    columns = {"psnr": [20.0, 21.0], "dab-tpr": [0.0, 0.001], "dab-tnr": [0.95, 0.8]}
    scores = pair_scores(columns)
    add_entry(tmp_path, result(scores, "copy", run_id="a"), pair_scores=scores)
    page = build_board(tmp_path, "drawn").read_text()
    assert "`i2ibench leaderboard site OUT`" in page
    assert "copy<br><sub>unstained<sup>a</sup>, overstained<sup>b</sup></sub> | 20.50" in page
    assert "<sup>a</sup> unstained: DAB-TPR 0.0005, below 0.01" in page
    assert "<sup>b</sup> overstained: DAB-TNR 0.8750, below 0.9" in page
    (tmp_path / "site.toml").write_text('address = "https://example.org/b/"')
    page = build_board(tmp_path, "drawn").read_text()
    assert "(https://example.org/b/boards/drawn.html)" in page
