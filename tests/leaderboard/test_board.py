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
from i2ibench.files import sha256_json
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
    return pair_scores({"psnr": 20 + 3 * quality, "ssim": 0.5 + 0.05 * quality}, LEVELS)


def _add(folder: Path, model: str | dict, shift: float, seed: int = 0, **fields) -> Path:
    scores = _scores(shift, seed)
    run_id = fields.pop("run_id", f"{model}{seed}" if isinstance(model, str) else "run")
    if isinstance(model, str) and "training" in fields:  # of each seed its own weights
        model = {"name": model, "config": {}, "checkpoint_sha256": sha256_json([model, seed])}
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
    """Closed forms (two alike), a training of three seeds, one of one seed, an oracle; no FID."""
    folder = tmp_path / "leaderboards"
    fid = MetricValue(None, 96, "", "lower", "", unavailable="weights inception-fid not found")
    swd = MetricValue(4.0, 96, "", "lower", "swd|v:1", notes=("biased: n < 2048",))
    sets = {"fid": fid, "swd": swd}
    for model, shift in (("weak", -1), ("twin-a", 0)):
        _add(folder, model, shift, metrics=sets)
    for model, shift, seeds in (("strong", 1, 3), ("single", 2, 1)):
        for seed in range(seeds):
            _add(folder, model, shift, seed, metrics=sets, training={"epochs": 5})
    twin = _scores(0)
    twin["psnr"] += np.random.default_rng(2).normal(0, 0.5, 96)
    twin["ssim"] += np.random.default_rng(3).normal(0, 0.005, 96)
    made = result(twin, "twin-b", run_id="b", metrics={"fid": fid, "swd": swd})
    add_entry(folder, made, pair_scores=twin)
    oracle = {"name": "oracle", "config": {}, "uses_target": True}
    _add(folder, oracle, 3, metrics={"fid": fid, "swd": swd})
    build_board(folder, "drawn")
    return folder


def test_rows_stand_in_the_order_of_the_first_endpoint_oracles_last(folder: Path) -> None:
    rows = _rows((folder / "drawn.md").read_text(), "### Protocol")
    found = [row[0] for row in rows]
    assert [*found[:2], *found[4:]] == ["single", "strong", "weak", "oracle"]
    bold = [row[0] for row in rows if row[1].startswith("**")]
    assert bold == ["strong"], "neither one set of weights nor an oracle is"


def _placed(board, metric: str = "psnr", table: str = "all") -> dict[str, tuple]:
    """Return kind, best and worst rank of each method in one column."""
    return {
        str(line["method"]): (line["kind"], line.get("rank_best"), line.get("rank_worst"))
        for line in board_lines(board)
        if (line["metric"], line["set"]) == (metric, table)
    }


def test_ranks_are_intervals_and_one_set_of_weights_has_none(folder: Path) -> None:
    board = read_board(folder, "drawn")
    assert _placed(board) == {
        "strong": ("method", 1, 1),
        "twin-a": ("method", 2, 3),
        "twin-b": ("method", 2, 3),
        "weak": ("method", 4, 4),
        "single": ("one set of weights", None, None),
        "oracle": ("oracle", None, None),
    }
    claim = next(x for x in board_lines(board) if x["method"] == "single")
    assert [claim[f"weights_{key}"] for key in ("better_than", "worse_than", "compared_with")] == [
        4,
        0,
        4,
    ]
    page = (folder / "drawn.md").read_text()
    assert re.search(r"twin-a \| 20\.\d\d.*?#2-3", page)
    assert re.search(r"single<br><sub>one set of weights</sub> \| 26.*?\+4 -0 of 4", page)


def test_distances_of_sets_never_rank(folder: Path) -> None:
    assert {rank[1] for rank in _placed(read_board(folder, "drawn"), "swd").values()} == {None}
    assert "to test: SWD." in (folder / "drawn.md").read_text()


def test_an_entry_that_lost_its_scores_affects_itself_alone(folder: Path) -> None:
    whole = read_board(folder, "drawn")
    (folder / "drawn" / "weak-weak0.csv").unlink()
    found = _placed(read_board(folder, "drawn"))
    assert found.pop("weak") == ("method", None, None)
    assert found == {name: rank for name, rank in _placed(whole).items() if name != "weak"}
    page = build_board(folder, "drawn").read_text()
    assert [row[0] for row in _rows(page, "### Protocol")][-2:] == ["weak", "oracle"]
    assert "its scores per pair are not at hand" in page


