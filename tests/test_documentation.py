"""Every command and every Python block of README and docs runs, but those that are marked.

Data sets that the text names are one small drawn set here, and what trains does so for one epoch
with a narrow network; ``SET`` and ``SMALL`` are these two substitutions. A block that needs what a
test has not stands below ``<!-- not run: why -->`` and in ``NOT_RUN``.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from factories import TINY

import i2ibench
from i2ibench.cli.app import run_app

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- not run: ([^>]*) -->\n)?^```(bash|python)\n(.*?)^```", re.S | re.M)
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
    ],
    "docs/index.md": ["the address of the CPU build", "it trains for minutes"],
    "docs/metrics.md": ["weights of others"],
    "docs/training.md": ["several GPUs", "several machines"],
}
# What a page takes for done: the first command of README also installs.
BEFORE = {
    "README.md": ["i2ibench run --model varpyramid --dataset synthetic"],
    "docs/your-method.md": ["i2ibench run --model pyramid --dataset synthetic"],
}
# Verbs that have verbs of their own.
GROUPS = {"campaign", "leaderboard", "weights", "export"}
# What a page needs of an extra.
NEEDS = {"docs/your-method.md": "onnxruntime"}


def blocks(page):
    """Yield why a block is not run (or nothing), its language, and its text."""
    for found in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        yield found[1], found[2], found[3]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with what the text speaks of: data, predictions, a trained run."""
    from conftest import DrawnFolder

    folder = tmp_path_factory.mktemp("documentation")
    DrawnFolder(folder / "small").draw("train", 8).draw("test", 8)
    for name in ("predictions", "my_predictions", "pix2pix_images"):
        shutil.copytree(folder / "small" / "HE" / "test", folder / name)
    for name in ("other_predictions", "pyramid_images", "targets", "real_images"):
        shutil.copytree(folder / "small" / "IHC" / "test", folder / name)
    (folder / "method.toml").write_text('title = "Theirs"\nsaw_test_targets = false\n')
    (folder / "penalty.toml").write_text(
        'name = "penalty"\ndatasets = ["small"]\nmodels = ["mean-colour"]\n'
    )
    return folder


def run_line(line):
    arguments = []
    for word in shlex.split(SET.sub("small", line), comments=True)[1:]:
        found = sorted(str(path) for path in Path().glob(word)) if "*" in word else [word]
        arguments += found
    if arguments[0] == "run" and {"pyramid", "varpyramid", "pix2pix"} & {*arguments}:
        arguments += SMALL
    if arguments[0] == "import" and "--method" not in arguments:
        arguments += ["--method", "method.toml"]
    assert run_app(arguments) == 0, line


def images(number):
    return np.random.default_rng(number).integers(0, 256, (2, 64, 64, 3), np.uint8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_python_block_runs(page, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    if page in NEEDS:
        pytest.importorskip(NEEDS[page], reason=f"the package {NEEDS[page]} is not installed")
    for line in BEFORE.get(page, ()):
        run_line(line)
    known = {"prediction": images(0)[0], "target": images(1)[0]}
    known |= {"predictions": images(0), "targets": images(1), "i2ibench": i2ibench}
    for why, language, text in blocks(page):
        if why is not None:
            continue
        if language == "python":
            if name := re.match(r"# (\w+\.py)\n", text):  # a file that the next commands name
                Path(name[1]).write_text(text)
            exec(compile(SET.sub("small", text), page, "exec"), {**known, "__name__": "__main__"})  # noqa: S102
            continue
        for line in text.splitlines():
            assert line.startswith("i2ibench "), f"{page}: mark it or run it: {line}"
            run_line(line)
    capsys.readouterr()


def test_the_file_of_the_text_is_a_method(place, monkeypatch):
    monkeypatch.chdir(place)
    texts = [text for _, language, text in blocks("docs/your-method.md") if language == "python"]
    [code] = [text for text in texts if text.startswith("# mynet.py\n")]
    (place / "mynet.py").write_text(code)
    run_line(
        "i2ibench run --model mynet.py:MyNet --dataset synthetic --set model.width=4 "
        "--set training.epochs=1"
    )


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
