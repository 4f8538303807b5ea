"""Validation watches a training without touching it, and keeps its best state."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError, Interrupted, UsageError
from i2ibench.metrics.interface import build_metric
from i2ibench.models.interface import build_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.runs.validation import check_keep_best, evenly_spread, hold_out, make_validation
from i2ibench.training.best_state import Validated, Validation
from i2ibench.training.checkpoint import Checkpoint, load_checkpoint
from i2ibench.training.engine import make_fabric
from i2ibench.training.logs import TensorBoardLog, WandbLog
from i2ibench.training.loop import Training, train
from i2ibench.training.recipe import TrainingSettings
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.translate_image import translate_image

SMALL = {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2}


def start(root, folder, *, keep_best="ssim", validates=True, progress=None, log=None):
    pairs = open_dataset(str(root), "train")
    kept, held = hold_out(pairs, 0.3)
    settings = TrainingSettings(epochs=3, decay_epochs=1, batch_size=2, keep_best=keep_best)
    model = build_model("pyramid", SMALL)
    loader = TrainingLoader(kept, ImageSettings(crop=24), batch_size=2, seed=5)
    validation = None
    if validates:
        validation = make_validation(held, settings, folder, device="cpu", precision="fp32")
    training = Training("pyramid", "an id", settings, 5, folder)
    fabric = make_fabric("cpu", "fp32")
    found = train(
        model, loader, training, fabric, progress=progress, validation=validation, log=log
    )
    return found, held


def rows_of(folder):
    with (folder / "validation.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def root(drawn):
    drawn.draw("train", 10)
    return drawn.root


def test_validation_does_not_touch_the_weights(root, tmp_path):
    watched, _ = start(root, tmp_path / "watched")
    alone, _ = start(root, tmp_path / "alone", validates=False)
    assert all(torch.equal(watched.weights[key], alone.weights[key]) for key in alone.weights)
    assert not (tmp_path / "alone" / "validation.csv").exists()


def test_the_best_state_is_the_one_that_scored_best(root, tmp_path):
    _, held = start(root, tmp_path)
    rows = rows_of(tmp_path)
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    best = max(rows, key=lambda row: float(row["ssim"]))
    kept = load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    assert kept.step == int(best["step"])

    model = build_model("pyramid", kept.config)
    model.load_state_dict(dict(kept.weights))
    model.to(memory_format=torch.channels_last)
    policy, scores = InferencePolicy(), []
    with inference_mode(model, policy):
        for pair in held:
            made = translate_image(model, read_image(pair.source), policy=policy)
            metric = build_metric("ssim")
            scores.append(metric.score(made[None], read_image(pair.target)[None])[0])
    assert np.mean(scores) == pytest.approx(float(best["ssim"]), rel=1e-6)


@pytest.mark.parametrize("stop_after", [2, 5, 9])
def test_an_interrupted_training_validates_each_step_once(root, tmp_path, stop_after):
    start(root, tmp_path / "whole")

    def press_ctrl_c(step, total, losses):
        if step == stop_after:
            import signal

            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        start(root, tmp_path / "cut", progress=press_ctrl_c)
    start(root, tmp_path / "cut")
    timeless = [
        [{key: value for key, value in row.items() if key != "seconds"} for row in rows_of(folder)]
        for folder in (tmp_path / "whole", tmp_path / "cut")
    ]
    assert timeless[0] == timeless[1]
    best = [
        load_checkpoint(tmp_path / name / "checkpoints" / "best.ckpt") for name in ("whole", "cut")
    ]
    assert best[0].step == best[1].step
    assert all(torch.equal(best[0].weights[k], best[1].weights[k]) for k in best[0].weights)


def test_an_interrupted_training_misses_its_best_state_at_once(root, tmp_path):
    def press_ctrl_c(step, total, losses):
        if step == 9:
            import signal

            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        start(root, tmp_path, progress=press_ctrl_c)
    (tmp_path / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(DataError, match=r"best.ckpt: is missing.*last.ckpt and"):
        start(root, tmp_path)


def test_a_score_that_is_no_number_is_never_the_best(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"of the second row")
    rows = "step,epoch,learning_rate,seconds,ssim\n4,0,,1,nan\n8,1,,2,0.5\n"
    (tmp_path / "validation.csv").write_text(rows)
    model = build_model("pyramid", SMALL)
    validation = Validation(lambda *_: {"ssim": 0.6}, every=1, keep_best="ssim")
    continued = Validated(validation, tmp_path, first_step=8, log=None)
    state = Checkpoint("pyramid", {}, "an id", 12, 12, 0.0, {}, {})
    with continued.history:
        continued.score(model, 12, 2, 3.0, lambda: state)
    assert load_checkpoint(tmp_path / "checkpoints" / "best.ckpt").step == 12


def test_previews_show_source_prediction_and_target(root, tmp_path):
    _, held = start(root, tmp_path)
    pictures = sorted((tmp_path / "previews").iterdir())
    assert len(pictures) == len(rows_of(tmp_path))
    preview = read_image(ImageRef(pictures[-1]))
    assert preview.shape == (256 * len(held), 3 * 256, 3)


def test_previews_are_thinned_to_twenty_that_end_with_the_latest():
    kept = []
    for step in range(4, 4001, 4):
        kept = evenly_spread([*kept, step], 20)
        assert kept[0] == 4 and kept[-1] == step and len(kept) == min(20, step // 4)
    gaps = np.diff(kept[:-1])  # the latest may have come just after the one before
    assert gaps.max() <= 3 * gaps.min()


def test_a_repeated_step_leaves_no_preview_of_what_came_after_it(root, tmp_path, monkeypatch):
    monkeypatch.setattr("i2ibench.runs.validation._MOST_PREVIEW_FILES", 3)
    previews = tmp_path / "previews"
    previews.mkdir()
    (previews / "step-mine.png").write_bytes(b"of the user")
    (previews / "step-000999.png").write_bytes(b"of a crash before the first checkpoint")
    start(root, tmp_path)
    steps = [int(row["step"]) for row in rows_of(tmp_path)]
    assert len(steps) == 4
    left = sorted(path.name for path in previews.iterdir())
    assert len(left) == 4 and left[-1] == "step-mine.png"
    assert left[0] == f"step-{steps[0]:06}.png" and left[2] == f"step-{steps[-1]:06}.png"


def test_whole_slides_are_held_out_and_the_seed_has_no_say(root):
    pairs = open_dataset(str(root), "train")
    slides = replace(
        pairs,
        pairs=tuple(replace(p, cluster=f"slide {i // 3}") for i, p in enumerate(pairs)),
    )
    kept, held = hold_out(slides, 0.3)
    assert {p.cluster for p in kept}.isdisjoint(p.cluster for p in held)
    assert {p.id for p in kept} | {p.id for p in held} == {p.id for p in pairs}
    assert len(held) >= 3
    assert hold_out(slides, 0.3) == (kept, held)
    with pytest.raises(DataError, match="leaves nothing on one side"):
        hold_out(replace(pairs, pairs=pairs.pairs[:1]), 0.5)


def test_a_best_state_needs_something_to_be_best_at():
    wish = TrainingSettings(keep_best="ssim")
    with pytest.raises(UsageError, match="--validation-fraction"):
        check_keep_best(wish, has_validation=False)
    with pytest.raises(UsageError, match="not a metric of pairs"):
        check_keep_best(TrainingSettings(keep_best="fid"), has_validation=True)
    with pytest.raises(UsageError, match="did you mean"):
        check_keep_best(TrainingSettings(keep_best="sism"), has_validation=True)
    check_keep_best(wish, has_validation=True)


def test_settings_older_than_validation_keep_their_hash():
    assert set(TrainingSettings().model_dump()) == {
        "epochs",
        "decay_epochs",
        "batch_size",
        "schedule_step",
    }
    assert TrainingSettings(keep_best="ssim").model_dump()["keep_best"] == "ssim"


def test_tensorboard_shows_what_the_tables_hold(root, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra i2ibench[tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLog(tmp_path / "tensorboard")
    start(root, tmp_path, log=log)
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("validation/ssim")]
    rows = rows_of(tmp_path)
    assert [step for step, _ in shown] == [int(row["step"]) for row in rows]
    assert [value for _, value in shown] == pytest.approx(
        [float(r["ssim"]) for r in rows], rel=1e-6
    )
    with (tmp_path / "training.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert [event.step for event in events.Scalars("loss/G_GAN")] == steps


def test_tensorboard_shows_a_repeated_step_once(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra i2ibench[tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for steps in ((1, 2, 3), (1, 2), (3, 4)):  # the first process left no checkpoint
        log = TensorBoardLog(tmp_path)
        for step in steps:
            log.scalars(step, {"loss/G_L1": float(step)})
        log.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("loss/G_L1")] == [1, 2, 3, 4]


def test_wandb_works_offline_and_asks_for_nothing(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="the extra i2ibench[wandb] is not installed")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    log = WandbLog("a project", tmp_path, "0123456789ab", {"seed": 0})
    log.scalars(1, {"loss/G_L1": 3.5})
    log.picture(1, "preview", np.zeros((8, 8, 3), np.uint8))
    log.close()
    assert list(tmp_path.glob("wandb/offline-run-*-0123456789ab/*.wandb"))