def test_a_method_that_lost_one_seeds_scores_has_no_rank(folder: Path) -> None:
    (folder / "drawn" / "strong-strong1.csv").unlink()
    found = _placed(read_board(folder, "drawn"))
    assert found["strong"] == ("method", None, None)
    assert found["twin-a"] == ("method", 1, 2)


def test_imports_and_given_weights_are_rows_of_their_own(tmp_path: Path) -> None:
    theirs = {"name": "theirs", "predictions": "external"}
    given = {"name": "net", "parameters": 9, "config": {}}
    for seed in (0, 1):
        _add(tmp_path, theirs, 0, seed, run_id=f"import-{seed}")
        model = {**given, "checkpoint_sha256": str(seed) * 64}
        _add(tmp_path, model, 1, seed, run_id=f"given-{seed}")
    found = _placed(read_board(tmp_path, "drawn"))
    assert set(found) == {
        "theirs (import-0)",
        "theirs (import-1)",
        "net (given-0)",
        "net (given-1)",
    }
    assert set(found.values()) == {("one set of weights", None, None)}


def test_numbers_carry_signature_interval_seeds_and_reasons(folder: Path) -> None:
    page = (folder / "drawn.md").read_text()
    definition = f"`{factories.SIGNATURES['psnr']}`, in dB; higher is better"
    assert (
        f"PSNR: Peak signal-to-noise ratio of one image pair, mean over pairs. {definition}" in page
    )
    assert "weights inception-fid not found" in page
    assert page.count("biased: n < 2048") == 1, "a note that all share stands once"
    strong = next(line for line in page.splitlines() if line.startswith("| strong"))
    assert re.search(r"\[2\d\.\d\d, 2\d\.\d\d\]</sub><br><sub>± 0\.\d\d #1<", strong)
    assert "[seed 0](drawn/strong-strong0.json), [seed 1]" in page


def test_every_level_and_their_mean_has_a_table(folder: Path) -> None:
    page = (folder / "drawn.md").read_text()
    for level in ("0", "1+", "2+", "3+"):
        rows = _rows(page, f"#### HER2 {level}: 24 pairs")
        assert rows[1][0] == "strong"
    expected = np.mean([_scores(1, seed)["psnr"].mean() for seed in range(3)])
    rows = _rows(page, "#### Mean over the HER2 levels")
    assert rows[1][:2] == ["strong", f"**{expected:.2f}**"]


def test_a_board_is_deterministic_and_checked(folder: Path) -> None:
    first = (folder / "drawn.md").read_bytes()
    build_board(folder, "drawn")
    assert (folder / "drawn.md").read_bytes() == first
    check_board(folder, "drawn")
    page = folder / "drawn.md"
    page.write_text(page.read_text().replace("| weak", "| best"))
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
    header = next(line for line in page.splitlines() if line.startswith("| method"))
    assert header.count("PSNR ↑") == 2
    assert [row[1:3].count("–") for row in rows] == [1, 1], "each has a value in one of them"
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
    labels = [row[0] for row in _rows(build_board(tmp_path, "drawn").read_text(), "### Protocol")]
    assert sorted(labels) == [
        "varpyramid (variance_weight=1.0)",
        "varpyramid (variance_weight=5.0)",
    ]


def test_few_pairs_are_shown_but_not_ranked(tmp_path: Path) -> None:
    for model, shift in (("one", 0), ("two", 3)):
        scores = _scores(shift).iloc[:8].reset_index(drop=True)
        add_entry(tmp_path, result(scores, model, run_id=model), pair_scores=scores)
    page = build_board(tmp_path, "drawn").read_text()
    assert "#1" not in page.split("### How to read")[0]
    assert "**2" not in page
    assert "Ranked" not in page


def test_without_scores_per_pair_nothing_ranks_and_the_board_says_so(tmp_path: Path) -> None:
    for model, shift in (("one", 0), ("two", 3)):
        made = result(_scores(shift), model, run_id=model)
        add_entry(tmp_path, made, pair_scores=_scores(shift)).with_suffix(".csv").unlink()
    page = build_board(tmp_path, "drawn").read_text()
    assert [row[0] for row in _rows(page, "### Protocol")] == ["two", "one"]
    assert "**2" not in page
    assert "to test: PSNR, SSIM." in page


