"""What a model without a recipe is trained with, and how its user is told before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from i2ibench.data.images import image_size
from i2ibench.data.pairs import PairedDataset
from i2ibench.training.recipe import DEFAULT_CROP, Recipe
from i2ibench.wording import count


def with_default_crop(
    recipe: Recipe, train: PairedDataset, multiple: int, settings: Mapping[str, Any]
) -> Recipe:
    """Return the recipe with a crop that every training image holds, unless sides were asked for.

    Batches need images of one size, and whole slides at full size need days.
    """
    if recipe.images.crop or recipe.images.resize or "images.crop" in settings:
        return recipe
    sides = {side for pair in train for side in image_size(pair.source)}
    crop = min(DEFAULT_CROP, min(sides)) // multiple * multiple
    if crop < 8 or sides == {crop}:
        return recipe
    return recipe.model_copy(update={"images": recipe.images.model_copy(update={"crop": crop})})


def budget_remark(name: str, recipe: Recipe) -> str:
    """Say the budget of a model without a recipe in one line."""
    training, images = recipe.training, recipe.images
    epochs = count(training.epochs, "epoch")
    if training.decay_epochs:
        epochs += f" and {training.decay_epochs} more over which the learning rate falls"
    parts = [epochs, f"batches of {training.batch_size}"]
    parts.append(f"crops of {images.crop} px" if images.crop else "whole images")
    parts += ["mirrored at random"] if images.flip else []
    return (
        f"{name} has no recipe: {', '.join(parts)}; change it with --set, e.g. "
        "--set training.epochs=50, or with --recipe FILE"
    )
