"""Predictions are made again from the checkpoint: what was mended by hand is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from factories import TINY

from i2ibench.cli.app import run_app
from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError, MissingError, UsageError, VerificationError
from i2ibench.files import sha256_file
from i2ibench.results.pair_scores import write_pair_scores
from i2ibench.results.record_files import read_result, write_result
from i2ibench.results.verification import verify
from i2ibench.runs.options import Options
from i2ibench.runs.python_interface import evaluate
from i2ibench.runs.reproduce import reproduce
from i2ibench.runs.run import run
from i2ibench.translation.manifest import read_manifest, write_manifest


@pytest.fixture
def trained(drawn, tmp_path):
    """A finished run of a tiny model: its folder, and where its data set lies."""
    drawn.draw("train", 4).draw("test", 3)
    options = Options(
        model="pyramid",
        dataset=str(drawn.root),
        settings=TINY,
        protocol="i2i-1",
        output=tmp_path / "runs",
        board=None,
    )
    return run(options).folder, str(drawn.root)


def test_an_untouched_run_is_reproduced_to_the_last_grey_level(trained):
    folder, data = trained
    found = reproduce(folder, dataset=data, device="cpu")
    assert (found.pairs, found.equal, found.largest_difference) == (3, 3, 0)
    assert found.error() is None


def test_predictions_blended_with_their_targets_verify_but_are_not_reproduced(trained, tmp_path):
    folder, data = trained
    predictions = folder / "predictions"
    manifest, files = read_manifest(predictions), {}
    stored = verify(folder, dataset=data, device="cpu")
    assert not stored.findings
    from i2ibench.data.dataset import open_dataset

    for pair in open_dataset(data):
        place = predictions / f"{pair.id}.png"
        mixed = read_image(ImageRef(place)) * 0.5 + read_image(pair.target) * 0.5
        write_png(place, np.rint(mixed).astype(np.uint8))
        files[pair.id] = sha256_file(place)
    write_manifest(predictions, manifest.model_copy(update={"files": files}))
    _rescore(folder, data)
    assert not verify(folder, dataset=data, device="cpu").findings, "every number follows"
    found = reproduce(folder, dataset=data, device="cpu")
    assert len(found.findings) == 3
    assert isinstance(found.error(), VerificationError)


@pytest.mark.parametrize("levels", [1, 3])
def test_a_coarse_format_in_the_manifest_excuses_nothing(trained, levels):
    folder, data = trained
    predictions = folder / "predictions"
    manifest, files = read_manifest(predictions), {}
    for place in predictions.glob("*.png"):
        image = read_image(ImageRef(place)).astype(int) + levels
        write_png(place, image.clip(0, 255).astype(np.uint8))
        files[place.stem] = sha256_file(place)
    write_manifest(predictions, manifest.model_copy(update={"files": files, "precision": "bf16"}))
    found = reproduce(folder, dataset=data, device="cpu")
    assert len(found.findings) == 3, "the run was asked for fp32"


def _rescore(folder, data):
    """Publish the scores of the folder's predictions as those of the run, hashes and all."""
    from i2ibench.data.dataset import open_dataset
    from i2ibench.evaluation.one_pass import evaluate as score
    from i2ibench.evaluation.predictions import find_predictions
    from i2ibench.evaluation.protocol import load_protocol
    from i2ibench.results.build_record import build_result

    pairs, known = open_dataset(data), read_result(folder / "result.json")
    found = find_predictions(folder / "predictions", pairs)
    again = score(pairs, found, protocol=load_protocol("i2i-1"), device="cpu")
    write_pair_scores(folder / "scores.csv", again)
    fields = {
        key: getattr(known, key)
        for key in ("model", "dataset", "cost", "seed", "environment", "created", "training")
    }
    made = build_result(
        evaluation=again, run_id=known.run_id, experiment=known.experiment, **fields
    )
    write_result(folder / "result.json", made)


def test_another_checkpoint_is_refused_and_a_missing_one_asked_for(trained, tmp_path):
    folder, data = trained
    other = tmp_path / "other.ckpt"
    other.write_bytes(b"other weights")
    with pytest.raises(DataError, match=r"other\.ckpt: not the weights"):
        reproduce(folder, dataset=data, checkpoint=other)
    moved = (folder / "checkpoints" / "last.ckpt").rename(tmp_path / "moved.ckpt")
    with pytest.raises(MissingError, match="--checkpoint FILE"):
        reproduce(folder, dataset=data)
    assert reproduce(folder, dataset=data, checkpoint=moved, device="cpu").equal == 3


def test_predictions_that_were_given_cannot_be_made_again(trained, tmp_path):
    folder, data = trained
    evaluate(folder / "predictions", dataset=data, metrics="psnr", output=tmp_path / "given")
    with pytest.raises(UsageError, match="were given"):
        reproduce(tmp_path / "given", dataset=data, predictions=folder / "predictions")


def test_the_command_line_records_a_status_of_its_own(trained, capsys):
    folder, data = trained
    line = ["verify", str(folder), "-d", data, "--device", "cpu"]
    assert run_app([*line, "--record"]) == 0
    assert read_result(folder / "result.json").status == "verified"
    capsys.readouterr()
    assert run_app([*line, "--retranslate", "--record", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["reproduced"] == {"pairs": 3, "equal": 3, "largest_difference": 0}
    assert report["metrics"]["psnr"] == "recomputed"
    assert report["metrics"]["fid"].startswith("not recomputed: ")
    assert report["hashes"]["checkpoint"] == "as recorded"
    marked = read_result(folder / "result.json")
    assert marked.status == "reproduced"
    assert marked.reproduced.equal == 3
    assert "psnr" in marked.verified.relative_tolerances
    assert "fid" not in marked.verified.relative_tolerances, "it was not recomputed"
    # Verified again, it stays what it is.
    assert run_app([*line, "--record"]) == 0
    assert read_result(folder / "result.json").status == "reproduced"
    assert run_app([*line, "--checkpoint", "x.ckpt"]) == 2


@pytest.mark.parametrize(
    ("edit", "subject"),
    [
        (lambda made: {"seed": 7}, "seed"),
        (
            lambda made: {"model": made.model.model_copy(update={"parameters": 12})},
            "parameters",
        ),
        (
            lambda made: {"model": made.model.model_copy(update={"uses_target": True})},
            "uses_target",
        ),
        (
            lambda made: {"training": made.training.model_copy(update={"epochs": 1000})},
            "training.epochs",
        ),
        (
            lambda made: {"cost": made.cost.model_copy(update={"train_seconds": 1.0})},
            "train_seconds",
        ),
    ],
)
def test_what_a_record_says_of_its_origin_is_held_against_the_run(trained, edit, subject):
    folder, data = trained
    made = read_result(folder / "result.json")
    write_result(folder / "result.json", made.model_copy(update=edit(made)))
    findings = verify(folder, dataset=data, device="cpu").findings
    assert subject in [finding.subject for finding in findings]
