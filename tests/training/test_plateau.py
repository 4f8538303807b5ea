"""The plateau schedule is PyTorch's; a training stopped in it continues to equal bits."""

from __future__ import annotations

import math
import os
import signal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kills import checkpoints_differ

from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.errors import Interrupted
from i2ibench.models.interface import build_model
from i2ibench.training.engine import make_fabric
from i2ibench.training.loop import Training, train
from i2ibench.training.plateau import Plateau, PlateauSettings
from i2ibench.training.recipe import TrainingSettings


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 99),
    patience=st.integers(0, 5),
    cooldown=st.integers(0, 5),
    threshold=st.sampled_from([0.0, 1e-4, 0.2]),
)
def test_it_lowers_the_rate_when_pytorchs_does(seed, patience, cooldown, threshold) -> None:
    chosen = PlateauSettings(
        factor=0.5, patience=patience, cooldown=cooldown, threshold=threshold, least=0.05
    )
    ours = Plateau(chosen)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, cooldown=cooldown, threshold=threshold,
        min_lr=0.05, eps=0.0,
    )  # fmt: skip
    for number, loss in enumerate(np.random.default_rng(seed).random(60)):
        if number == 30:  # as if it were saved and loaded here
            state = ours.state()
            ours = Plateau(chosen)
            ours.load(state)
        ours.see(float(loss))
        theirs.step(float(loss))
        assert math.isclose(ours.factor, optimizer.param_groups[0]["lr"], rel_tol=1e-12)


def start(root, folder, *, stop_after=None):
    loader = TrainingLoader(
        open_dataset(str(root), "train"), ImageSettings(crop=24), batch_size=2, seed=5
    )
    plateau = PlateauSettings(factor=0.5, patience=0, cooldown=1)
    budget = TrainingSettings(epochs=4, decay_epochs=0, batch_size=2, plateau=plateau)
    tiny = {"width": 4, "encoder": (1,), "middle": 0, "decoder": (1,)}

    def stop(step, total, losses):
        if step == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    training = Training("nafnet", "an id", budget, 5, folder)
    return train(
        build_model("nafnet", tiny), loader, training, make_fabric("cpu", "fp32"), progress=stop
    )


def test_a_stopped_training_continues_with_the_rate_it_had(drawn, tmp_path) -> None:
    drawn.draw("train", 6)
    whole = start(drawn.root, tmp_path / "whole")
    with pytest.raises(Interrupted):
        start(drawn.root, tmp_path / "cut", stop_after=7)
    resumed = start(drawn.root, tmp_path / "cut")
    assert checkpoints_differ(whole, resumed) == []
    assert whole.plateau == resumed.plateau and whole.plateau["factor"] < 1
    rates = [line.split(",")[2] for line in (tmp_path / "cut/training.csv").open()]
    assert rates == [line.split(",")[2] for line in (tmp_path / "whole/training.csv").open()]
    assert len(set(rates)) > 2


def test_trainings_without_it_hold_nothing_of_it() -> None:
    assert "plateau" not in TrainingSettings().model_dump()
