"""Every command and every Python block of README and docs runs, but those that are marked.

Data sets that the text names are one small drawn set here, and what trains does so for one epoch
with a narrow network; ``SET`` and ``SMALL`` are these two substitutions. A block whose first line
is a comment with a file's name is that file. A block that needs what a
test has not stands below ``<!-- not run: why -->`` and in ``NOT_RUN``.
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import TINY

import i2ibench
from i2ibench import registry
from i2ibench.cli.app import run_app

ROOT = Path(__file__).resolve().parents[1]
TEXTS = sorted(path for path in (ROOT / "docs").rglob("*.md") if "site" not in path.parts)
PAGES = ["README.md", *(path.relative_to(ROOT).as_posix() for path in TEXTS)]
BLOCK = re.compile(
    r"(?:<!-- not run: ([^>]*) -->\n)?^```(bash|python|toml)\n(.*?)^```", re.S | re.M
)
# A block that is a file, whose name its first line says.
FILE = re.compile(r"# (\w+\.(?:py|toml))\n")
# What the text calls a data set; all are the folder ``small``.
SET = re.compile(r"\b(synthetic-64|synthetic|my-data|path/to/anything)\b|(?<=dataset )bci\b")
SMALL = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
NOT_RUN = {
    "README.md": ["it installs"] * 2
    + ["it downloads", "data and weights of others", "it installs"],
    "docs/campaigns.md": [
        "it trains for minutes",
        "several GPUs",
        "another tool, and a cluster",
        "a cluster",
        "another tool",
        "another tool, and a cluster",
        "a cluster",
    ],
    "docs/index.md": ["the address of the CPU build", "it trains for minutes"],
    "docs/methods.md": ["it trains for minutes"],
    "docs/metrics.md": ["weights of others"],
    "docs/weights.md": ["it downloads"],
    "docs/study.md": ["answers of readers"],
    "docs/training.md": ["several GPUs", "several machines"],
    "docs/variance-penalty.md": ["the runs take hours"],
    "docs/your-method/package.md": ["it installs"],
}
# What a page takes for done: the first command of README also installs.
BEFORE = {
    "README.md": ["i2ibench run --model varpyramid --dataset synthetic"],
    "docs/your-method/onnx-out.md": ["i2ibench run --model pyramid --dataset synthetic"],
}
# Whose files a page goes on with.
FILES_OF = {"docs/your-method/checks.md": "docs/your-method/file.md"}
# Verbs that have verbs of their own.
GROUPS = {"campaign", "leaderboard", "weights", "export", "study"}
# What a page needs of an extra.
NEEDS = {page: "onnxruntime" for page in PAGES if "onnx" in page}


def blocks(page):
    """Yield why a block is not run (or nothing), its language, and its text."""
    for found in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        yield found[1], found[2], found[3]


def write_file(text):
    """Write a block that is a file, and return its name; of another block nothing."""
    if (name := FILE.match(text)) is None:
        return None
    Path(name[1]).write_text(SET.sub("small", text), encoding="utf-8")
    return name[1]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with what the text speaks of: data, predictions."""
    from conftest import DrawnFolder

    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))
    DrawnFolder(tmp_path / "small").draw("train", 8).draw("test", 8)
    for name in ("predictions", "my_predictions", "pix2pix_images"):
        shutil.copytree(tmp_path / "small" / "HE" / "test", tmp_path / name)
    for name in ("other_predictions", "pyramid_images", "targets", "real_images"):
        shutil.copytree(tmp_path / "small" / "IHC" / "test", tmp_path / name)
    (tmp_path / "method.toml").write_text('title = "Theirs"\nsaw_test_targets = false\n')
    (tmp_path / "penalty.toml").write_text(
        'name = "penalty"\ndatasets = ["small"]\nmodels = ["mean-colour"]\n'
    )
    monkeypatch.chdir(tmp_path)


def run_line(line):
    command, *arguments = shlex.split(SET.sub("small", line), comments=True)
    if command == "python":
        runpy.run_path(arguments[0], run_name="__main__")
        return
    if command == "pytest":
        line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        subprocess.run(line, check=True, timeout=300)
        return
    assert command == "i2ibench", f"mark it or run it: {line}"
    words = [sorted(map(str, Path().glob(each))) if "*" in each else [each] for each in arguments]
    assert all(words), f"finds nothing: {line}"
    arguments = [each for found in words for each in found]
    if arguments[0] == "run" and {"pyramid", "varpyramid", "pix2pix"} & {*arguments}:
        arguments += SMALL
    if arguments[0] == "import" and "--method" not in arguments:
        arguments += ["--method", "method.toml"]
    assert run_app(arguments) == 0, line


def images(number):
    return np.random.default_rng(number).integers(0, 256, (2, 64, 64, 3), np.uint8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_python_block_runs(page, place, capsys):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page], reason=f"the package {NEEDS[page]} is not installed")
    for _, _, text in blocks(FILES_OF[page]) if page in FILES_OF else ():
        write_file(text)
    for line in BEFORE.get(page, ()):
        run_line(line)
    known = {"prediction": images(0)[0], "target": images(1)[0]}
    known |= {"predictions": images(0), "targets": images(1), "i2ibench": i2ibench}
    for why, language, text in blocks(page):
        if why is not None or write_file(text) or language == "toml":
            continue
        if language == "python":
            exec(compile(SET.sub("small", text), page, "exec"), {**known, "__name__": "__main__"})  # noqa: S102
            continue
        for line in text.replace("\\\n", " ").splitlines():
            run_line(line)
    capsys.readouterr()


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/your-method")])
def test_a_door_is_one_screen_and_names_its_files_in_its_commands(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(text.split()) < 700
    commands = " ".join(body for _, language, body in blocks(page) if language != "python")
    for _, _, body in blocks(page):
        if (name := FILE.match(body)) is not None:
            assert name[1] in FILE.sub("", commands), f"{page}: nothing runs {name[1]}"


def test_commands_within_sentences_name_verbs_and_options_that_exist(capsys):
    known: dict[tuple[str, ...], str] = {}
    wrong = []
    for page in PAGES:
        text = BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
        for command in re.findall(r"`(i2ibench [a-z][^`]*)`", text):
            words = command.split()[1:]
            verb = tuple(words[:2] if words[0] in GROUPS else words[:1])
            if verb not in known:
                known[verb] = "" if run_app([*verb, "--help"]) else capsys.readouterr().out
            told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", known[verb]))
            if not told or {word for word in words if word.startswith("--")} - told:
                wrong.append(f"{page}: {command}")
    assert not wrong


def test_what_is_not_run_is_listed_here():
    found = {page: [why for why, *_ in blocks(page) if why is not None] for page in PAGES}
    assert {page: marks for page, marks in found.items() if marks} == NOT_RUN
