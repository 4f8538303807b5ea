"""Threads and batches change the time of a translation, never a pixel or what is kept of it."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
import torch
from factories import write_rgb

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError
from i2ibench.models.interface import TranslationModel, build_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.translation.batches import batch_size
from i2ibench.translation.manifest import Manifest, read_manifest
from i2ibench.translation.overlap import WriteBehind, read_ahead
from i2ibench.translation.translate import translate


def manifest(**changes) -> Manifest:
    base = {"model": "pyramid", "checkpoint_sha256": None, "protocol": "i2i-1", "preparation": {}}
    return Manifest(**{**base, "inference": InferencePolicy(), "precision": "fp32", **changes})


def pixels(folder):
    return {path.stem: read_image(ImageRef(path)) for path in sorted(folder.glob("*.png"))}


class Counted(TranslationModel):
    """Inverts, and notes how many images pass together."""

    def __init__(self) -> None:
        super().__init__(TranslationModel.Config())
        self.seen: list[int] = []

    def translate(self, source):
        self.seen.append(len(source))
        return -source


class Failing(Counted):
    def translate(self, source):
        if len(self.seen) == 5:
            raise ValueError("lost")
        return super().translate(source)


@pytest.fixture
def pairs(drawn):
    """Eleven pairs, of which one has another size."""
    drawn.draw("test", 11)
    for side in ("HE", "IHC"):
        name = sorted((drawn.root / side / "test").iterdir())[5]
        write_rgb(name, np.full((24, 40, 3), 90, np.uint8))
    return open_dataset(str(drawn.root), split="test")


@pytest.mark.parametrize("batch", [2, 3, 8, 64])
def test_batches_give_the_predictions_of_single_images(pairs, tmp_path, batch):
    model = build_model("pyramid", {"ngf": 4, "ndf": 4}).eval()
    model.initialize(torch.Generator().manual_seed(0))
    for folder, size in (("alone", 1), ("together", batch)):
        translate(model, pairs, tmp_path / folder, manifest(), batch=size)
    alone, together = pixels(tmp_path / "alone"), pixels(tmp_path / "together")
    assert alone.keys() == together.keys() == {pair.id for pair in pairs}
    for name, image in alone.items():
        assert np.abs(image.astype(int) - together[name]).max() <= 1


def test_batches_lie_at_the_same_places_whatever_is_done(pairs, tmp_path):
    whole, rest = Counted(), Counted()
    translate(whole, pairs, tmp_path / "p", manifest(), batch=4)
    assert whole.seen == [4, 1, 1, 2, 3]  # the sixth has another size
    (tmp_path / "p" / f"{pairs[9].id}.png").unlink()
    translate(rest, pairs, tmp_path / "p", manifest(), batch=4)
    assert rest.seen == [3]


def test_images_that_would_meet_are_translated_alone():
    policies = [
        InferencePolicy(normalization="batch"),
        InferencePolicy(augmentation="flips"),
        InferencePolicy(dropout=True, seed=1),
    ]
    makers = [manifest(inference=policy) for policy in policies]
    makers += [manifest(scaled_to=32), manifest(seed=3), manifest(tile=256)]
    assert [batch_size(Counted(), each, "cuda", 8) for each in makers] == [1] * len(makers)
    assert (
        batch_size(Counted(), manifest(), "cuda:1") > 1 == batch_size(Counted(), manifest(), "cpu")
    )


def test_what_was_written_before_a_failure_is_kept(pairs, tmp_path):
    with pytest.raises(Exception, match=re.escape(f"pair {pairs[5].id}: ValueError: lost")):
        translate(Failing(), pairs, tmp_path, manifest())
    assert pixels(tmp_path).keys() == {pair.id for pair in pairs[:5]}
    assert not read_manifest(tmp_path).complete
    again = Counted()
    translate(again, pairs, tmp_path, manifest())
    assert len(again.seen) == 6


def test_a_source_that_cannot_be_read_ends_at_its_turn(pairs, tmp_path):
    pairs[7].source.path.write_bytes(b"no image")
    with pytest.raises(DataError, match=re.escape(pairs[7].source.path.name)):
        translate(Counted(), pairs, tmp_path, manifest())
    assert pixels(tmp_path).keys() == {pair.id for pair in pairs[:7]}


def test_a_write_that_fails_is_raised_by_the_end():
    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), WriteBehind() as writer:
        writer.submit(fail, 1)


def test_reading_ahead_is_bounded_by_bytes_and_keeps_the_order():
    begun, lock = [], threading.Lock()

    def read(number: int) -> int:
        with lock:
            begun.append(number)
        return number * number

    for number, (item, made) in enumerate(read_ahead(range(20), read, lambda _: 200 << 20)):
        assert (item, made) == (number, number * number)
        assert len(begun) <= number + 2
    assert sorted(begun) == list(range(20))
