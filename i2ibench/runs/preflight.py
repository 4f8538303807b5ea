"""A model tried on a few images before a training, and again before a translation.

A fault that a training would reach after hours, or never show, is told in seconds. Small sections
of the images stand for the whole ones; what fails on them is tried at full size before it is
called a fault.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench import registry
from i2ibench.data.images import image_size, read_pair
from i2ibench.data.loading import to_unit_range
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import resized
from i2ibench.errors import I2IBenchError, PluginError
from i2ibench.models.closed_form import OracleModel
from i2ibench.models.config import config_values
from i2ibench.models.contract import evaluating, output_findings, translated, translation_findings
from i2ibench.models.findings import Finding, failure
from i2ibench.models.interface import PairBatch, TrainableModel, TranslationModel, build_model
from i2ibench.runs.plan import Plan
from i2ibench.runtime import global_generators_kept
from i2ibench.seeds import derive_seed
from i2ibench.training.contract import Trial, training_findings
from i2ibench.translation.inference import inference_mode

# The side of sections: a ResNet-9 of 64 channels is tried in two seconds on one core.
_SIDE = 64
# Sections are cut so that they leave the same remainder by this as the whole image: networks that
# halve and double five times see the same roundings.
_STRIDE = 32
_SIZES = 6
_SEED = 7

Size = tuple[int, int]


def before_training(plan: Plan, model: TrainableModel, pairs: PairedDataset) -> None:
    """Try one step, a checkpoint and the sizes of all test images on instances of their own.

    Raises:
        PluginError: the first fault, and how many more there are.
    """
    with global_generators_kept():
        found = _of_training(plan, model, pairs)
    tell(plan.options.model, found)


def before_translation(plan: Plan, model: TranslationModel) -> None:
    """Try a section of the first test image, in the mode in which the model translates.

    Raises:
        PluginError: the first fault, and how many more there are.
    """
    if isinstance(model, OracleModel) or registry.is_ours(
        registry.models.entry(plan.options.model)
    ):
        return  # one that reads targets, and those whose own tests try them
    with global_generators_kept():
        found = _of_translation(plan, model)
    tell(plan.options.model, found)


def tell(name: str, found: Sequence[Finding]) -> None:
    """Raise the first fault of ``found``, or warn of what else is to be known."""
    faults = [each for each in found if each.stops]
    if faults:
        error = faults[0].error
        if isinstance(error, I2IBenchError):
            raise error
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise PluginError(f"model {name}: {faults[0].text}{more}") from error
    for each in found:
        warnings.warn(f"model {name}: {each.text}", stacklevel=2)


def section_side(side: int, multiple: int, least: int = _SIDE) -> int:
    """Return a small side that a model takes if it takes ``side``, a multiple of ``multiple``."""
    stride = math.lcm(max(1, multiple), _STRIDE)
    return side - max(0, side - max(1, least)) // stride * stride


def _of_training(plan: Plan, model: TrainableModel, pairs: PairedDataset) -> list[Finding]:
    settings = plan.recipe.training
    count = min(settings.batch_size, max(2, model.minimum_batch), len(pairs))
    images = [read_pair(pair) for pair in pairs.pairs[:count]]
    crop, scale = plan.recipe.images.crop, plan.recipe.images.resize
    if scale is not None:
        images = [(resized(a, (scale, scale)), resized(b, (scale, scale))) for a, b in images]
    height = crop or min(source.shape[0] for source, _ in images)
    width = crop or min(source.shape[1] for source, _ in images)
    least = max(_SIDE, model.minimum_side)
    small = tuple(section_side(each, model.size_multiple, least) for each in (height, width))
    found = []
    for size in dict.fromkeys((small, (height, width))):
        batch = PairBatch(
            _batch([source for source, _ in images], size, plan.device),
            _batch([target for _, target in images], size, plan.device),
        )
        found = training_findings(_trial(plan, model, batch))
        if not any(each.stops for each in found):
            break
    if any(each.stops for each in found):
        return found
    if plan.tested is not None:
        found += _of_sizes(plan, _built(plan, model), plan.tested, images[0][0])
    return found


def _trial(plan: Plan, model: TrainableModel, batch: PairBatch) -> Trial:
    seed = derive_seed(plan.options.seed, "build")
    return Trial(lambda: _built(plan, model), batch, model.state_dict(), seed)


def _built(plan: Plan, model: TrainableModel) -> TrainableModel:
    built = build_model(plan.options.model, config_values(model.config))
    assert isinstance(built, TrainableModel)  # noqa: S101
    return built


def _of_translation(plan: Plan, model: TranslationModel) -> list[Finding]:
    pair = next(iter(plan.test))
    preparation = plan.protocol.preparation
    source = preparation.apply(read_pair(pair)[0])
    if plan.scaled_to is not None:
        source = resized(source, (plan.scaled_to, plan.scaled_to))
    policy = plan.protocol.inference
    model.to(plan.device)
    found: list[Finding] = []
    multiple = model.size_multiple
    whole = (_padded(source.shape[0], multiple), _padded(source.shape[1], multiple))
    small = (section_side(whole[0], multiple), section_side(whole[1], multiple))
    for size in dict.fromkeys((small, whole)):
        images = _batch([source], size, plan.device)
        draws = model.stochastic or policy.dropout
        with inference_mode(model, policy):
            found = translation_findings(model, images, draws=draws)
        if not any(each.stops for each in found):
            break
    return found


def _of_sizes(
    plan: Plan, model: TranslationModel, tested: PairedDataset, image: NDArray[np.uint8]
) -> list[Finding]:
    """Try sections of all sizes of the images that will be translated."""
    model.to(plan.device)
    tried: set[Size] = set()
    for width, height in _sizes(plan, tested):
        multiple = model.size_multiple
        whole = (_padded(height, multiple), _padded(width, multiple))
        small = (section_side(whole[0], multiple), section_side(whole[1], multiple))
        if small in tried or len(tried) == _SIZES:
            continue
        tried.add(small)
        found: list[Finding] = []
        for size in dict.fromkeys((small, whole)):
            found = [
                Finding("size", f"{each.text}; test images are {width} x {height} px", each.stops)
                for each in _once(model, _batch([image], size, plan.device))
                if each.stops
            ]
            if not found:
                break
        if found:
            return found
    return []


def _once(model: TranslationModel, source: Tensor) -> list[Finding]:
    try:
        with evaluating(model):
            made = translated(model, source, _SEED)
    except (Exception, SystemExit) as error:
        return [failure(model, "translate", error)]
    return [*output_findings(model, made, source)]


def _sizes(plan: Plan, tested: PairedDataset) -> Iterable[Size]:
    """Return the sizes at which the model sees test images, the most frequent first."""
    if plan.scaled_to is not None:
        return [(plan.scaled_to, plan.scaled_to)]
    preparation = plan.protocol.preparation
    found: dict[Size, int] = {}
    for pair in tested:
        size = preparation.size(*image_size(pair.source))
        found[size] = found.get(size, 0) + 1
    return sorted(found, key=lambda size: -found[size])


def _padded(side: int, multiple: int) -> int:
    least = 8 if multiple > 1 else 1
    return max(side, least) + -max(side, least) % max(1, multiple)


def _batch(images: Sequence[NDArray[np.uint8]], size: Any, device: str) -> Tensor:
    """Return the upper left of each image in [-1, 1]; mirrored where it is smaller."""
    height, width = size
    cut = []
    for image in images:
        missing = [(0, max(0, height - image.shape[0])), (0, max(0, width - image.shape[1]))]
        filled = np.pad(image, (*missing, (0, 0)), mode="symmetric")
        cut.append(np.ascontiguousarray(filled[:height, :width]))
    stacked = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2)
    return to_unit_range(stacked, device)
