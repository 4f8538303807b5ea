"""A model translates at the scale it was trained at, or says why not; advice can be followed."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import TINY
from PIL import Image

from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image
from i2ibench.data.loading import ImageSettings
from i2ibench.errors import DataError, UsageError
from i2ibench.models.policy import InferencePolicy
from i2ibench.runs.initial_model import model_from_checkpoint
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.runs.run import run, translate
from i2ibench.runs.trainable import check_test_scale
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import read_manifest
from i2ibench.translation.translate_image import translate_image

AT_HALF = {**TINY, "images.resize": 32, "images.test_scale": "training"}


@pytest.fixture
def options(drawn, tmp_path) -> Options:
    drawn.draw("train", 4, size=64).draw("test", 2, size=64)
    return Options(
        model="varpyramid",
        dataset=str(drawn.root),
        settings=AT_HALF,
        output=tmp_path / "runs",
        board=tmp_path / "boards",
    )


def settings_in(message: str) -> list[dict[str, object]]:
    """Return the settings of each way that a message advises, as ``--set`` would read them."""
    ways = re.split(r", or (?=use|--set)", message.partition(" use ")[2] or message)
    found = []
    for way in ways:
        words = shlex.split(way)
        pairs = [words[i + 1].rstrip(",;").split("=") for i, w in enumerate(words) if w == "--set"]
        if pairs:
            found.append({key: int(v) if v.isdigit() else v for key, v in pairs})
    return found


def test_predictions_are_made_at_the_scale_of_training_and_brought_back(options, tmp_path) -> None:
    done = run(options)
    folder = done.folder / "predictions"
    assert read_manifest(folder).scaled_to == 32
    model = model_from_checkpoint("varpyramid", done.folder / "checkpoints" / "last.ckpt")
    policy = InferencePolicy()
    for pair in Dataset.open(options.dataset).split("test"):
        small = Image.open(pair.source.path).convert("RGB").resize((32, 32), Image.BICUBIC)
        with inference_mode(model, policy):
            made = translate_image(model, np.array(small), policy=policy)
        expected = np.asarray(Image.fromarray(made).resize((64, 64), Image.BICUBIC))
        np.testing.assert_array_equal(
            read_image(pair.prediction(folder / f"{pair.id}.png")), expected
        )
    # The weights alone carry the scale: another command translates alike.
    alone = Options(
        model="varpyramid",
        dataset=options.dataset,
        checkpoint=done.folder / "checkpoints" / "last.ckpt",
        output=tmp_path / "others",
    )
    again = translate(alone).predictions
    assert read_manifest(again).files == read_manifest(folder).files


def test_another_scale_of_training_is_refused_and_the_advice_works(options) -> None:
    silent = {**TINY, "images.resize": 32}
    with pytest.raises(UsageError, match=r"images\.resize = 32 trains at another scale") as refused:
        resolve(replace(options, settings=silent))
    text = str(refused.value)
    for chosen in ("images.test_scale=training", "images.test_scale=native"):
        assert f"--set {chosen}" in text
        name, value = chosen.split("=")
        assert resolve(replace(options, settings={**silent, name: value})).test
    without = {key: value for key, value in silent.items() if key != "images.resize"}
    assert resolve(replace(options, settings=without)).scaled_to is None


@pytest.mark.parametrize(
    ("size", "resize", "crop", "allowed"),
    [
        ((256, 256), 286, 256, True),  # pix2pix
        ((256, 256), 286, 128, True),  # the shipped recipes of facades
        ((256, 256), 256, None, True),
        ((256, 256), 286, None, False),  # no jitter without a crop
        ((1024, 1024), 286, 256, False),
        ((512, 256), 286, 256, False),  # a rectangle, squashed in training alone
    ],
)
@pytest.mark.filterwarnings("ignore:images.resize squashes")
def test_only_jitter_before_a_crop_is_exempt(size, resize, crop, allowed, tmp_path) -> None:
    pairs = written(tmp_path, [size])
    images = ImageSettings(resize=resize, crop=crop)
    native = i2i_preparation()
    if allowed:
        check_test_scale(images, native, pairs)
    else:
        with pytest.raises(UsageError, match=r"images\.test_scale=training"):
            check_test_scale(images, native, pairs)


def test_squashed_rectangles_are_told(tmp_path) -> None:
    pairs = written(tmp_path, [(96, 64)])
    images = ImageSettings(resize=64, test_scale="training")
    with pytest.warns(UserWarning, match=r"squashes images of 96 x 64 to 64 x 64, in training and"):
        check_test_scale(images, i2i_preparation(), pairs)


def test_a_field_that_is_absent_changes_no_old_recipe() -> None:
    assert "test_scale" not in ImageSettings(resize=286, crop=256).model_dump()
    assert ImageSettings(resize=9, test_scale="native").model_dump()["test_scale"] == "native"


def test_a_scale_without_a_resize_is_refused(options) -> None:
    settings = {**TINY, "images.test_scale": "training"}
    del settings["images.resize"]
    with pytest.raises(UsageError, match=r"set images\.resize too"):
        resolve(replace(options, settings=settings))


def test_validation_sees_the_scale_of_training(options, monkeypatch) -> None:
    from i2ibench.runs import validation

    seen = []
    whole = validation.translate_image

    def watched(*arguments, **keywords):
        seen.append(keywords["scaled_to"])
        return whole(*arguments, **keywords)

    monkeypatch.setattr(validation, "translate_image", watched)
    run(replace(options, settings={**AT_HALF, "training.validation_fraction": 0.25}))
    assert set(seen) == {32}


@pytest.mark.parametrize(
    ("model", "sizes", "images"),
    [
        ("pix2pix", [(300, 300), (160, 200)], {"images.crop": 256}),  # U-Net-128 fits
        ("pix2pix", [(100, 100)], {"images.crop": 256}),  # only enlarged
        ("pix2pix", [(300, 300)], {}),  # no multiple of 256
        ("varpyramid", [(64, 64), (50, 90)], {"images.crop": 256}),
        ("varpyramid", [(64, 64), (20, 20)], {"images.crop": 32}),  # PatchGAN needs 24
        ("varpyramid", [(64, 64), (48, 64)], {}),  # a batch holds one size
        ("varpyramid", [(66, 66)] * 2, {}),
        ("cut", [(20, 20)], {}),  # PatchGAN needs 24
    ],
)
def test_advice_on_sizes_can_be_followed(model, sizes, images, tmp_path) -> None:
    written(tmp_path, sizes)
    small = {"model.ngf": 2, "model.ndf": 2, "training.batch_size": 2}
    base = Options(
        model=model, dataset=str(tmp_path / "set"), output=tmp_path / "runs", device="cpu"
    )
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[model]\ngenerator = "unet_256"\n' if model == "pix2pix" else "")
    asked = replace(base, recipe=recipe, settings={**small, **images})
    with pytest.raises(DataError, match="images of train") as refused:
        resolve(asked)
    ways = settings_in(str(refused.value))
    assert ways
    assert any("unet_128" in way.values() for way in ways) == (sizes[-1] == (160, 200))
    for way in ways:
        resolve(replace(asked, settings={**asked.settings, **way}))


def test_advice_on_settings_can_be_followed(tmp_path) -> None:
    written(tmp_path, [(300, 300)])
    base = Options(model="pix2pix", dataset=str(tmp_path / "set"), output=tmp_path / "runs")
    for settings in ({"images.crop": 200}, {"images.crop": 260, "images.resize": 280}):
        with pytest.raises(UsageError, match="multiples of 256") as refused:
            resolve(replace(base, settings=settings))
        ways = settings_in(str(refused.value))
        assert len(ways) == 2
        for way in ways:
            plan = resolve(replace(base, settings={**settings, **way}))
            assert plan.recipe.images.crop % plan.model.size_multiple == 0


def test_a_crop_that_a_discriminator_cannot_judge_is_refused_with_one_that_fits(tmp_path) -> None:
    written(tmp_path, [(20, 20)])
    base = Options(model="cyclegan", dataset=str(tmp_path / "set"), output=tmp_path / "runs")
    for crop, what in ((17, "multiples of 4"), (16, "at least 24 px")):
        with pytest.raises(UsageError, match=what) as refused:
            resolve(replace(base, settings={"images.crop": crop}))
        (way,) = settings_in(str(refused.value))
        assert way == {"images.crop": 24}
    with pytest.raises(DataError, match=r"smaller than images\.crop = 24") as small:
        resolve(replace(base, settings=way))
    (way,) = settings_in(str(small.value))
    assert resolve(replace(base, settings=way)).recipe.images.resize == 24


@pytest.mark.parametrize("model", ["varpyramid", "asp-variance"])
def test_fewer_pairs_than_the_smallest_batch_are_told(model, tmp_path) -> None:
    written(tmp_path, [(128, 128)])
    base = Options(model=model, dataset=str(tmp_path / "set"), output=tmp_path / "runs")
    settings = {"images.crop": 128, "model.ngf": 2, "model.ndf": 2}
    with pytest.raises(DataError, match=r"at least 2 pairs, and train has 1; add pairs"):
        resolve(replace(base, settings=settings))


def i2i_preparation():
    from i2ibench.evaluation.protocol import load_protocol

    return load_protocol("i2i-2").preparation


def written(root: Path, sizes: list[tuple[int, int]]):
    """Write a set with pairs of these sizes in both splits; return its test split."""
    for split in ("train", "test"):
        for side in "AB":
            folder = root / "set" / side / split
            folder.mkdir(parents=True)
            for number, (width, height) in enumerate(sizes):
                image = np.full((height, width, 3), 40 * number + ord(side), np.uint8)
                cv2.imwrite(str(folder / f"{number}.png"), image)
    return Dataset.open(root / "set").split("test")
