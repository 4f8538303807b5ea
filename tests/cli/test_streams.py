"""Answers on stdout, the process on stderr, whatever the streams are and can show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import pair_scores, result

from i2ibench.cli.app import run_app
from i2ibench.cli.similar_characters import as_shown, escaped_for_json
from i2ibench.cli.terminal import column_widths, table
from i2ibench.registry import datasets, metrics, models, protocols
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record_files import write_result

BOARDS = Path(__file__).resolve().parents[2] / "leaderboards"


def i2ibench(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "i2ibench", *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **environment},
    )


def call(capsys, *arguments):
    code = run_app([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_version_is_printed_and_done():
    done = i2ibench("--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().strip().startswith("0.")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["models"], "varpyramid"),
        (["models", "pyramid"], "ngf"),
        (["datasets"], "bci-challenge"),
        (["datasets", "bci"], "licence"),
        (["metrics"], "ssim-gaussian"),
        (["metrics", "ssim"], "uniform7"),
        (["protocols"], "bci-2022-1024"),
        (["protocols", "i2i-1", "bci-2022"], "bicubic"),
        (["weights", "list"], "lpips-vgg"),
        (["weights", "verify"], "state"),
        (["doctor"], "torch"),
        (["compare", "--reported", "bcistainer", "--metrics", "psnr"], "psnr"),
        (["leaderboard", "show", "synthetic", "--board", BOARDS], "varpyramid"),
        (["leaderboard", "check", "bci", "--board", BOARDS], "follows from its entries"),
        (["--help"], "leaderboard"),
        (["run", "--help"], "--model"),
    ],
    ids=lambda value: " ".join(map(str, value[:2])) if isinstance(value, list) else "",
)
def test_what_was_asked_for_is_on_stdout(capsys, arguments, word):
    code, out, _ = call(capsys, *arguments)
    assert code == 0 and word in out


@pytest.mark.parametrize(
    "arguments",
    [["models"], ["metrics", "ssim"], ["leaderboard", "check", "mist-er", "--board", BOARDS]],
)
def test_an_answer_leaves_stderr_empty(capsys, arguments):
    assert call(capsys, *arguments)[2] == ""


@pytest.fixture
def two_images(tmp_path):
    for folder, grey in (("real", 90), ("made", 120)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "1.png"), np.full((32, 32, 3), grey, np.uint8))
    return tmp_path


def test_scores_are_on_stdout_and_where_they_were_written_on_stderr(capsys, two_images):
    line = ["evaluate", two_images / "made", "--targets", two_images / "real", "--metrics", "psnr"]
    code, out, err = call(capsys, *line, "--output", two_images / "out")
    assert code == 0
    assert "psnr (dB)" in out and "written to" in err and "psnr (dB)" not in err
    code, out, err = call(capsys, *line, "--json")
    assert json.loads(out)["metrics"]["psnr"]["n"] == 1 and "psnr (dB)" in err


def test_what_these_pairs_do_not_define_is_a_warning_and_no_error(capsys, two_images):
    for folder, grey in (("real", 60), ("made", 70)):
        path = two_images / folder / "2.png"
        cv2.imwrite(str(path), np.full((32, 32, 3), grey, np.uint8))
    line = ["evaluate", two_images / "made", "--targets", two_images / "real", "--json"]
    code, out, err = call(capsys, *line, "--metrics", "psnr,dab-iod-correlation")
    assert code == 0
    found = json.loads(out)["metrics"]
    assert found["psnr"]["value"] is not None
    reason = found["dab-iod-correlation"]["unavailable"]
    assert reason and found["dab-iod-correlation"]["value"] is None
    assert "dab-iod-correlation" in err and reason in " ".join(err.split())
    code, _, err = call(capsys, *line, "--metrics", "psnr,lpips")
    assert code != 0 and "weights lpips-alex not found" in err, "what is missing is an error"


def test_errors_are_on_stderr_alone(capsys):
    for arguments, code in (
        (["models", "pyramyd"], 2),
        (["frobnicate"], 2),
        (["run"], 2),
        (["run", "--model", "copy", "--dataset", "x", "--seed", "-1"], 2),
        (["run", "--frob"], 2),
        (["leaderboard", "build", "--board", "nowhere"], 3),
    ):
        found, out, err = call(capsys, *arguments)
        assert (found, out) == (code, "")
        assert err.startswith("error: ") and len(err.splitlines()) == 1, err


def test_an_unknown_verb_is_answered_with_the_nearest(capsys):
    assert "did you mean train" in call(capsys, "trian")[2]
    assert "did you mean list" in call(capsys, "weights", "lst")[2]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["leaderboard", "show", "synthetic"],
        ["leaderboard", "show", "bci", "--format", "markdown"],
        ["leaderboard", "show", "bci", "--format", "latex"],
        ["leaderboard", "show", "bci", "--json"],
        ["metrics", "delta-e76x"],
        ["protocols", "i2i-1", "bci-2022"],
        ["run", "--help"],
    ],
    ids=" ".join,
)
def test_what_an_encoding_lacks_is_replaced(encoding, arguments):
    board = ["--board", BOARDS] if arguments[0] == "leaderboard" else []
    done = i2ibench(*arguments, *board, PYTHONIOENCODING=encoding)
    plain = i2ibench(*arguments, *board, PYTHONIOENCODING="utf-8")
    assert done.returncode == plain.returncode
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert "Traceback" not in err and "\\u" not in err
    if "--json" in arguments:
        assert json.loads(out) == json.loads(plain.stdout)
    if arguments[-1] == "synthetic":
        assert "PSNR ^" in out and "FID v" in out and "?" not in out
        for _, lines in groupby(out.splitlines(), lambda line: line.startswith(("|", "+"))):
            assert len({len(line.rstrip()) for line in lines if line[:1] in "|+"}) <= 1, (
                "columns stand below each other"
            )


def test_the_c_locale_shows_a_board():
    done = i2ibench("leaderboard", "show", "synthetic", "--board", BOARDS, LC_ALL="C", LANG="C")
    assert done.returncode == 0 and b"varpyramid" in done.stdout and done.stderr == b""


def test_file_names_that_are_no_text_are_shown_and_refused(two_images):
    odd = two_images / os.fsdecode(b"real-\xff")
    (two_images / "real").rename(odd)
    done = i2ibench("evaluate", two_images / "made", "--targets", odd, "--metrics", "psnr")
    assert b"Traceback" not in done.stderr
    assert done.returncode == 3 and b"real-\\xff: its name is not UTF-8" in done.stderr


def test_similar_characters_and_escapes():
    assert as_shown("↑ 1 ± 2 – é Ω…", "ascii") == "^ 1 +- 2 - e ?..."
    assert as_shown("± é ↓", "cp1252") == "± é v"
    assert as_shown("↑", None) == "↑"
    for name in ("é–\U0001f600", "日本"):
        text = json.dumps({"name": name}, ensure_ascii=False)
        assert json.loads(escaped_for_json(text, "ascii")) == {"name": name}


@pytest.mark.parametrize(
    "arguments",
    [
        ["models"],
        ["leaderboard", "show", "bci", "--json", "--board", BOARDS],
        ["leaderboard", "show", "bci", "--format", "markdown", "--board", BOARDS],
        ["--help"],
    ],
    ids=lambda value: " ".join(map(str, value[:2])),
)
def test_a_pipe_that_nobody_reads_ends_without_traceback(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "i2ibench", *map(str, arguments)],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == (1 if arguments == ["--help"] else 0)


def test_a_verdict_keeps_its_exit_code_where_nobody_reads(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    scores = pair_scores({"psnr": np.arange(4.0)}, ["0", "3+"] * 2)
    write_result(tmp_path / "result.json", result(scores, "m", run_id="m"))
    (tmp_path / "scores.csv").write_text(pair_scores_csv(scores))
    done = subprocess.run(
        [sys.executable, "-m", "i2ibench", "verify", str(tmp_path), "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 4 and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("verb", "registry"),
    [("models", models), ("datasets", datasets), ("metrics", metrics), ("protocols", protocols)],
)
def test_no_name_is_broken_in_80_columns(capsys, monkeypatch, verb, registry):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = call(capsys, verb)
    assert max(map(len, out.splitlines())) <= 80
    words = {line.split()[0] for line in out.splitlines() if line.strip()}
    assert set(registry.names()) <= words


def test_columns_give_way_to_names():
    from rich.text import Text

    def widths(rows, width, names=1):
        return column_widths([[Text(cell) for cell in row] for row in rows], width, names)

    rows = [["name", "what it is"], ["variance-penalized-pyramid", "one two three four five"]]
    assert widths(rows, 80) == [26, 23]
    assert widths(rows, 40) == [26, 9]  # five words fit into nine columns, the name is whole
    long = [["fact", "value"], ["signature", "x" * 100]]
    assert widths(long, 60) == [9, 46]
    assert widths([["rank", "method", "a"], ["1", "m" * 20, "y" * 40]], 50, 2) == [4, 20, 19]


def test_cells_are_shown_as_they_are(capsys):
    from i2ibench.cli.terminal import answer

    answer(table("[t]", ["[red]", "b"], [["[v2]", "a[/b]"]]))
    out = capsys.readouterr().out
    assert all(word in out for word in ("[t]", "[red]", "[v2]", "a[/b]"))
