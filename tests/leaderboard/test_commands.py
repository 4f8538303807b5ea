"""The verbs leaderboard, compare and verify: answers on stdout, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from factories import pair_scores, result

from i2ibench.cli.app import run_app
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record_files import write_result


def _call(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    code = run_app([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two run folders of forty pairs, the second a decibel better."""
    made = []
    for model, shift in (("weak", 0.0), ("strong", 1.0)):
        folder = tmp_path / "runs" / model
        psnr = np.random.default_rng(0).normal(20, 3, 40) + shift
        psnr += np.random.default_rng(len(model)).normal(0, 0.1, 40)
        scores = pair_scores({"psnr": psnr}, ["0", "3+"] * 20)
        write_result(folder / "result.json", result(scores, model, run_id=model))
        (folder / "scores.csv").write_text(pair_scores_csv(scores))
        made.append(folder)
    return made


def test_add_build_check_and_show(capsys, runs, tmp_path) -> None:
    board = ["--board", tmp_path / "boards"]
    for run in runs:
        code, out, err = _call(capsys, "leaderboard", "add", run, *board)
        assert (code, out) == (0, "")
        assert "added:" in err
    assert _call(capsys, "leaderboard", "check", *board)[0] == 0
    code, out, err = _call(capsys, "leaderboard", "show", "drawn", *board)
    assert (code, err) == (0, "")
    assert out.index("strong") < out.index("weak")
    code, out, _ = _call(capsys, "leaderboard", "show", "drawn", "--json", *board)
    assert {line["method"] for line in json.loads(out)} == {"weak", "strong"}
    code, out, _ = _call(capsys, "leaderboard", "show", "drawn", "--format", "latex", *board)
    assert out.startswith("% drawn, protocol i2i-1")


def test_site_writes_all_boards_and_says_its_size(capsys, runs, tmp_path) -> None:
    board = ["--board", tmp_path / "boards"]
    code, _, err = _call(capsys, "leaderboard", "site", tmp_path / "site", *board)
    assert code == 3
    assert "boards: no such folder of leaderboards" in err
    _call(capsys, "leaderboard", "add", *runs, *board)
    code, out, err = _call(capsys, "leaderboard", "site", tmp_path / "site", *board)
    assert (code, out) == (0, "")
    assert "index.html" in err
    assert "files, 0." in err
    assert (tmp_path / "site" / "boards" / "drawn.html").is_file()


def test_check_fails_with_3_when_a_page_was_edited(capsys, runs, tmp_path) -> None:
    board = ["--board", tmp_path / "boards"]
    _call(capsys, "leaderboard", "add", runs[0], *board)
    page = tmp_path / "boards" / "drawn.md"
    page.write_text(page.read_text() + "And it is the best.\n")
    code, _, err = _call(capsys, "leaderboard", "check", *board)
    assert code == 3
    assert err.count("error:") == 1
    assert _call(capsys, "leaderboard", "build", "drawn", *board)[0] == 0
    assert _call(capsys, "leaderboard", "check", "drawn", *board)[0] == 0


def test_compare_prints_tables_or_json(capsys, runs) -> None:
    code, out, err = _call(capsys, "compare", *runs)
    assert (code, err) == (0, "")
    out = " ".join(out.split())
    assert "all 40 pairs" in out
    assert "group 3+, 20 pairs" in out
    code, out, _ = _call(capsys, "compare", *runs, "--json", "--extremes", 0)
    content = json.loads(out)
    assert content["sets"]["all"][0]["difference"] == pytest.approx(-1, abs=0.1)
    assert content["extremes"] == []


def test_compare_reads_margins(capsys, runs) -> None:
    line = ["compare", *runs, "--metrics", "psnr"]
    code, out, _ = _call(capsys, *line, "--margin", "psnr=2", "--json")
    found = json.loads(out)["sets"]["all"][0]
    assert (code, found["margin"]) == (0, 2.0)
    assert found["equivalence_p"] < 0.05
    code, _, err = _call(capsys, *line, "--margin", "psnr:2")
    assert code == 2
    assert "--margin psnr=0.5" in err


def test_compare_reads_published_scores(capsys) -> None:
    line = ["compare", "--reported", "bcistainer", "--metrics", "psnr", "--json"]
    code, out, _ = _call(capsys, *line)
    assert code == 0
    assert len(json.loads(out)["sets"]["all"]) == 28


def test_compare_of_one_run_is_wrong_usage(capsys, runs) -> None:
    code, _, err = _call(capsys, "compare", runs[0])
    assert code == 2
    assert "at least two" in err


def test_verify_of_nothing_says_what_is_missing(capsys, runs) -> None:
    code, _, err = _call(capsys, "verify", runs[0])
    assert code == 4
    assert "--dataset PATH" in err
    code, _, err = _call(capsys, "verify", runs[0] / "absent.json")
    assert code == 3
    assert "no such file" in err
