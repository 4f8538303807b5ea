"""Kept pixels are those that would be decoded, and are never taken from a stale or torn file."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.data.pixel_cache import PixelCache, training_pixels
from i2ibench.errors import DataError, UsageError

COUNT = 7


def ignore(line: str) -> None:
    pass


def opened(root, split="train"):
    return open_dataset(str(root), split)


def filled(dataset, folder, resize=None) -> PixelCache:
    pixels = PixelCache(dataset.pairs, resize, folder)
    pixels.fill(ignore)
    return pixels


def batches(dataset, settings, last, **options):
    loader = TrainingLoader(dataset, settings, batch_size=2, seed=3, **options)
    return list(loader.batches(0, last))


def equal(left, right):
    return len(left) == len(right) and all(
        a.ids == b.ids and torch.equal(a.source, b.source) and torch.equal(a.target, b.target)
        for a, b in zip(left, right, strict=True)
    )


def files(folder) -> list[Path]:
    return sorted(folder.rglob("*.npy"))


@pytest.fixture
def root(drawn) -> Path:
    return drawn.draw("train", COUNT).root


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "pixels"


@pytest.mark.parametrize(
    ("settings", "workers"),
    [
        (ImageSettings(crop=16), 0),
        (ImageSettings(crop=16), 2),
        (ImageSettings(resize=40, crop=16), 0),
        (ImageSettings(resize=40, crop=16), 2),
        (ImageSettings(resize=24), 0),
        (ImageSettings(flip=False), 0),
    ],
    ids=["crop", "crop, workers", "both", "both, workers", "resize", "whole"],
)
def test_batches_are_those_of_decoded_images(root, folder, settings, workers):
    train = opened(root)
    pixels = filled(train, folder, settings.resize)
    three_epochs = 12
    kept = batches(train, settings, three_epochs, workers=workers, pixels=pixels)
    assert equal(kept, batches(train, settings, three_epochs))


def side_by_side(root, image):
    (root / "train").mkdir(parents=True)
    for index in range(3):
        assert cv2.imwrite(str(root / "train" / f"{index}.png"), np.roll(image, 7 * index, 1))


COLOUR = np.random.default_rng(0).integers(0, 256, (24, 48, 4), np.uint8)


@pytest.mark.parametrize(
    "image",
    [COLOUR[:, :, :3], COLOUR[:, :, 0], COLOUR, COLOUR[:, :, :3].astype(np.uint16) * 257],
    ids=["RGB", "grey", "alpha", "16 bits"],
)
def test_both_panels_of_one_file_are_kept_as_training_sees_them(tmp_path, folder, image):
    side_by_side(tmp_path / "panels", image)
    train = opened(tmp_path / "panels")
    pixels = filled(train, folder)
    assert len(files(folder)) == 2 * len(train)
    for pair in train:
        for kept, decoded in zip(pixels.read(pair), training_pixels(pair, None), strict=True):
            assert kept.shape == (24, 24, 3) and np.array_equal(kept, decoded)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_run_decodes_nothing(root, folder, workers):
    train = opened(root)
    settings = ImageSettings(crop=16)
    expected = batches(train, settings, 8)
    filled(train, folder)
    before = {path: path.stat().st_mtime_ns for path in files(folder)}
    told = []
    second = PixelCache(train.pairs, None, folder)
    second.fill(told.append)
    assert told == [f"pixels of {COUNT} pairs are read from {folder}"]
    assert {path: path.stat().st_mtime_ns for path in files(folder)} == before
    shutil.rmtree(root)
    assert equal(batches(train, settings, 8, workers=workers, pixels=second), expected)


def test_a_changed_image_is_not_served_stale_and_alone_written_anew(root, folder):
    filled(opened(root), folder)
    before = files(folder)
    changed = next((root / "HE/train").iterdir())
    cv2.imwrite(str(changed), cv2.imread(str(changed)) // 2)
    train = opened(root)
    pixels = filled(train, folder)
    settings = ImageSettings(crop=16)
    assert equal(batches(train, settings, 8, pixels=pixels), batches(train, settings, 8))
    assert len(files(folder)) == len(before) + 1


def test_an_image_that_changes_while_it_is_written_is_not_kept(root, folder):
    train = opened(root)
    pixels = PixelCache(train.pairs, None, folder)
    cv2.imwrite(str(train[0].source.path), np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(DataError, match="changed while it was read"):
        pixels.fill(ignore)
    filled(train, folder)  # its hash is taken anew


def torn(path):
    os.truncate(path, path.stat().st_size - 1)


def emptied(path):
    path.write_bytes(b"")


def scribbled(path):
    path.write_bytes(b"?" * path.stat().st_size)


def lengthened(path):
    path.write_bytes(path.read_bytes() * 2)


def in_another_order(path):
    np.save(path, np.asfortranarray(np.load(path)))


def header_cut(path):
    path.write_bytes(path.read_bytes().replace(b"}", b"("))


def retyped(path):
    path.write_bytes(path.read_bytes().replace(b"|u1", b"|i1"))


@pytest.mark.filterwarnings("ignore:Reading `.npy`")
@pytest.mark.parametrize(
    "damage",
    [torn, emptied, scribbled, lengthened, Path.unlink, in_another_order, header_cut, retyped],
)
def test_a_damaged_file_is_written_again(root, folder, damage):
    train = opened(root)
    filled(train, folder)
    damaged = files(folder)[3]
    whole = damaged.read_bytes()
    damage(damaged)
    told = []
    PixelCache(train.pairs, None, folder).fill(told.append)
    assert told[0].startswith("writing pixels of 1 pairs")
    assert damaged.read_bytes() == whole


def test_pixels_deleted_while_they_are_in_use_are_decoded(root, folder):
    train = opened(root)
    pixels = filled(train, folder)
    shutil.rmtree(folder)
    settings = ImageSettings(crop=16)
    with pytest.warns(UserWarning, match="deleted while they were in use"):
        kept = batches(train, settings, 4, pixels=pixels)
    assert equal(kept, batches(train, settings, 4))


def test_size_and_place_are_told_before_anything_is_written(root, folder):
    class Stop(Exception):
        pass

    def stop(line):
        assert line == f"writing pixels of {COUNT} pairs, 43 kB, to {folder}"
        assert not files(folder)
        raise Stop

    with pytest.raises(Stop):
        PixelCache(opened(root).pairs, None, folder).fill(stop)


def test_a_disk_without_room_is_refused_before_anything_is_written(root, folder, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 9, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match=r"needs 43 kB in .*but the disk has .*I2IBENCH_CACHE"):
        filled(opened(root), folder)
    assert not files(folder)


def test_a_disk_that_fills_up_leaves_only_whole_files(root, folder):
    train = opened(root)
    filled(open_dataset(str(root), "train", limit=2), folder)
    before = files(folder)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
        with pytest.raises(OSError, match="File too large") as failed:
            filled(train, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert failed.value.filename == str(folder)
    left = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    assert left == before
    filled(train, folder)
    assert len(files(folder)) == 2 * COUNT


def test_an_interrupted_writing_goes_on_where_it_ended(root, folder):
    train = opened(root)

    def press_ctrl_c(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PixelCache(train.pairs, None, folder).fill(ignore, press_ctrl_c)
    before = {path: path.stat().st_mtime_ns for path in files(folder)}
    assert before
    pixels = filled(train, folder)
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    settings = ImageSettings(crop=16)
    assert equal(batches(train, settings, 4, pixels=pixels), batches(train, settings, 4))


def test_files_are_plain_arrays_that_numpy_reads(root, folder):
    train = opened(root)
    pixels = filled(train, folder, 24)
    expected = [image for pair in train for image in training_pixels(pair, 24)]
    kept = {np.load(path).tobytes() for path in files(folder)}
    assert kept == {image.tobytes() for image in expected}
    for image in pixels.read(train[0]):
        assert not image.flags.writeable


def test_what_a_killed_process_left_is_removed(root, folder):
    filled(open_dataset(str(root), "train", limit=1), folder)
    old, new = (files(folder)[0].with_name(f".{name}.tmp.npy") for name in ("old", "new"))
    for stray in (old, new):
        stray.write_bytes(b"half")
    os.utime(old, (0, 0))
    filled(opened(root), folder)
    assert new.exists() and not old.exists()


def test_of_two_processes_one_writes_and_both_read(root, folder):
    code = """
import sys
from pathlib import Path
from i2ibench.data.dataset import open_dataset
from i2ibench.data.pixel_cache import PixelCache
train = open_dataset(sys.argv[1], "train")
sys.stdin.readline()
pixels = PixelCache(train.pairs, 256, Path(sys.argv[2]))
pixels.fill(print)
print(sum(int(image.sum()) for pair in train for image in pixels.read(pair)))
"""
    command = [sys.executable, "-c", code, str(root), str(folder)]
    both = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(2)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(line.startswith("writing") for lines in told for line in lines) == 1
    assert told[0][-1] == told[1][-1]
    assert len(files(folder)) == 2 * COUNT