def test_csv_holds_every_number_in_full(folder: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(export(read_board(folder, "drawn"), "csv"))))
    psnr = [
        line
        for line in lines
        if (line["method"], line["metric"], line["set"]) == ("weak", "psnr", "all")
    ]
    assert len(psnr) == 1
    assert float(psnr[0]["value"]) == pytest.approx(_scores(-1)["psnr"].mean(), rel=1e-15)
    assert (psnr[0]["rank_best"], psnr[0]["rank_worst"]) == ("4", "4")
    assert (psnr[0]["simultaneous_best"], psnr[0]["simultaneous_worst"]) == ("4", "4")
    sets = {line["set"] for line in lines}
    assert sets == {"all", "0", "1+", "2+", "3+", "macro mean"}
    assert json.dumps(board_lines(read_board(folder, "drawn")), allow_nan=False)


def test_latex_is_booktabs_with_the_best_group_in_bold(folder: Path) -> None:
    latex = export(read_board(folder, "drawn"), "latex")
    assert r"\toprule" in latex
    assert re.search(r"^strong & \\textbf\{2\d\.\d\d\} \{\\scriptsize\$\\pm\$", latex, re.M)
    assert latex.count(r"\textbf") == 2, "of PSNR and SSIM"
    assert "single (one set of weights) & 2" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 1
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len({row.count("&") for row in rows}) == 1


def test_latex_escapes_what_tex_would_read(tmp_path: Path) -> None:
    _add(tmp_path, {"name": "50%_a&b", "config": {}, "parameters": 0}, 0)
    assert r"50\%\_a\&b &" in export(read_board(tmp_path, "drawn"), "latex")


def test_an_unknown_format_or_board_is_told(folder: Path) -> None:
    with pytest.raises(UsageError, match="did you mean latex"):
        export(read_board(folder, "drawn"), "latx")
    with pytest.raises(UsageError, match="did you mean drawn"):
        read_board(folder, "drwan")


def test_the_terminal_table_has_the_same_order(folder: Path) -> None:
    _, header, rows = next(iter(board_tables(read_board(folder, "drawn"))))
    assert header[:2] == ["method", "PSNR ↑"]
    labels = [row[0] for row in rows]
    assert labels[:2] == ["single (one set of weights)", "strong"]
    assert labels[-1] == "oracle (oracle)"
    assert [row[0] for row in rows if row[1].startswith("[bold]")] == ["strong"]


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


def test_hidden_slides_are_told_with_what_intervals_become(tmp_path: Path) -> None:
    dataset = {
        "name": "drawn",
        "pairs": 96,
        "manifest_sha256": "a" * 64,
        "clusters_unknown": True,
        "clusters": 6,
    }
    _add(tmp_path, "first", 0, dataset=dataset)
    page = build_board(tmp_path, "drawn").read_text()
    # Sixteen pairs a slide: the roots of 1 + 15 r.
    assert "6 slides" in page
    assert "1.3 at 0.05, 1.6 at 0.1, 2.3 at 0.3" in page
    _add(tmp_path / "known", "first", 0)
    assert "slides that are told" not in build_board(tmp_path / "known", "drawn").read_text()


def test_the_macro_mean_has_an_interval(folder: Path) -> None:
    lines = board_lines(read_board(folder, "drawn"))
    found = [line for line in lines if (line["metric"], line["set"]) == ("psnr", "macro mean")]
    assert len(found) == 6
    assert all(line["ci95_low"] < line["value"] < line["ci95_high"] for line in found)


def test_simultaneous_ranks_stand_in_the_terminal_on_demand(folder: Path) -> None:
    board = read_board(folder, "drawn")
    tables = [next(iter(board_tables(board, simultaneous=asked))) for asked in (False, True)]
    assert all("#2-3" in str(rows) for _, _, rows in tables)


def test_a_first_comparison_of_two_single_runs_reads(tmp_path: Path) -> None:
    for model, shift in (("one", 0), ("two", 1)):
        _add(tmp_path, model, shift, shift, training={"epochs": 5})
    page = build_board(tmp_path, "drawn").read_text()
    assert "Compared, as sets of weights: PSNR, SSIM." in page
    assert re.search(r"\| two<br><sub>one set of weights</sub> \| 23.*?\+1 -0 of 1", page)
    assert re.search(r"\| one<br><sub>one set of weights</sub> \| 20.*?\+0 -1 of 1", page)
    assert "#" not in page[page.index("| method") : page.index("Intervals:")]
