"""Batches depend on seed, epoch and pair alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image
from i2ibench.data.loading import ImageSettings, TrainingLoader, to_unit_range
from i2ibench.errors import UsageError


def batches(dataset, first, last, **changes):
    settings = changes.pop("settings", ImageSettings(crop=16))
    options = {"batch_size": 2, "seed": 3, **changes}
    return list(TrainingLoader(dataset, settings, **options).batches(first, last))


@pytest.fixture
def train(drawn):
    return open_dataset(str(drawn.draw("train", 7).root), "train")


def equal(left, right):
    return len(left) == len(right) and all(
        a.ids == b.ids and torch.equal(a.source, b.source) and torch.equal(a.target, b.target)
        for a, b in zip(left, right, strict=True)
    )


def test_number_of_workers_changes_nothing(train):
    assert equal(batches(train, 0, 8), batches(train, 0, 8, workers=2))


def test_a_later_start_sees_the_same_batches(train):
    assert equal(batches(train, 0, 8)[5:], batches(train, 5, 8))


def test_every_epoch_sees_every_pair_once_in_a_new_order(train):
    made = batches(train, 0, 8)
    first = [identifier for batch in made[:4] for identifier in batch.ids]
    second = [identifier for batch in made[4:] for identifier in batch.ids]
    assert sorted(first) == sorted(second) == [pair.id for pair in train]
    assert first != second


def test_ranks_share_an_epoch_without_overlap(train):
    parts = [batches(train, 0, 1, rank=rank, world_size=2) for rank in range(2)]
    whole = batches(train, 0, 1, batch_size=4)
    joined = {identifier for part in parts for batch in part for identifier in batch.ids}
    assert joined == set(whole[0].ids) and len(joined) == 4


def test_source_and_target_are_cropped_and_flipped_alike(train):
    # The drawn target is the inverted source, and stays so under any shared geometry.
    for batch in batches(train, 0, 12):
        assert torch.equal(batch.target, 255 - batch.source)


def test_without_settings_images_pass_unchanged(train):
    by_id = {pair.id: pair for pair in train}
    for batch in batches(train, 0, 3, settings=ImageSettings(flip=False)):
        for index, identifier in enumerate(batch.ids):
            image = read_image(by_id[identifier].source)
            assert np.array_equal(batch.source[index].permute(1, 2, 0).numpy(), image)


def test_range_is_minus_one_to_one():
    levels = torch.tensor([0, 255], dtype=torch.uint8)
    assert to_unit_range(levels, "cpu").tolist() == [-1.0, 1.0]


def test_a_batch_larger_than_the_set_is_refused(train):
    with pytest.raises(UsageError, match="batch_size"):
        TrainingLoader(train, ImageSettings(), batch_size=8, seed=0, drop_incomplete=True)


def test_a_script_without_a_guard_trains_once_with_loading_processes(drawn, tmp_path):
    import subprocess
    import sys

    drawn.draw("train", 4)
    script = tmp_path / "script.py"
    script.write_text(
        "print('started')\n"
        "from i2ibench.data.dataset import Dataset\n"
        "from i2ibench.data.loading import ImageSettings, TrainingLoader\n"
        f"pairs = Dataset.open({str(drawn.root)!r}).split('train')\n"
        "loader = TrainingLoader(pairs, ImageSettings(), batch_size=2, seed=0, workers=1)\n"
        "print(sum(len(batch.ids) for batch in loader.batches(0, 2)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["started", "4"], done.stderr
