"""The verbs ``datasets`` and ``audit``, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.data.synthetic.drawing import SyntheticOptions
from i2ibench.data.synthetic.generate import ensure_generated

OPTIONS = SyntheticOptions(size=64, train=0, test=8, pairs_per_slide=2)


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "i2ibench.cli.app", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **environment},
        check=False,
    )


def test_the_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from i2ibench.cli.app import run_app; run_app(['datasets']);"
        "print([m for m in ('torch','pandas','cv2','scipy','PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "bci-challenge" in done.stdout


def test_the_listing_as_json() -> None:
    listed = json.loads(call("datasets", "--json").stdout)
    assert {"name", "title", "pairs", "place", "provider"} == set(listed[0])
    assert [each["name"] for each in listed] == sorted(each["name"] for each in listed)


def test_the_card_of_a_name_and_of_a_folder(tmp_path: Path) -> None:
    done = call("datasets", "bci")
    assert done.returncode == 0
    assert "not on this machine" in done.stdout
    folder = shutil.copytree(ensure_generated(OPTIONS), tmp_path / "mine")
    shown = json.loads(call("datasets", str(folder), "--json").stdout)
    assert shown["pairs_here"] == {"test": 8}
    assert "HE/{split}" in shown["layouts"][0]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["datasets", "bcii"], 2, "did you mean bci"),
        (["datasets", "--fetch"], 2, "name the data set"),
        (["datasets", "bci", "--fetch"], 4, "no public download"),
        (["datasets", "bci", "--to", "x"], 2, "'bci' is not drawn"),
        (["audit", "bci"], 4, "not on this machine"),
        (["audit", "./nowhere"], 2, "no such folder"),
    ],
)
def test_errors_are_one_line_and_their_exit_code(
    arguments: list[str], code: int, told: str
) -> None:
    done = call(*arguments)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_synthetic_pairs_are_drawn_into_a_folder(tmp_path: Path) -> None:
    chosen = ["size=48", "train=2", "test=2", "section_offset=3"]
    settings = [part for value in chosen for part in ("--set", value)]
    done = call("datasets", "synthetic", "--to", str(tmp_path / "x"), *settings, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["options"]["section_offset"] == 3
    assert len(list((tmp_path / "x" / "HE" / "test").iterdir())) == 2


def test_an_audit_with_errors_exits_with_3(tmp_path: Path) -> None:
    folder = shutil.copytree(ensure_generated(OPTIONS), tmp_path / "[odd] name")
    clean = call("audit", str(folder), "--json")
    assert clean.returncode == 0
    assert json.loads(clean.stdout)["findings"] == []
    (folder / "HE/test/00001_test_1+.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = call("audit", str(folder), "--json", "--output", str(tmp_path / "out"))
    assert done.returncode == 3
    assert "HE/test/00001_test_1+.png" in done.stderr
    assert json.loads(done.stdout)["errors"] == 1
    assert (tmp_path / "out" / "audit.json").is_file()
