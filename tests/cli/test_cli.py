"""The command line: quick to start, one line and the right exit code for everything amiss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import times

from i2ibench import registry
from i2ibench.cli.app import VERBS, run_app

TINY = [
    *("--set", "model.generator=resnet_6blocks", "--set", "model.ngf=2", "--set", "model.ndf=2"),
    *("--set", "training.epochs=1", "--set", "training.decay_epochs=1"),
    *("--set", "training.batch_size=2", "--set", "images.crop=24", "--set", "images.resize=32"),
]


def call(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    code = run_app([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["datasets"], ["metrics"]])
def test_listings_import_no_heavy_library(arguments):
    code = (
        "import sys; from i2ibench.cli.app import run_app; "
        f"assert run_app({arguments!r}) == 0; "
        "heavy = {'torch', 'torchvision', 'pandas', 'scipy', 'skimage', 'lpips', 'cv2'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stdout)"
    )
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.fixture
def images(tmp_path):
    """The folders ``real`` and ``made`` with one image each, in ``tmp_path``."""
    for folder, grey in (("real", 90), ("made", 120)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "1.png"), np.full((32, 32, 3), grey, np.uint8))


def test_evaluate_loads_no_torch_for_metrics_that_run_no_network(drawn):
    drawn.draw("test", 4)
    line = ["evaluate", f"{drawn.root}/HE/test", "--targets", f"{drawn.root}/IHC/test"]
    code = (
        "import sys; from i2ibench.cli.app import run_app; "
        f"assert run_app({[*line, '--metrics', 'psnr,ssim']!r}) == 0; "
        "heavy = {'torch', 'torchvision', 'lightning_fabric', 'scipy.stats', 'skimage', 'lpips'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.usefixtures("images")
def test_wrong_weights_leave_the_other_metrics_while_torch_is_still_imported(tmp_path):
    (tmp_path / "squeeze.backbone.pth").write_bytes(b"not the weights")
    environment = {**os.environ, "I2IBENCH_WEIGHTS": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "i2ibench.cli.app", "evaluate", "made", "--targets", "real"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "is not the known" in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", ["mine[v2]", "[red]", "a[/b]"])
def test_brackets_of_names_are_shown_as_they_are(capsys, tmp_path, name):
    real = tmp_path / "real"
    real.mkdir()
    cv2.imwrite(str(real / "1.png"), np.zeros((16, 16, 3), np.uint8))
    line = ["evaluate", real, "--targets", real, "--metrics", "mae", "--name", name]
    code, out, err = call(capsys, *line, "--output", tmp_path / name)
    assert code == 0
    assert f"{name} on real" in out and f"written to {tmp_path / name}" in err


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_teaches(capsys, verb):
    code, out, err = call(capsys, verb, "--help")
    assert code == 0
    assert len(out + err) > 200


def test_json_is_all_there_is_on_stdout(capsys):
    code, out, _ = call(capsys, "models", "--json")
    assert code == 0
    assert {"pix2pix", "pyramid", "varpyramid"} <= {model["name"] for model in json.loads(out)}


def test_a_run_from_nothing_to_a_board_and_its_own_work_again(capsys, drawn, tmp_path):
    drawn.draw("train", 5).draw("test", 8)
    line = ["run", "--model", "varpyramid", "--dataset", drawn.root, *TINY]
    places = ["--output", tmp_path / "runs", "--board", tmp_path / "boards"]
    code, out, err = call(capsys, *line, *places, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert {name: group["n"] for name, group in result["groups"].items()} == {
        "0": 2,
        "1+": 2,
        "2+": 2,
        "3+": 2,
    }
    (folder,) = (tmp_path / "runs/drawn/varpyramid").iterdir()
    expected = {"experiment.json", "training.csv", "scores.csv", "result.json"}
    assert expected <= {path.name for path in folder.iterdir()}
    assert len(list((folder / "predictions").glob("*.png"))) == 8
    board = (tmp_path / "boards/drawn.md").read_text()
    for word in ("PSNR", "SSIM", "LPIPS", "FID", "3+", "varpyramid"):
        assert word in board
    before = times(folder)
    code, out, _ = call(capsys, *line, *places, "--json")
    assert code == 0 and json.loads(out) == result
    assert before == times(folder)


def test_the_stages_alone_make_the_run(capsys, drawn, tmp_path):
    drawn.draw("train", 5).draw("test", 4)
    line = ["--model", "pyramid", "--dataset", drawn.root, *TINY, "--output", tmp_path / "runs"]
    code, _, err = call(capsys, "translate", *line)
    assert code == 2 and "not trained yet" in err
    code, _, err = call(capsys, "train", *line, "--pixel-cache")
    assert code == 0 and "pixels of 5 pairs" in err
    # Kept pixels are no part of what a run is: the other stages find the training without them.
    code, out, _ = call(capsys, "translate", *line, "--json")
    predictions = Path(json.loads(out)["predictions"])
    assert code == 0 and len(list(predictions.glob("*.png"))) == 4
    code, out, _ = call(
        capsys, "evaluate", predictions, "--dataset", drawn.root, "--metrics", "psnr,ssim", "--json"
    )
    alone = json.loads(out)["metrics"]
    code, out, _ = call(capsys, "run", *line, "--board", tmp_path / "boards", "--json")
    together = json.loads(out)["metrics"]
    assert alone["psnr"]["value"] == together["psnr"]["value"]
    assert alone["ssim"]["signature"] == together["ssim"]["signature"]


def test_a_checkpoint_takes_the_place_of_training(capsys, drawn, tmp_path):
    drawn.draw("train", 5).draw("test", 4)
    line = ["--dataset", drawn.root, "--output", tmp_path / "runs"]
    code, out, _ = call(capsys, "train", "--model", "pyramid", *line, *TINY, "--json")
    checkpoint = json.loads(out)["checkpoint"]
    made = ["translate", "--model", "pyramid", *line]
    code, out, _ = call(capsys, *made, *TINY, "--json")
    own = Path(json.loads(out)["predictions"])
    code, out, _ = call(capsys, *made, "--checkpoint", checkpoint, "--json")
    assert code == 0
    other = Path(json.loads(out)["predictions"])
    assert other != own
    for path in own.glob("*.png"):
        assert path.read_bytes() == (other / path.name).read_bytes()
    code, _, err = call(
        capsys, "translate", "--model", "varpyramid", *line, "--checkpoint", checkpoint
    )
    assert code == 2 and "--model pyramid" in err


def one_line_error(capsys, code: int, *arguments: str | Path) -> str:
    found, out, err = call(capsys, *arguments)
    assert found == code, err
    assert out == ""
    assert err.count("error:") == 1 and "Traceback" not in err
    return err.split("error:")[1]


@pytest.fixture
def faulty(drawn, tmp_path):
    """A drawn data set to spoil, and the line that runs on it."""
    drawn.draw("train", 5).draw("test", 4)
    places = ["--output", str(tmp_path / "runs"), "--board", str(tmp_path / "boards")]
    return drawn.root, ["run", "--dataset", str(drawn.root), *places, *TINY]


def nothing_written(tmp_path: Path) -> bool:
    return not (tmp_path / "runs").exists() and not (tmp_path / "boards").exists()


def test_a_missing_partner_is_named(capsys, faulty, tmp_path):
    root, line = faulty
    (root / "IHC/test/00001_test_1+.png").unlink()
    assert "00001_test_1+" in one_line_error(capsys, 3, *line, "--model", "varpyramid")
    assert nothing_written(tmp_path)


def test_sizes_that_differ_are_named(capsys, faulty, tmp_path):
    root, line = faulty
    path = root / "HE/train/00002_train_2+.png"
    cv2.imwrite(str(path), cv2.imread(str(path))[:20])
    message = one_line_error(capsys, 3, *line, "--model", "varpyramid")
    assert "00002_train_2+" in message and "20" in message
    assert nothing_written(tmp_path)


def test_an_empty_folder_is_named(capsys, tmp_path):
    (tmp_path / "empty/HE/test").mkdir(parents=True)
    (tmp_path / "empty/IHC/test").mkdir(parents=True)
    message = one_line_error(
        capsys, 3, "run", "--model", "copy", "--dataset", tmp_path / "empty", "--output",
        tmp_path / "runs", "--board", tmp_path / "boards",
    )  # fmt: skip
    assert "empty" in message
    assert nothing_written(tmp_path)


def test_a_truncated_image_is_named_before_training(capsys, faulty, tmp_path):
    root, line = faulty
    path = root / "HE/test/00003_test_3+.png"
    path.write_bytes(path.read_bytes()[:-40])
    assert "00003_test_3+" in one_line_error(capsys, 3, *line, "--model", "varpyramid")
    assert nothing_written(tmp_path)


def test_a_disk_without_room_for_pixels_is_refused_before_training(
    capsys, faulty, tmp_path, monkeypatch
):
    _, line = faulty
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    usage = namedtuple("usage", "total used free")(10, 9, 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    arguments = [*line, "--model", "pyramid", "--pixel-cache"]
    assert "$I2IBENCH_CACHE to another disk" in one_line_error(capsys, 2, *arguments)
    assert not list(tmp_path.rglob("training.csv"))


def test_an_unknown_model_is_answered_with_a_suggestion(capsys, faulty, tmp_path):
    _, line = faulty
    assert "did you mean varpyramid" in one_line_error(capsys, 2, *line, "--model", "varpyramyd")
    assert nothing_written(tmp_path)


def test_a_variance_of_one_image_is_refused(capsys, faulty, tmp_path):
    _, line = faulty
    message = one_line_error(
        capsys, 2, *line, "--model", "varpyramid", "--set", "training.batch_size=1"
    )
    assert "at least 2" in message
    assert nothing_written(tmp_path)


def test_a_u_net_at_300_px_is_refused_before_training(capsys, faulty, tmp_path):
    _, line = faulty
    unet = ["--set", "model.generator=unet_256", "--set", "images.resize=300"]
    message = one_line_error(
        capsys, 2, *line, "--model", "pix2pix", *unet, "--set", "images.crop=300"
    )
    assert "multiples of 256" in message
    assert nothing_written(tmp_path)


def test_unknown_settings_are_answered_with_a_suggestion(capsys, faulty, tmp_path):
    _, line = faulty
    one = one_line_error(capsys, 2, *line, "--model", "pyramid", "--set", "model.ngff=3")
    assert "did you mean ngf" in one
    assert nothing_written(tmp_path)


def test_help_of_an_unknown_verb(capsys):
    code, _, err = call(capsys, "trian")
    assert code == 2 and "trian" in err


def test_a_warning_is_told_once_though_libraries_ignore_warnings_in_between(monkeypatch, capsys):
    def list_twice() -> list[str]:
        for _ in range(2):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
            warnings.warn("a plugin is broken", stacklevel=1)
        return []

    monkeypatch.setattr(registry.protocols, "names", list_twice)
    for _ in range(2):  # each command tells it
        assert run_app(["protocols"]) == 0
        assert capsys.readouterr().err.count("a plugin is broken") == 1
