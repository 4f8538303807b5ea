"""The summary beside a checkpoint: it answers without tensors, and finds damage."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from i2ibench.errors import DataError
from i2ibench.training import checkpoint as checkpoints
from i2ibench.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_if_ours,
    save_checkpoint,
    summarize,
)
from i2ibench.training.checkpoint_summary import copy_checkpoint, read_summary, summary_path

HALF = Checkpoint("pix2pix", {"ngf": 4}, "id", 5, 10, 2.5, {"w": torch.arange(50.0)}, {})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.ckpt"
    save_checkpoint(path, HALF)
    return path


def test_it_tells_how_far_a_training_is_without_reading_tensors(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "read_tensors", None)
    found = summarize(saved)
    assert (found.step, found.total_steps, found.seconds, found.finished) == (5, 10, 2.5, False)
    assert found.sha256 == hashlib.sha256(saved.read_bytes()).hexdigest()
    save_checkpoint(saved, replace(HALF, step=10))
    assert summarize(saved).finished


def test_a_checkpoint_of_an_older_run_has_none_and_says_the_same(saved: Path) -> None:
    known = summarize(saved)
    summary_path(saved).unlink()
    assert read_summary(saved) is None
    assert summarize(saved) == known
    assert load_checkpoint(saved).step == 5


@pytest.mark.parametrize("place", [0, 400, -1])
def test_a_flipped_bit_is_found_where_the_checkpoint_is_used(saved: Path, place: int) -> None:
    content = bytearray(saved.read_bytes())
    content[place] ^= 1
    saved.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"last\.ckpt"):
        load_checkpoint(saved)
    with pytest.raises(DataError, match=r"last\.ckpt.*remove"):
        copy_checkpoint(saved, saved.parent / "copy.ckpt")
    assert not (saved.parent / "copy.ckpt").exists()


def test_a_weight_that_rotted_is_told_with_the_remedy(saved: Path) -> None:
    content = saved.read_bytes()
    number = torch.tensor(31.0).numpy().tobytes()
    assert number in content
    saved.write_bytes(content.replace(number, torch.tensor(32.0).numpy().tobytes()))
    with pytest.raises(DataError, match=r"last\.ckpt.*restore it.*last\.ckpt\.json"):
        load_checkpoint(saved)


def test_a_torn_copy_is_found_by_its_size_alone(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"last\.ckpt: its bytes"):
        summarize(saved)


def test_a_stop_between_the_two_writes_leaves_no_summary_of_another_state(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "write_summary", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(saved, replace(HALF, step=10))
    assert read_summary(saved) is None
    assert summarize(saved).finished


def test_a_write_that_fails_keeps_the_former_checkpoint_and_its_summary(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    known = summarize(saved)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(saved, replace(HALF, step=10))
    assert summarize(saved) == known
    assert load_checkpoint(saved).step == 5


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 1}', '{"schema": 2, "step": 1}'])
def test_a_summary_that_is_none_is_named(saved: Path, content: str) -> None:
    summary_path(saved).write_text(content)
    with pytest.raises(DataError, match=r"last\.ckpt\.json"):
        summarize(saved)


def test_an_edited_summary_does_not_make_a_training_finished(saved: Path) -> None:
    path = summary_path(saved)
    path.write_text(json.dumps({**json.loads(path.read_text()), "step": 11}))
    with pytest.raises(DataError, match=r"last\.ckpt\.json"):
        summarize(saved)


def test_a_copy_takes_its_summary_along(saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "other" / "last.ckpt"
    save_checkpoint(target, replace(HALF, step=1))
    copy_checkpoint(saved, target)
    assert summarize(target) == summarize(saved)
    assert load_checkpoint(target).step == 5
    summary_path(saved).unlink()
    copy_checkpoint(saved, target)
    assert read_summary(target) is None


def test_a_file_of_other_code_is_none_of_ours(tmp_path: Path) -> None:
    torch.save({"model.1.weight": torch.zeros(2)}, tmp_path / "latest_net_G.pth")
    assert load_if_ours(tmp_path / "latest_net_G.pth") is None


STEPS = (
    "i2ibench.training.checkpoint._save",
    "i2ibench.training.checkpoint.remove_summary",
    "i2ibench.training.checkpoint.write_summary",
    "i2ibench.training.checkpoint_summary.sha256_file",
    "i2ibench.training.checkpoint_summary.write_json",
    "os.fsync",
    "pathlib.Path.replace",
    "pathlib.Path.unlink",
)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_stop_at_any_step_leaves_a_checkpoint_that_reads(
    saved: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """A kill between the two files never makes a good checkpoint unreadable."""
    from importlib import import_module

    holder, name = step.rsplit(".", 1)
    place = import_module("pathlib").Path if holder == "pathlib.Path" else import_module(holder)
    usual = getattr(place, name)
    stopped = []

    def stops(*args: object, **named: object) -> object:
        if stopped:  # a killed process does no more; what cleans up after errors may
            return usual(*args, **named)
        stopped.append(step)
        if after:
            usual(*args, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, name, stops)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(saved, replace(HALF, step=10))
    assert stopped
    assert load_checkpoint(saved).step in {5, 10}
    assert summarize(saved).step == load_checkpoint(saved).step
    save_checkpoint(saved, replace(HALF, step=10))
    assert load_checkpoint(saved).step == 10
