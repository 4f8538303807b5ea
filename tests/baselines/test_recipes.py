"""Every shipped recipe is read, builds its model, and fits the model's rules."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import i2ibench_baselines
from i2ibench import registry
from i2ibench.models.interface import TrainableModel, parse_config
from i2ibench.training.recipe import load_recipe

FOLDER = Path(i2ibench_baselines.__file__).parent / "recipes"
RECIPES = sorted(FOLDER.glob("*/*.toml"))


def test_every_baseline_has_a_recipe_for_its_papers_data_and_for_any_other() -> None:
    models = {
        name
        for name in registry.models.names()
        if registry.models.entry(name).target.startswith("i2ibench_baselines.")
    }
    for folder in ("bci", "synthetic", "facades", "default"):
        assert {file.stem for file in (FOLDER / folder).glob("*.toml")} == models


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_recipe_fits_its_model(file: Path) -> None:
    name, dataset = file.stem, file.parent.name
    if name == "bbdm":
        pytest.importorskip("diffusers", reason="the extra diffusion is not installed")
    recipe = load_recipe(name, dataset, None, {})
    model_class = registry.models.get(name)
    assert issubclass(model_class, TrainableModel)
    with torch.device("meta"):
        model = model_class(parse_config(name, model_class.Config, recipe.model))
    assert recipe.training.batch_size >= model_class.minimum_batch
    side = recipe.images.crop or recipe.images.resize
    if side is not None:
        assert side % model.size_multiple == 0
        assert side >= model.minimum_side
    if recipe.images.resize and recipe.images.crop:
        assert recipe.images.crop <= recipe.images.resize


def test_the_two_schedules_are_those_of_the_two_official_codes() -> None:
    steps = {
        name: load_recipe(name, "bci", None, {}).training.schedule_step
        for name in ("pix2pix", "pyramid", "varpyramid")
    }
    assert steps == {
        "pix2pix": "epoch-end",
        "pyramid": "epoch-start",
        "varpyramid": "epoch-start",
    }
