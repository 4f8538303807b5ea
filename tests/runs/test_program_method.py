"""A program of any kind as a method: what it gives is checked, and what it breaks is told."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from factories import times

from i2ibench import registry
from i2ibench.cli.app import run_app
from i2ibench.errors import DataError, PluginError, UsageError
from i2ibench.models.foreign.program import read_program
from i2ibench.results.method_facts import read_method
from i2ibench.results.verification import verify
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.runs.run import run

# The mean difference of colours, with NumPy and OpenCV alone.
TRAIN = """
import sys, cv2, numpy as np
from pathlib import Path
from shared import read
sources, targets, weights = map(Path, sys.argv[1:4])
shift = np.mean([read(targets / p.name) - read(p) for p in sources.iterdir()], axis=(0, 1, 2))
np.savetxt(weights / "shift.txt", shift)
print("trained with seed", sys.argv[4])
"""
TRANSLATE = """
import os, sys, cv2, numpy as np
from pathlib import Path
from shared import read
weights, sources, predictions = map(Path, sys.argv[1:4])
shift = np.loadtxt(weights / "shift.txt")
for path in sorted(sources.iterdir()):
    image = np.clip(read(path) + shift, 0, 255).astype(np.uint8)
    cv2.imwrite(str(predictions / path.name), image)
