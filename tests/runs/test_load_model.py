"""A model of a run, or of a checkpoint, is had back in Python with its weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from factories import TINY

import i2ibench
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError, UsageError
from i2ibench.models.policy import InferencePolicy
from i2ibench.translation.translate_image import quantize


@pytest.fixture
def options(drawn, tmp_path):
    drawn.draw("train", 4).draw("test", 2)
    return {"dataset": drawn.root, "device": "cpu", "output": tmp_path / "runs"}


def test_a_trained_model_makes_the_predictions_of_its_run_again(options):
    outcome = i2ibench.run(model="pyramid", settings=TINY, board=None, **options)
    for where in (outcome.folder, str(outcome.folder / "checkpoints" / "last.ckpt")):
        model = i2ibench.load_model(where)
        assert not model.training
        for pair in i2ibench.open_dataset(options["dataset"]):
            source = torch.from_numpy(read_image(pair.source)).permute(2, 0, 1)[None]
            with torch.inference_mode():
                made = model.translate(source / 127.5 - 1)[0]
            stored = read_image(ImageRef(outcome.folder / "predictions" / f"{pair.id}.png"))
            ours = quantize(made, InferencePolicy())
            assert np.abs(ours.astype(int) - stored).max() <= 1  # whole images, not tiles


def test_models_without_a_training_are_built_as_their_run_was_set_up(options):
    folder = i2ibench.translate(model="copy", **options).path
    assert type(i2ibench.load_model(folder)).__name__ == "CopySource"


def test_what_holds_no_model_is_refused_with_the_reason(options, tmp_path):
    with pytest.raises(DataError, match="no run folder"):
        i2ibench.load_model(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        i2ibench.load_model(tmp_path / "absent.pth")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match="give model="):
        i2ibench.load_model(tmp_path / "other.pth")
    trained = i2ibench.train(model="mean-colour", **options)
    with pytest.raises(UsageError, match="mean-colour"):
        i2ibench.load_model(trained.path, model="copy")
    trained.checkpoint.unlink()
    with pytest.raises(DataError, match="i2ibench train"):
        i2ibench.load_model(trained.path)
    trained.experiment.write_text(json.dumps({"model": {}}))
    with pytest.raises(DataError, match="edited"):
        i2ibench.load_model(trained.path)


def test_runs_are_compared_by_their_paths(options):
    runs = [i2ibench.run(model=name, board=None, **options) for name in ("copy", "mean-colour")]
    by_path = i2ibench.compare([str(runs[0].folder), runs[1].folder], "psnr,ssim")
    assert list(by_path.signatures) == ["psnr", "ssim"]
    mixed = i2ibench.compare([runs[0].folder, *i2ibench.read_methods([runs[1].folder])], "psnr")
    assert mixed.labels == by_path.labels
    with pytest.raises(UsageError, match="at least two"):
        i2ibench.compare(str(runs[0].folder))
