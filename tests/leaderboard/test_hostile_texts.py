"""A text of anybody's is shown as it is on every page: it adds no tag, link, row or escape code."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from factories import pair_scores, result

from i2ibench import escaping
from i2ibench.cli.terminal import table
from i2ibench.files import write_json
from i2ibench.leaderboard.board import read_board, render_page
from i2ibench.leaderboard.exports import csv_board, latex_board
from i2ibench.leaderboard.plain_tables import board_tables
from i2ibench.results.record import Result

HOSTILE = (
    "=1+1|<img src=x onerror=alert(1)><!-- [l](javascript:alert(1)) ![p](http://x/y)"
    "\n\n| forged | 99.9 |\n# head\x1b[31m\x07\u202e\u200b**b** `c` &lt;script&gt; $x$ [bold]r[/]"
)
BENIGN = "plain"
# Keys whose values are told apart by the program; a hostile one is refused or is a number's name.
_FIXED = {"schema", "status", "created", "better", "kind"}


def _texts_replaced(value: Any, text: str, key: str = "") -> Any:
    """Return a record in which every text of a free field, and the groups' names, are ``text``.

    Of groups without unseen characters, which are refused.
    """
    added = {"config": text, "groups": "".join(filter(escaping.is_seen, text))}
    if isinstance(value, dict):
        return {
            (f"{name}{added[key]}" if key in added else name): _texts_replaced(each, text, name)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_texts_replaced(each, text, key) for each in value]
    return f"{value}{text}" if isinstance(value, str) and key not in _FIXED else value


def _entry(folder: Path, text: str) -> None:
    """Write a board whose one entry has ``text`` in every text that a record can hold."""
    scores = pair_scores(
        {"psnr": [20.0 + i for i in range(24)], "odd": [0.1 * i for i in range(24)]},
        groups=["0", "1+"] * 12,
        clusters=["s"] * 24,
    )
    content = result(scores, model={"name": "m", "config": {"k": "v"}}).to_json()
    del content["sha256"]
    content["environment"] = {"device": "cuda", "gpu": "G", "platform": "p", "python": "3"}
    content["dataset"] |= {"group_name": "HER2", "split": "test", "direction": "AtoB"}
    content["training"] = {"epochs": 1, "images": {"resize": "r", "crop": "c"}}
    content["intervals"] = {"method": "m", "resamples": 1, "units": 24, "unit": "pair"}
    for metric in content["metrics"].values():
        metric["notes"] = ["note"]
        metric["unit"] = "dB"
    content["metrics"]["gone"] = {"value": None, "n": 0, "unavailable": "why"}
    for place in (content["metrics"], content["macro"]):
        if "odd" in place:
            place[f"odd{text}"] = place.pop("odd")
    changed = _texts_replaced(content, text)
    changed["dataset"]["name"] = "board"
    changed.pop("pair_scores_sha256", None)
    write_json(folder / "board" / "entry.json", Result.model_validate(changed).to_json())
    reported = {
        "schema": 1,
        "status": "reported",
        "dataset": "board",
        "entries": [
            {
                "method": f"r{text}",
                "metrics": {"psnr": 1.0, f"new{text}": 2.0},
                "source": f"s{text}",
                "quoted_by": f"q{text}",
                "comparable_group": f"g{text}",
                "protocol": f"p{text}",
                "trained_on": f"t{text}",
                "remark": f"k{text}",
                "conditioned_on_label": True,
            }
        ],
    }
    write_json(folder / "board" / "reported.json", reported)


@pytest.fixture
def boards(tmp_path: Path) -> tuple[Any, Any]:
    for name, text in (("hostile", HOSTILE), ("benign", BENIGN)):
        _entry(tmp_path / name, text)
    return read_board(tmp_path / "hostile", "board"), read_board(tmp_path / "benign", "board")


def test_markdown_holds_no_tag_link_row_or_code_of_a_text(boards: tuple[Any, Any]) -> None:
    hostile, benign = (render_page(board) for board in boards)
    assert "onerror" in hostile, "the text is shown"
    outside = re.sub(r"(?<!\\)`[^`\n]*`", "", hostile)
    for forged in ("<img", r"<!-- \[", r"[^\\]\]\((javascript|http)", "\n# head", r"\n\| forged"):
        assert not re.search(forged, outside), forged
    assert "**b**" not in outside and "<script" not in outside
    assert all(each == "\n" or each.isprintable() for each in hostile)
    assert len(hostile.splitlines()) == len(benign.splitlines())
    rows = [
        [len(re.findall(r"(?<!\\)\|", each)) for each in page.splitlines() if each[:1] == "|"]
        for page in (hostile, benign)
    ]
    assert rows[0] == rows[1], "as many cells a row"


def test_no_cell_of_the_csv_is_a_formula(boards: tuple[Any, Any]) -> None:
    rows = list(csv.reader(io.StringIO(csv_board(boards[0]))))
    cells = [cell for row in rows for cell in row]
    assert any(HOSTILE in cell for cell in cells), "the text is there"
    for cell in cells:
        if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
            float(cell)


def test_latex_sets_a_text_as_it_is(boards: tuple[Any, Any]) -> None:
    hostile, benign = (latex_board(board) for board in boards)
    assert all(each == "\n" or each.isprintable() for each in hostile)
    assert len(hostile.splitlines()) == len(benign.splitlines())
    for line in hostile.splitlines():
        if not line.startswith("%"):
            assert not re.search(r"(?<!\\)[#&%$](?! )[a-z]", line)


def test_the_terminal_gets_no_escape_code(boards: tuple[Any, Any]) -> None:
    from rich.console import Console

    for title, header, rows in board_tables(boards[0]):
        console = Console(file=io.StringIO(), width=400, force_terminal=False)
        console.print(table(title, header, rows, markup=True))
        shown = console.file.getvalue()
        assert "[bold]r[/]" in shown.replace("\n", "")
        assert all(each == "\n" or each.isprintable() for each in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("n < 2048, 5 > 4, A & B", "n < 2048, 5 > 4, A & B"),
        ("window:uniform7|v:1 [0, 1] 2*3 a_b", "window:uniform7|v:1 [0, 1] 2*3 a_b"),
        ("<b>", "&lt;b>"),
        ("&#60;b", "&amp;#60;b"),
        ("[a](b)", r"[a\](b)"),
        ("![a][b]", r"![a\][b]"),
        ("a\nb", "a b"),
    ],
)
def test_markdown_changes_only_what_would_act(text: str, shown: str) -> None:
    assert escaping.markdown(text) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_cells_that_a_spreadsheet_would_run_are_quoted(start: str) -> None:
    assert escaping.csv_cell(f"{start}cmd") == f"'{start}cmd"
    assert escaping.csv_cell(f"a{start}") == f"a{start}"
