"""Every script of examples/ does what its README says, on a small drawn set."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest
from conftest import DrawnFolder
from factories import TINY

import i2ibench
from i2ibench import registry

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CPU = {"dataset": "small", "device": "cpu"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder that holds the data set ``small``, and a registry of its own."""
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))
    monkeypatch.chdir(tmp_path)
    DrawnFolder(tmp_path / "small").draw("train", 4).draw("test", 4)
    return tmp_path


def script(name, *arguments):
    runpy.run_path(str(EXAMPLES / name))["main"](*arguments)


def test_results_of_pix2pix_reach_a_board(place, capsys):
    (place / "results").mkdir()
    for side, endings in (("HE", ["real_A"]), ("IHC", ["real_B", "fake_B"])):
        for file in (place / "small" / side / "test").iterdir():
            for ending in endings:
                shutil.copy(file, place / "results" / f"{file.stem}_{ending}.png")
    script("pix2pix_results.py", "results", "small")
    assert "official-pix2pix" in capsys.readouterr().out
    assert "pix2pix, official code" in (place / "runs/leaderboards/small.md").read_text()


def test_a_loss_term_is_added_in_twenty_lines():
    code = (EXAMPLES / "edge_loss.py").read_text()
    lines = [line for line in code.splitlines() if line.strip() and '"""' not in line]
    assert len(lines) <= 20
    settings = {**TINY, "model.generator": "unet_128", "images.resize": 128, "images.crop": 128}
    settings["images.test_scale"] = "native"
    made = i2ibench.run(model=str(EXAMPLES / "edge_loss.py"), settings=settings, **CPU)
    header = (made.folder / "training.csv").read_text().splitlines()[0]
    assert {"G_L1", "G_edges", "G_GAN"} <= set(header.split(","))


def test_a_stochastic_model_makes_the_same_images_twice(place):
    files = []
    for output in ("first", "second"):
        made = i2ibench.run(
            model=str(EXAMPLES / "noisy.py"),
            settings={"training.epochs": 1},
            output=output,
            **CPU,
        )
        files.append([p.read_bytes() for p in sorted((made.folder / "predictions").glob("*.png"))])
    assert files[0] == files[1] and len(files[0]) == 4


def test_an_onnx_file_gives_the_scores_of_its_run(capsys):
    pytest.importorskip("onnxruntime", reason="the extra i2ibench[onnx] is not installed")
    made = i2ibench.run(model="pyramid", settings=TINY, **CPU)
    script("onnx_file.py", str(made.folder), "small")
    scores = re.findall(r"^(?:psnr|ssim) (\S+) (\S+)$", capsys.readouterr().out, re.M)
    assert len(scores) == 2
    for first, second in scores:
        assert float(second) == pytest.approx(float(first), rel=1e-4)


def test_a_program_of_numpy_is_a_method():
    made = i2ibench.run(model=str(EXAMPLES / "numpy_program" / "shift.toml"), **CPU)
    assert made.result.model.name == "shift" and made.result.metrics["psnr"].value > 5


def test_the_readme_names_every_example():
    text = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.rglob("*"):
        if path.suffix in {".py", ".toml"} and path.name != "shift.py":
            assert path.name in text