"""
SHARED = "import cv2\ndef read(path):\n    return cv2.imread(str(path)).astype(float)\n"
TOML = f"""
[external]
train = ["{sys.executable}", "train.py", "{{sources}}", "{{targets}}", "{{weights}}", "{{seed}}"]
translate = ["{sys.executable}", "translate.py", "{{weights}}", "{{sources}}", "{{predictions}}"]
translate_hours = HOURS
"""


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "shift method"
    folder.mkdir()
    files = {"train.py": TRAIN, "translate.py": TRANSLATE, "shared.py": SHARED}
    for name, text in (files | {"shift.toml": TOML.replace("HOURS", "1")}).items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def options(drawn, tmp_path, place, monkeypatch) -> Options:
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))
    drawn.draw("train", 3).draw("test", 3)
    return Options(
        model=str(place / "shift.toml"),
        dataset=str(drawn.root),
        protocol="i2i-1",
        device="cpu",
        output=tmp_path / "runs",
        board=tmp_path / "boards",
    )


def test_a_program_trains_translates_and_reaches_the_board(options, drawn, tmp_path):
    done = run(options)
    assert done.result.metrics["psnr"].value > 5
    assert done.result.training.model_dump()["program"] == "shift"
    assert done.result.model.parameters is None
    assert "trained with seed 0" in (done.folder / "logs/train.log").read_text()
    assert {path.name for path in done.folder.iterdir()} >= {"weights", "logs", "predictions"}
    assert not (done.folder / "exchange").exists()
    assert "its own program, 3 pairs" in done.board.read_text()
    assert verify(done.folder, dataset=drawn.root).error() is None
    # Finished stages are not repeated, and a second protocol takes the training over.
    written = times(done.folder / "logs")
    assert run(options).folder == done.folder
    assert times(done.folder / "logs") == written
    other = run(replace(options, protocol="i2i-2"))
    assert (other.folder / "weights/shift.txt").exists()
    assert not (other.folder / "logs/train.log").exists()
    # Two seeds are two trainings of one method.
    run(replace(options, seed=1))
    assert "± " in done.board.read_text()


@pytest.mark.parametrize("name", ["shared.py", "train.py", "shift.toml"])
def test_an_edit_of_any_file_of_it_is_another_run(options, place, name):
    first = resolve(options).folder.path
    assert resolve(options).folder.path == first
    (place / "notes.txt").write_text("not named")
    assert resolve(options).folder.path == first
    (place / name).write_text((place / name).read_text() + "# edited\n")
    assert resolve(options).folder.path != first


FAULTS = {
    "failure": ("sys.exit('no licence')", ["failed with exit code 1", "no licence", "log"]),
    "killed": ("os.kill(os.getpid(), 9)", ["killed by signal 9", "said nothing"]),
    "too few": ("os.remove(predictions / path.name)", ["lacks 1 of 3: 00002_test_2+.png"]),
    "wrong name": (
        "os.rename(predictions / path.name, predictions / 'x_fake.png')",
        ["lacks 1 of 3", "has 1 of other names: x_fake.png"],
    ),
    "extra": ("cv2.imwrite(str(predictions / 'grid.png'), image)", ["other names: grid.png"]),
    "wrong size": (
        "cv2.imwrite(str(predictions / path.name), image[:16])",
        ["00002_test_2+.png is 32 x 16, its source 32 x 32"],
    ),
    "no image": ("(predictions / path.name).write_text('x')", ["no readable image", "00002"]),
    "a link": (
        "os.remove(predictions / path.name); os.symlink(path, predictions / path.name)",
        ["is no file in {predictions}"],
    ),
    "changed input": ("cv2.imwrite(str(path), image)", ["among its inputs", "00002", "changed"]),
    "added input": ("cv2.imwrite(str(sources / 'x.png'), image)", ["x.png added"]),
    "changed weights": ("np.savetxt(weights / 'shift.txt', shift + 1)", ["shift.txt changed"]),
    "changed code": ("Path('shared.py').write_text('# x')", ["its own files changed"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_program_does_wrong_is_one_line_and_nothing_is_published(
    options, place, tmp_path, fault
):
    text, words = FAULTS[fault]
    (place / "translate.py").write_text(TRANSLATE + text + "\n")
    with pytest.raises(PluginError) as error:
        run(options)
    assert all(word in str(error.value) for word in ["shift", *words]), error.value
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("result.json")) and not (tmp_path / "boards").exists()
    assert not list((tmp_path / "runs").rglob("predictions/manifest.json"))


def test_a_program_that_hangs_is_stopped_with_its_children(options, place, tmp_path):
    name = tmp_path.name
    # Memory that must be given back keeps a killed process there for a moment.
    code = "import time; a = bytearray(10**8); time.sleep(300)"
    child = f"[sys.executable, '-c', {code!r}, {name!r}]"
    hang = f"import subprocess, sys, time\nfor _ in range(3): subprocess.Popen({child})\n"
    hang += "print('waiting', flush=True)\ntime.sleep(300)\n"
    (place / "translate.py").write_text(hang)
    (place / "shift.toml").write_text(TOML.replace("HOURS", "0.0002"))
    with pytest.raises(PluginError, match=r"did not end within 0\.0002 h and was stopped"):
        run(options)
    running = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists() and tmp_path.name.encode() in path.read_bytes().split(b"\0")
    ]
    assert running == []


def test_a_training_that_writes_nothing_is_told_and_repeated(options, place):
    (place / "train.py").write_text("print('done')")
    with pytest.raises(PluginError, match="wrote nothing into"):
        run(options)
    (place / "train.py").write_text(TRAIN)
    assert run(options).result.model.name == "shift"


def test_weights_that_were_changed_since_are_refused(options):
    done = run(options)
    (done.folder / "weights/shift.txt").write_text("1 2 3\n")
    (done.folder / "predictions/manifest.json").unlink()
    (done.folder / "result.json").unlink()
    with pytest.raises(DataError, match="not what the training of shift wrote"):
        run(options)


def test_a_program_sees_neither_our_packages_nor_any_key(options, place, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("SOME_SERVICE_KEY", "secret")
    told = "print(sorted(os.environ.items()))\n"
    (place / "translate.py").write_text(TRANSLATE + told)
    (place / "shift.toml").write_text(
        TOML.replace("HOURS", "1") + 'environment = { OWN = "yes" }\n'
    )
    log = (run(options).folder / "logs/translate.log").read_text()
    assert "('OWN', 'yes')" in log and "PATH" in log
    assert "secret" not in log and "PYTHONPATH" not in log


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{predictions}", "{prediction}", "unknown placeholder {prediction}; known:"),
        ('"{predictions}"', '"out"', "must name {predictions}"),
        ("translate =", "translated =", "did you mean translate"),
        (sys.executable, "no-such-program", "no program no-such-program"),
        ("[external]", "[training]", "no table [external]"),
        ("[external]", "[training]\n[external]", "unknown table [training]"),
        ("= 1", '= "soon"', "translate_hours"),
        ("= 1", '= 1\nfiles = ["../elsewhere"]', "is nothing beside it"),
        ("= 1", '= 1\nname = "copy"', "already provided by i2ibench"),
        ("[external]", "[external", "not valid TOML"),
    ],
)
def test_what_a_toml_cannot_mean_is_told_before_anything_runs(options, place, old, new, words):
    text = TOML.replace("HOURS", "1").replace(old, new)
    (place / "shift.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        run(options)
    assert words in str(error.value) and "\n" not in str(error.value)


HOSTILE_TOML = {
    "nested": b"a = " + b"[" * 5000,
    "digits": b"a = " + b"9" * 5000,
    "latin-1": "a = '\xe9'".encode("latin-1"),
    "utf-16": "a = 1".encode("utf-16"),
    "torn": b"[method",
}


@pytest.mark.parametrize("kind", [*HOSTILE_TOML, "a pipe"])
@pytest.mark.parametrize("read", [read_program, read_method])
def test_a_toml_that_is_none_is_one_line_that_names_it(tmp_path, kind, read):
    file = tmp_path / "mine.toml"
    if kind in HOSTILE_TOML:
        file.write_bytes(HOSTILE_TOML[kind])
    else:
        os.mkfifo(file)
    with pytest.raises((DataError, UsageError), match=r"mine\.toml") as error:
        read(file)
    assert "\n" not in str(error.value)


def test_a_toml_of_windows_begins_with_a_mark_of_its_encoding(tmp_path):
    file = tmp_path / "method.toml"
    file.write_bytes("\ufefftitle = 'Mine'\nsaw_test_targets = false\n".encode())
    assert read_method(file).title == "Mine"


def test_no_shell_reads_the_arguments(options, place):
    (place / "translate.py").write_text(TRANSLATE + "print(sys.argv[4])\n")
    text = TOML.replace("HOURS", "1").replace('"{predictions}"]', '"{predictions}", "$(id); `id`"]')
    (place / "shift.toml").write_text(text)
    assert (run(options).folder / "logs/translate.log").read_text() == "$(id); `id`\n"


@pytest.mark.parametrize("change", [{"settings": {"training.epochs": 1}}, {"protocol": "bci-2022"}])
def test_what_a_program_cannot_be_told_is_refused(options, change):
    with pytest.raises(UsageError, match=r"program|cannot be told"):
        resolve(replace(options, **change))


def test_the_command_line_tells_a_failing_program_in_one_line(options, place, capsys):
    (place / "translate.py").write_text("import sys\nsys.exit('out of luck')\n")
    line = ["run", "-m", options.model, "-d", options.dataset, "-o", str(options.output)]
    assert run_app([*line, "--protocol", "i2i-1"]) == 1
    err = capsys.readouterr().err
    assert "out of luck" in err and "Traceback" not in err
