"""Precisions, memory, several GPUs, and the command line on a GPU."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from conftest import DrawnFolder

from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.runtime import allow_tf32, resolve_precision

# Of values: features of a GPU are exact float32, added in another order.
TOLERANCE = {"fid": 2e-3, "kid-marginal": 2e-3}


SMALL = {
    "images.crop": 64,
    "model.generator": "resnet_6blocks",
    "model.ngf": 4,
    "model.ndf": 4,
    "training.epochs": 1,
    "training.decay_epochs": 1,
    "training.batch_size": 2,
}


def started(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What Python said and did."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return started("-m", "i2ibench", *arguments)


def run_of(drawn: DrawnFolder, model: str, *options: object) -> list[object]:
    """Arguments of a tiny training on drawn pairs."""
    for split in ("train", "test"):
        drawn.draw(split, 8, size=64)
    settings = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    return ["run", "-m", model, "-d", drawn.root, *settings, *options]


def convolution_error() -> float:
    """Largest relative error of a float32 convolution on the GPU against float64."""
    draw = torch.Generator(device="cuda").manual_seed(0)
    images = torch.randn(4, 64, 64, 64, device="cuda", generator=draw)
    weights = torch.randn(64, 64, 3, 3, device="cuda", generator=draw)
    exact = torch.nn.functional.conv2d(images.double(), weights.double())
    return float((torch.nn.functional.conv2d(images, weights) - exact).abs().max() / exact.std())


def test_fp32_is_exact_and_tf32_is_not(on_cuda):
    allow_tf32("fp32")
    exact = convolution_error()
    allow_tf32("tf32")
    fast = convolution_error()
    allow_tf32("fp32")
    assert exact < 1e-4
    if torch.cuda.get_device_capability() >= (8, 0):
        assert fast > 3 * exact


def test_auto_takes_bf16_where_the_gpu_has_it(on_cuda):
    expected = "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    assert resolve_precision("auto", "cuda") == expected


def test_batches_for_a_gpu_lie_in_pinned_memory(on_cuda, drawn):
    drawn.draw("train", 4)
    loader = TrainingLoader(
        open_dataset(str(drawn.root), "train"), ImageSettings(), 2, seed=0, pin_memory=True
    )
    raw = next(iter(loader.batches(0, 2)))
    assert raw.source.is_pinned() and raw.target.is_pinned()


def test_an_evaluation_equals_that_of_the_processor(
    device, drawn, tmp_path, monkeypatch, seeded_inception
):
    """FID comes from seeded random Inception weights."""
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(seeded_inception.parent))
    drawn.draw("test", 16, size=96)
    pairs = open_dataset(str(drawn.root), split="test")
    predictions = find_predictions(drawn.root / "HE" / "test", pairs)
    found = [
        evaluate(
            pairs,
            predictions,
            protocol=load_protocol("i2i-2"),
            metrics=["psnr", "ssim", "fid", "kid-marginal", "distance-ratio"],
            device=where,
            allow_unverified_weights=True,
            use_cache=False,
        ).metrics
        for where in ("cpu", device)
    ]
    for name, value in found[0].items():
        other = found[1][name].value
        assert other == pytest.approx(value.value, rel=TOLERANCE.get(name, 1e-9)), name


def test_a_run_on_the_gpu_is_found_again(device, drawn, tmp_path):
    run = run_of(drawn, "varpyramid", "--device", device, "-o", tmp_path / "runs")
    first = command(*run)
    assert first.returncode == 0, first.stderr
    predictions = list((tmp_path / "runs").rglob("predictions/*.png"))
    before = {path: path.stat().st_mtime_ns for path in predictions}
    assert len(predictions) == 8 and command(*run).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in predictions} == before


def test_memory_that_ran_out_is_told_in_a_line(on_cuda, drawn, tmp_path):
    drawn.draw("test", 1, size=64)
    code = (
        "import sys, torch; torch.cuda.set_per_process_memory_fraction(1e-5); "
        "from i2ibench.cli import main; sys.argv = ['i2ibench', *sys.argv[1:]]; main()"
    )
    run = ["run", "-m", "copy", "-d", drawn.root, "--device", "cuda", "-o", tmp_path]
    done = started("-c", code, *run)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "out of memory" in done.stderr


def test_two_gpus_train_together(on_cuda, drawn, tmp_path):
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one CUDA device")
    done = command(*run_of(drawn, "pyramid", "--devices", 2, "-o", tmp_path / "runs"))
    assert done.returncode == 0, done.stderr


def test_doctor_names_the_gpu(on_cuda):
    done = command("doctor")
    assert torch.cuda.get_device_name() in done.stdout + done.stderr
