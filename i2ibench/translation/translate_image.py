"""One image through a model: padded to what the network takes, whole or in tiles, and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.data.loading import to_unit_range
from i2ibench.data.preparation import resized
from i2ibench.errors import DataError
from i2ibench.models.closed_form import OracleModel
from i2ibench.models.interface import InferencePolicy, TranslationModel
from i2ibench.translation.averaging import averages, passes, turned, turned_back
from i2ibench.translation.tiling import TranslateTile, choose_tiling, translate_tiled


def translate_image(
    model: TranslationModel,
    source: NDArray[np.uint8],
    *,
    policy: InferencePolicy,
    precision: str = "fp32",
    device: str = "cpu",
    tile: int | None = None,
    target: NDArray[np.uint8] | None = None,
    scaled_to: int | None = None,
) -> NDArray[np.uint8]:
    """Translate one image, uint8 ``(H, W, 3)``; call inside ``inference_mode``.

    A size the network cannot take is reflected up to the next multiple and cropped back.

    Args:
        model: in the state of ``policy``.
        source: the image.
        policy: how the output becomes grey levels, and whether tiles are possible.
        precision: ``fp32`` or ``bf16``.
        device: where the model is.
        tile: side of the tiles; 0 translates the image whole, None decides by its size.
        target: for oracles only.
        scaled_to: side of the square that the image is resized to first, as training did; the
            prediction is brought back to its size.
    """
    if scaled_to is not None:
        height, width = source.shape[:2]
        squares = [
            None if image is None else resized(image, (scaled_to, scaled_to))
            for image in (source, target)
        ]
        made = translate_image(
            model,
            np.asarray(squares[0]),
            policy=policy,
            precision=precision,
            device=device,
            tile=tile,
            target=squares[1],
        )
        return resized(made, (width, height))
    if isinstance(model, OracleModel):
        if target is None:
            raise DataError(f"{type(model).__name__} reads the target, but there is none")
        both = [to_unit_range(to_batch(image), device) for image in (source, target)]
        return quantize(model.translate_with_target(*both)[0], policy)

    run = network(model, precision, device)
    if averages(policy):
        return quantize(_mean_prediction(model, source, policy, run, tile), policy)
    whole = np.empty(source.shape, np.uint8)
    for first, strip in _strips(model, source, policy, run, tile):
        whole[first : first + strip.shape[1]] = quantize(strip, policy)
    return whole


def network(model: TranslationModel, precision: str, device: str) -> TranslateTile:
    """Return what makes ``(N, 3, H, W)`` in [-1, 1] of uint8 ``(N, 3, H, W)`` by a model.

    Calling it raises a ``DataError`` where the model makes another shape.
    """

    def run(images: Tensor) -> Tensor:
        batch = to_unit_range(images, device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"):
            output = model.translate(batch)
        made = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if made == (len(batch), 1, *batch.shape[2:]):
            return output.expand(batch.shape)  # grey, which is RGB of equal channels here
        if made != tuple(batch.shape):
            raise DataError(
                f"{type(model).__name__} made {made} of {tuple(batch.shape)}; a "
                "model keeps the size of its input, and makes 3 channels, or 1 of grey"
            )
        return output

    return run


def _strips(
    model: TranslationModel,
    source: NDArray[np.uint8],
    policy: InferencePolicy,
    run: TranslateTile,
    tile: int | None,
) -> Iterator[tuple[int, Tensor]]:
    """Yield (first row, prediction ``(3, rows, W)`` in [-1, 1]); memory is that of one strip."""
    height, width = source.shape[:2]
    images = to_batch(padded(source, model.size_multiple))
    tiling = choose_tiling(model, policy, height, width, tile)
    if tiling is None:
        yield 0, run(images)[0, :, :height, :width]
        return
    for first, strip in translate_tiled(run, images, tiling, model.size_multiple):
        yield first, strip[0, :, : height - first, :width]


def _mean_prediction(
    model: TranslationModel,
    source: NDArray[np.uint8],
    policy: InferencePolicy,
    run: TranslateTile,
    tile: int | None,
) -> Tensor:
    """Return the mean of all passes of a policy, ``(3, H, W)`` in [-1, 1]."""
    total = torch.zeros(3, *source.shape[:2])
    count = 0
    for symmetry in passes(policy):
        seen = turned(source, symmetry)
        made = torch.empty(3, *seen.shape[:2])
        for first, strip in _strips(model, seen, policy, run, tile):
            made[:, first : first + strip.shape[1]] = strip
        total += turned_back(made, symmetry)
        count += 1
    return total / count


def quantize(prediction: Tensor, policy: InferencePolicy) -> NDArray[np.uint8]:
    """Turn ``(3, H, W)`` in [-1, 1] into uint8 ``(H, W, 3)``, rounding or truncating."""
    if not bool(torch.isfinite(prediction).all()):
        raise DataError("the model's output is not finite; its weights have diverged")
    levels = (prediction.float() + 1.0) * 127.5
    if policy.quantization == "round":
        levels = levels.round()
    return levels.clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()


def to_batch(image: NDArray[np.uint8]) -> Tensor:
    """Turn an image ``(H, W, 3)`` into a batch of one, uint8 ``(1, 3, H, W)``."""
    # Decoded pixels may lie in memory that must not be written; torch warns of such arrays.
    own = image if image.flags.writeable else image.copy()
    return torch.from_numpy(own).permute(2, 0, 1)[None]


def padded(image: NDArray[np.uint8], multiple: int) -> NDArray[np.uint8]:
    """Reflect an image at its bottom and right up to a size that a network takes."""
    height, width = image.shape[:2]
    # Strided networks also need a few pixels for the reflections between their layers.
    least = 8 if multiple > 1 else 1
    bottom, right = (
        -max(side, least) % multiple + max(0, least - side) for side in (height, width)
    )
    if bottom == 0 and right == 0:
        return image
    return np.pad(image, ((0, bottom), (0, right), (0, 0)), mode="symmetric")
