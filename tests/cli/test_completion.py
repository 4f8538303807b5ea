"""The shell completes verbs, options and registered names, and imports nothing heavy for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def complete(words: str, **environment):
    code = (
        "import sys, i2ibench.cli.app as app\n"
        "try: app.run_app([])\n"
        "finally: print(sorted({'torch', 'pandas', 'cv2', 'scipy'} & set(sys.modules)),"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={
            **os.environ,
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            "_I2IBENCH_COMPLETE": "complete_bash",
            **environment,
        },
    )
    assert done.stderr.strip() == "[]", done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("i2ibench tra", ["train", "translate"]),
        ("i2ibench --vers", ["--version"]),
        ("i2ibench leaderboard s", ["show", "site"]),
        ("i2ibench run --allow", ["--allow-unverified-weights"]),
        ("i2ibench run --model var", ["varpyramid"]),
        ("i2ibench run -d mist-e", ["mist-er"]),
        ("i2ibench run --protocol bci-2022-", ["bci-2022-1024", "bci-2022-1024-2", "bci-2022-2"]),
        ("i2ibench run --precision b", ["bf16"]),
        ("i2ibench evaluate x --metrics psnr,ssim-g", ["psnr,ssim-gaussian"]),
        ("i2ibench evaluate x --protocol stain", ["stain-1", "stain-2"]),
        ("i2ibench metrics ms", ["ms-ssim"]),
        ("i2ibench models rein", ["reinhard"]),
        ("i2ibench audit fac", ["facades"]),
        ("i2ibench weights fetch dist", ["dists"]),
        ("i2ibench leaderboard show fac", ["facades"]),
    ],
)
def test_the_shell_completes_names_without_torch(words, completed):
    assert complete(words) == completed


def test_files_are_left_to_the_shell():
    assert set(complete("i2ibench run --recipe x")) <= {"x"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_for_a_shell(shell):
    done = subprocess.run(
        [sys.executable, "-m", "i2ibench"],
        capture_output=True,
        check=False,
        env={**os.environ, "_I2IBENCH_COMPLETE": f"source_{shell}"},
    )
    assert done.returncode == 0 and b"_I2IBENCH_COMPLETE" in done.stdout
