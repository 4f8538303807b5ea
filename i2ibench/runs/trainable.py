"""Whether a model can be trained on these images, and where their scales fit; with true advice."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator

from i2ibench.data.images import image_size
from i2ibench.data.loading import ImageSettings
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError, UsageError
from i2ibench.models.interface import TrainableModel
from i2ibench.training.recipe import Recipe
from i2ibench.wording import some

# Resizing by less before a random crop is jitter of the scale, as in pix2pix: 286 to 256.
_JITTER = 1.25
_BRING_BACK = "--set images.test_scale=training"

Size = tuple[int, int]


def check_recipe(name: str, model: TrainableModel, recipe: Recipe) -> None:
    """Refuse settings that a model cannot be trained with, whatever the images.

    Raises:
        UsageError: says which settings it can be trained with.
    """
    batch, images = recipe.training.batch_size, recipe.images
    if batch < model.minimum_batch:
        raise UsageError(
            f"{name} needs batches of at least {model.minimum_batch} pairs, not {batch}; "
            f"use --set training.batch_size={model.minimum_batch}"
        )
    if images.test_scale is not None and images.resize is None:
        raise UsageError(
            "images.test_scale says at which scale test images are translated where images.resize "
            "changes that of training; set images.resize too, or leave it out"
        )
    if images.crop and images.resize and images.crop > images.resize:
        raise UsageError(
            f"images.crop = {images.crop} does not fit into images.resize = {images.resize}; "
            f"use --set images.resize={images.crop}"
        )
    chosen = images.crop or images.resize
    multiple, least = model.size_multiple, _least_side(model)
    if chosen is not None and (chosen % multiple or chosen < least):
        side = "crop" if images.crop else "resize"
        fitting = max(least, chosen // multiple * multiple)
        what = f"are multiples of {multiple}" if chosen % multiple else f"have at least {least} px"
        raise UsageError(
            f"{name} trains on sides that {what}, not {chosen}; "
            f"use --set images.{side}={fitting}{_smaller_network(model, chosen)}"
        )


def training_faults(
    name: str, model: TrainableModel, recipe: Recipe, pairs: PairedDataset
) -> Iterator[DataError]:
    """Yield why pairs cannot be trained on with a recipe: too few, too small, of unfit sides.

    Args:
        name: of the model.
        model: that is to be trained.
        recipe: checked by ``check_recipe``.
        pairs: those whose headers cannot be read are passed over.
    """
    images, multiple, least = recipe.images, model.size_multiple, _least_side(model)
    if len(pairs) < model.minimum_batch:
        yield DataError(
            f"{name} needs batches of at least {model.minimum_batch} pairs, and {pairs.split} has "
            f"{len(pairs)}; add pairs, or train another method"
        )
    if images.resize is not None:
        return  # all are squares of one side then
    sizes = dict(_sizes(pairs))
    if not sizes:
        return
    advice = _advice(model, sizes.values(), images.crop)
    if images.crop is not None:
        small = {pair: size for pair, size in sizes.items() if min(size) < images.crop}
        if small:
            fewer = "remove them, or " if len(small) < len(sizes) else ""
            yield DataError(
                f"{len(small)} images of {pairs.split} are smaller than images.crop = "
                f"{images.crop}: {_listed(small)}; {fewer}{advice}"
            )
        return
    odd = {pair: size for pair, size in sizes.items() if any(side % multiple for side in size)}
    if odd:
        yield DataError(
            f"{len(odd)} images of {pairs.split} have sides that are no multiples of {multiple}, "
            f"as {name} trains on: {_listed(odd)}; {advice}"
        )
    elif small := {pair: size for pair, size in sizes.items() if min(size) < least}:
        fewer = "remove them, or " if len(small) < len(sizes) else ""
        yield DataError(
            f"{len(small)} images of {pairs.split} are smaller than {least} px, the least that "
            f"{name} trains on: {_listed(small)}; {fewer}{advice}"
        )
    elif recipe.training.batch_size > 1 and len(set(sizes.values())) > 1:
        usual = Counter(sizes.values()).most_common(1)[0][0]
        others = {pair: size for pair, size in sizes.items() if size != usual}
        yield DataError(
            f"{len(others)} images of {pairs.split} are not {usual[0]} x {usual[1]} like the "
            f"others, and batches hold images of one size: {_listed(others)}; {advice}"
        )


def check_test_scale(images: ImageSettings, preparation: Preparation, test: PairedDataset) -> None:
    """Refuse to train at one scale and translate at another, unless that was asked for.

    ``images.resize`` changes the scale of training images alone. A little of it before a random
    crop is jitter, and what the official recipes do.

    Raises:
        UsageError: the scales differ, and nothing says what is meant.
    """
    side = images.resize
    if side is None:
        return
    if images.test_scale == "training" and not preparation.is_native:
        raise UsageError(
            "images.test_scale = training needs a protocol that leaves images at their size, such "
            "as i2i-2; this one scales or crops them itself"
        )
    sizes = {preparation.scaled_size(*image_size(pair.source)) for pair in test}
    for width, height in sorted(sizes):
        if width != height:
            warnings.warn(
                f"images.resize squashes images of {width} x {height} to {side} x {side}"
                + (
                    ", in training and translation alike; predictions are brought back"
                    if images.test_scale == "training"
                    else " in training alone"
                ),
                stacklevel=2,
            )
        if images.test_scale is None and not _is_jitter(images, (width, height)):
            raise UsageError(
                f"images.resize = {side} trains at another scale than that at which test images "
                f"of {width} x {height} are translated; add {_BRING_BACK} to translate at the "
                "scale of training and bring predictions back, or --set images.test_scale=native "
                "if the difference is meant, or use images.crop without images.resize"
            )


def _is_jitter(images: ImageSettings, size: Size) -> bool:
    side = images.resize or 0
    if all(length == side for length in size):
        return True
    crops = images.crop is not None and images.crop < side
    return crops and all(1 / _JITTER <= side / length <= _JITTER for length in size)


def _sizes(pairs: PairedDataset) -> Iterator[tuple[ImagePair, Size]]:
    for pair in pairs:
        with contextlib.suppress(DataError):
            yield pair, image_size(pair.source)


def _advice(model: TrainableModel, sizes: Iterable[Size], crop: int | None) -> str:
    """Return settings with which all images can be trained on."""
    smallest = min(min(size) for size in sizes)
    multiple, least = model.size_multiple, max(8, _least_side(model))
    side = smallest // multiple * multiple
    if side >= least:
        return f"use --set images.crop={side}"
    # Too small for this network: scaled up to what it takes, and predictions brought back.
    enlarged = -(-max(least, crop or 0) // multiple) * multiple
    up = f"--set images.resize={enlarged} --set images.crop={enlarged} {_BRING_BACK}"
    return f"use {up}{_smaller_network(model, smallest)}"


def _least_side(model: TrainableModel) -> int:
    """Return the smallest side that fits a model's multiple and that it can be trained on."""
    return -(-max(model.minimum_side, 1) // model.size_multiple) * model.size_multiple


def _smaller_network(model: TrainableModel, side: int) -> str:
    """Return how a U-Net-256 can be exchanged for one that takes smaller images; else nothing."""
    if getattr(model.config, "generator", None) != "unet_256" or side < 128:
        return ""
    fitting = side // 128 * 128
    return f", or --set model.generator=unet_128 --set images.crop={fitting}"


def _listed(pairs: dict[ImagePair, Size]) -> str:
    return some([f"{pair.id} ({width} x {height})" for pair, (width, height) in pairs.items()])
