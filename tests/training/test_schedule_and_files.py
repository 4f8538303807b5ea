"""The schedule is the official one; checkpoints and histories refuse what they are not."""

from __future__ import annotations

import pytest
import torch

from i2ibench.errors import DataError, UsageError
from i2ibench.training.checkpoint import load_checkpoint
from i2ibench.training.recipe import load_recipe
from i2ibench.training.schedule import learning_rate_factor


@pytest.mark.parametrize("epochs, decay", [(100, 100), (3, 2), (0, 4), (5, 0)])
def test_schedule_equals_torch_lambda_lr(epochs, decay):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    # The official rule with its epoch_count of 1.
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda e: 1.0 - max(0, e + 1 - epochs) / float(decay + 1)
    )
    for epoch in range(epochs + decay):
        rate = optimizer.param_groups[0]["lr"]
        assert 0.5 * learning_rate_factor(epoch, epochs, decay) == pytest.approx(rate, abs=1e-15)
        optimizer.step()
        scheduler.step()
        stepped = 0.5 * learning_rate_factor(epoch, epochs, decay, "epoch-start")
        assert stepped == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-15)


def test_last_epoch_of_bci_trains_at_zero():
    assert learning_rate_factor(199, 100, 100, "epoch-start") == 0
    assert learning_rate_factor(199, 100, 100, "epoch-end") == pytest.approx(1 / 101)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04 torn"])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"last\.ckpt"):
        load_checkpoint(path)


def test_a_pickle_is_never_executed(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    path = tmp_path / "last.ckpt"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError):
        load_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_unknown_recipe_keys_are_refused_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="did you mean epochs"):
        load_recipe("pix2pix", "bci", None, {"training.epoch": 3})
    with pytest.raises(UsageError, match="did you mean crop"):
        load_recipe("pix2pix", "bci", None, {"images.corp": 3})
    broken = tmp_path / "r.toml"
    broken.write_text("[training\n")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_recipe("pix2pix", "bci", broken, {})
