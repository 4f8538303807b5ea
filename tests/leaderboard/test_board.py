"""Boards: what they show follows from the entries, and nothing that does not belong together."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import factories
import numpy as np
import pandas as pd
import pytest
from factories import pair_scores, result

from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.scores import MetricValue
from i2ibench.leaderboard.board import add_entry, build_board, check_board, read_board
from i2ibench.leaderboard.entries import add_file
from i2ibench.leaderboard.exports import board_lines, export
from i2ibench.leaderboard.plain_tables import board_tables
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record import ProtocolRecord
from i2ibench.results.record_files import write_result

LEVELS = ["0", "1+", "2+", "3+"] * 24


def _scores(shift: float, seed: int = 0) -> pd.DataFrame:
    quality = np.random.default_rng(0).normal(0, 1, 96)
    quality = quality + shift + np.random.default_rng([seed, 7]).normal(0, 0.2, 96)
    return pair_scores({"psnr": 20 + 3 * quality, "ssim": 0.5 + 0.1 * quality}, LEVELS)


def _add(folder: Path, model: str | dict, shift: float, seed: int = 0, **fields) -> Path:
    scores = _scores(shift, seed)
    run_id = fields.pop("run_id", f"{model}{seed}" if isinstance(model, str) else "run")
    made = result(scores, model, seed=seed, run_id=run_id, **fields)
    return add_entry(folder, made, pair_scores=scores)


def _rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table after ``heading``, small print and marks removed."""
    lines = page[page.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = lines[start + 2 :]
    end = next((i for i, line in enumerate(table) if not line.startswith("|")), len(table))
    plain = [re.sub(r"<br>.*?(?= \||$)|<sup>.*?</sup>", "", line) for line in table[:end]]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in plain]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A board of four methods: two alike, one with three seeds, one oracle, FID missing."""
    folder = tmp_path / "leaderboards"
    fid = MetricValue(None, 96, "", "lower", "", unavailable="weights inception-fid not found")
    swd = MetricValue(4.0, 96, "", "lower", "swd|v:1", notes=("biased: n < 2048",))
    for model, shift, seeds in (("weak", -1, 1), ("twin-a", 0, 1), ("strong", 1, 3)):
        for seed in range(seeds):
            _add(folder, model, shift, seed, metrics={"fid": fid, "swd": swd})
    twin = _scores(0)
    twin["psnr"] += np.random.default_rng(2).normal(0, 0.5, 96)
    made = result(twin, "twin-b", run_id="b", metrics={"fid": fid, "swd": swd})
    add_entry(folder, made, pair_scores=twin)
    oracle = {"name": "oracle", "config": {}, "uses_target": True}
    _add(folder, oracle, 3, metrics={"fid": fid, "swd": swd})
    build_board(folder, "drawn")
    return folder


def test_the_main_table_ranks_with_ties_and_leaves_oracles_out(folder: Path) -> None:
    rows = _rows((folder / "drawn.md").read_text(), "### Protocol")
    assert [row[:2] for row in rows] == [
        ["1", "strong"],
        ["2", "twin-a"],
        ["2", "twin-b"],
        ["4", "weak"],
        ["–", "oracle"],
    ]
    assert rows[0][2].startswith("**"), "rank 1 is bold"
    assert not rows[4][2].startswith("**"), "an oracle never is"


def test_numbers_carry_signature_interval_seeds_and_reasons(folder: Path) -> None:
    page = (folder / "drawn.md").read_text()
    assert f"PSNR: `{factories.SIGNATURES['psnr']}`, in dB; higher is better" in page
    assert "weights inception-fid not found" in page
    assert page.count("biased: n < 2048") == 1, "a note that all share stands once"
    strong = next(line for line in page.splitlines() if line.startswith("| 1 | strong"))
    assert re.search(r"\[2\d\.\d\d, 2\d\.\d\d\]</sub><br><sub>± 0\.\d\d #1", strong)
    assert "[seed 0](drawn/strong-strong0.json), [seed 1]" in page


def test_every_level_and_their_mean_has_a_table(folder: Path) -> None:
    page = (folder / "drawn.md").read_text()
    for level in ("0", "1+", "2+", "3+"):
        rows = _rows(page, f"#### HER2 {level}: 24 pairs")
        assert rows[0][1] == "strong"
    expected = np.mean([_scores(1, seed)["psnr"].mean() for seed in range(3)])
    rows = _rows(page, "#### Mean over the HER2 levels")
    assert rows[0][:2] == ["strong", f"{expected:.2f}"]


def test_a_board_is_deterministic_and_checked(folder: Path) -> None:
    first = (folder / "drawn.md").read_bytes()
    build_board(folder, "drawn")
    assert (folder / "drawn.md").read_bytes() == first
    check_board(folder, "drawn")
    page = folder / "drawn.md"
    page.write_text(page.read_text().replace("| 4 | weak", "| 1 | weak"))
    with pytest.raises(DataError, match=r"drawn\.md does not follow.*leaderboard build drawn"):
        check_board(folder, "drawn")


def test_an_entry_more_makes_the_board_out_of_date(folder: Path) -> None:
    _add(folder, "late", 0.5)
    with pytest.raises(DataError, match="does not follow"):
        check_board(folder, "drawn")


def test_tables_are_narrow_enough_for_a_page(folder: Path) -> None:
    page = (folder / "drawn.md").read_text()
    for line in page.splitlines():
        if line.startswith("|") and "training budget" not in line:
            widest = [
                max(len(part) for part in re.sub(r"\*\*|</?su[bp]>", "", cell).split("<br>"))
                for cell in re.sub(r"\]\(.*?\)", "", line).strip("|").split(" | ")
            ]
            assert len(widest) <= 8
            assert sum(widest) <= 110, line


def test_other_signatures_get_a_column_of_their_own(tmp_path: Path, monkeypatch) -> None:
    _add(tmp_path, "first", 0)
    monkeypatch.setitem(factories.SIGNATURES, "psnr", "psnr|luma|v:1")
    _add(tmp_path, "second", 1)
    page = build_board(tmp_path, "drawn").read_text()
    rows = _rows(page, "### Protocol")
    header = next(line for line in page.splitlines() if line.startswith("| rank"))
    assert header.count("PSNR ↑") == 2
    assert [row[1:4].count("–") for row in rows] == [1, 1], "each has a value in one of them"
    assert "computed under another signature" in page


def test_other_data_or_protocols_get_a_table_of_their_own(tmp_path: Path) -> None:
    _add(tmp_path, "first", 0)
    dataset = {"name": "drawn", "split": "test", "pairs": 96, "manifest_sha256": "b" * 64}
    _add(tmp_path, "second", 1, dataset=dataset)
    page = build_board(tmp_path, "drawn").read_text()
    assert page.count("### Protocol") == 2
    assert "data sha256 `aaaaaaaaaaaa`" in page
    assert "data sha256 `bbbbbbbbbbbb`" in page


def test_what_a_protocol_alone_changes_is_shown_and_never_ranked(tmp_path: Path) -> None:
    other = ProtocolRecord(id="bci-2022", sha256="c" * 64)
    for seed in (0, 1):
        _add(tmp_path, "strong", 1, seed)
        scores = _scores(1, seed)
        scores["psnr"] -= 2.0
        made = result(scores, "strong", seed=seed, run_id=f"other{seed}")
        add_entry(tmp_path, made.model_copy(update={"protocol": other}), pair_scores=scores)
    _add(tmp_path, "alone", 0)
    page = build_board(tmp_path, "drawn").read_text()
    heading = "### What the protocol alone changes: `i2i-1` against `bci-2022`"
    assert _rows(page, heading) == [["strong", "**-2.00**", "**0.0000**"]]
    assert len(_rows(page, "### Protocol `bci-2022`")) == 1


def test_settings_tell_runs_of_one_model_apart(tmp_path: Path) -> None:
    for weight in (1.0, 5.0):
        model = {"name": "varpyramid", "config": {"variance_weight": weight, "width": 64}}
        _add(tmp_path, model, weight, run_id=f"w{weight}")
    labels = [row[1] for row in _rows(build_board(tmp_path, "drawn").read_text(), "### Protocol")]
    assert sorted(labels) == [
        "varpyramid (variance_weight=1.0)",
        "varpyramid (variance_weight=5.0)",
    ]


def test_few_pairs_are_shown_but_not_ranked(tmp_path: Path) -> None:
    for model, shift in (("one", 0), ("two", 3)):
        scores = _scores(shift).iloc[:8].reset_index(drop=True)
        add_entry(tmp_path, result(scores, model, run_id=model), pair_scores=scores)
    page = build_board(tmp_path, "drawn").read_text()
    assert "| rank |" not in page
    assert "**2" not in page


def test_without_scores_per_pair_values_decide_and_the_board_says_so(tmp_path: Path) -> None:
    for model, shift in (("one", 0), ("two", 3)):
        add_entry(tmp_path, result(_scores(shift), model, run_id=model))
    page = build_board(tmp_path, "drawn").read_text()
    assert [row[:2] for row in _rows(page, "### Protocol")] == [["1", "two"], ["2", "one"]]
    assert "PSNR, SSIM: no scores per pair" in page


def test_csv_holds_every_number_in_full(folder: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(export(read_board(folder, "drawn"), "csv"))))
    psnr = [
        line
        for line in lines
        if (line["method"], line["metric"], line["set"]) == ("weak", "psnr", "all")
    ]
    assert len(psnr) == 1
    assert float(psnr[0]["value"]) == pytest.approx(_scores(-1)["psnr"].mean(), rel=1e-15)
    assert psnr[0]["rank"] == "4"
    sets = {line["set"] for line in lines}
    assert sets == {"all", "0", "1+", "2+", "3+", "macro mean"}
    assert json.dumps(board_lines(read_board(folder, "drawn")), allow_nan=False)


def test_latex_is_booktabs_with_all_best_in_bold(folder: Path) -> None:
    latex = export(read_board(folder, "drawn"), "latex")
    assert r"\toprule" in latex
    assert re.search(r"^strong & \\textbf\{2\d\.\d\d\} \{\\scriptsize\$\\pm\$", latex, re.M)
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 1
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len({row.count("&") for row in rows}) == 1


def test_latex_escapes_what_tex_would_read(tmp_path: Path) -> None:
    _add(tmp_path, {"name": "50%_a&b", "config": {}}, 0)
    assert r"50\%\_a\&b &" in export(read_board(tmp_path, "drawn"), "latex")


def test_an_unknown_format_or_board_is_told(folder: Path) -> None:
    with pytest.raises(UsageError, match="did you mean latex"):
        export(read_board(folder, "drawn"), "latx")
    with pytest.raises(UsageError, match="did you mean drawn"):
        read_board(folder, "drwan")


def test_the_terminal_table_has_the_same_order(folder: Path) -> None:
    _, header, rows = next(iter(board_tables(read_board(folder, "drawn"))))
    assert header[:3] == ["rank", "method", "PSNR ↑"]
    assert [row[1] for row in rows] == ["strong", "twin-a", "twin-b", "weak", "oracle (oracle)"]


def test_the_index_lists_all_boards(folder: Path) -> None:
    build_board(folder, "bci")
    index = (folder / "README.md").read_text()
    assert "[drawn](drawn.md)" in index
    assert "[bci](bci.md)" in index


def test_a_run_folder_is_added_with_its_scores(tmp_path: Path) -> None:
    run = tmp_path / "run"
    scores = _scores(0)
    write_result(run / "result.json", result(scores, "copy", run_id="r"))
    (run / "scores.csv").write_text(pair_scores_csv(scores))
    dataset, entry = add_file(tmp_path / "boards", run)
    assert (dataset, entry.name) == ("drawn", "copy-r.json")
    assert entry.with_suffix(".csv").exists()


def test_a_limited_run_enters_no_board(tmp_path: Path) -> None:
    dataset = {"name": "drawn", "pairs": 96, "limit": 96}
    write_result(tmp_path / "result.json", result(_scores(0), "copy", dataset=dataset))
    with pytest.raises(UsageError, match="--limit enters no board"):
        add_file(tmp_path / "boards", tmp_path / "result.json")
