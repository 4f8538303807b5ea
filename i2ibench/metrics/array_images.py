"""Images that a caller holds as arrays or tensors, as the uint8 RGB images that metrics see."""

from __future__ import annotations

import math
import sys
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from i2ibench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Images: TypeAlias = "npt.NDArray[Any] | Tensor"
# (N, H, W, 3), RGB.
UInt8Images = npt.NDArray[np.uint8]
# Least and largest value that an image of floats can have: 0 and 255 on a board.
ValueRange = tuple[float, float]

_LEVELS = 255.0


def pixels(images: Images, value_range: ValueRange | None, name: str) -> tuple[UInt8Images, bool]:
    """Return images as boards see them, and whether they are a batch.

    Args:
        images: a numpy array or a torch tensor: uint8 with the channels last, (H, W, 3) or
            (N, H, W, 3); or floats with the channels first, (3, H, W) or (N, 3, H, W).
        value_range: of floats, which are rounded to the 256 grey levels in between; uint8 has none.
        name: what they are called in messages.

    Raises:
        UsageError: other types, shapes or values; says how to mend it.
    """
    array = _array(images, name)
    if array.dtype == np.uint8:
        return _of_bytes(array, name)
    if array.dtype.kind != "f":
        raise UsageError(
            f"{name}: images of {array.dtype} are not understood; give uint8 (H, W, 3), or floats "
            "(3, H, W) with their value_range"
        )
    return _of_floats(array, value_range, name)


def _array(images: Images, name: str) -> npt.NDArray[Any]:
    """Return the values of an array or a tensor; nothing is imported for it."""
    torch = sys.modules.get("torch")
    tensor_class = getattr(torch, "Tensor", None)
    if torch is not None and tensor_class is not None and isinstance(images, tensor_class):
        values: Any = images.detach().cpu()
        # numpy has no bfloat16; float32 holds its values, and those of half precision, exactly.
        return np.asarray((values.float() if values.dtype == torch.bfloat16 else values).numpy())
    if isinstance(images, np.ndarray):
        return images
    raise UsageError(
        f"{name}: {type(images).__name__} is neither a numpy array nor a torch tensor; convert it, "
        "e.g. with numpy.asarray"
    )


def check_range_is_used(value_range: ValueRange | None, *images: Images) -> None:
    """Refuse a range of floats where all images are uint8: one of the two is a mistake."""
    if value_range is None or not all(str(each.dtype).endswith("uint8") for each in images):
        return
    if _checked_range(value_range) != (0, _LEVELS):
        raise UsageError(
            f"value_range {tuple(value_range)} is of floats, but these images are uint8, whose "
            "range is 0 to 255; leave it out, or convert them"
        )


def _of_bytes(array: npt.NDArray[Any], name: str) -> tuple[UInt8Images, bool]:
    if array.ndim not in (3, 4) or array.shape[-1] != 3:
        first = array.ndim in (3, 4) and array.shape[-3] == 3
        mend = "move the channels last" if first else "convert to RGB"
        raise UsageError(
            f"{name}: uint8 of shape {array.shape} is not (H, W, 3) or (N, H, W, 3); {mend}"
        )
    return _batch(array, name)


def _of_floats(
    array: npt.NDArray[Any], value_range: ValueRange | None, name: str
) -> tuple[UInt8Images, bool]:
    if value_range is None:
        raise UsageError(
            f"{name}: say between which values these floats lie, e.g. value_range=(0, 1) or (-1, 1)"
        )
    if array.ndim not in (3, 4) or array.shape[-3] != 3:
        last = array.ndim in (3, 4) and array.shape[-1] == 3
        mend = "move the channels first" if last else "convert to RGB"
        raise UsageError(
            f"{name}: floats of shape {array.shape} are not (3, H, W) or (N, 3, H, W); {mend}"
        )
    batch, is_batch = _batch(np.moveaxis(array, -3, -1), name)
    return _grey_levels(batch, _checked_range(value_range), name), is_batch


def _batch(array: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[Any], bool]:
    if not array.size:
        raise UsageError(f"{name}: shape {array.shape} holds no pixel")
    return np.ascontiguousarray(array if array.ndim == 4 else array[None]), array.ndim == 4


def _checked_range(value_range: ValueRange) -> ValueRange:
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        raise UsageError(
            f"value_range {value_range!r} is not two numbers, such as (0, 1)"
        ) from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"value_range ({low:g}, {high:g}) does not rise; give e.g. (0, 1)")
    return low, high


def _grey_levels(images: npt.NDArray[Any], value_range: ValueRange, name: str) -> UInt8Images:
    low, high = value_range
    least, largest = float(images.min()), float(images.max())
    if math.isnan(least) or math.isnan(largest):
        raise UsageError(f"{name}: holds NaN; no metric is defined on it")
    # Half a grey level is lost in rounding anyway; more would have to be cut off in silence.
    margin = 0.5 * (high - low) / _LEVELS
    if least < low - margin or largest > high + margin:
        raise UsageError(
            f"{name}: values from {least:.4g} to {largest:.4g} do not lie in value_range "
            f"({low:g}, {high:g}); give the range they have, or clip them yourself"
        )
    if (low, high) == (0, _LEVELS) and 0 < largest <= 1:
        raise UsageError(
            f"{name}: values from {least:.4g} to {largest:.4g} are black in value_range (0, 255); "
            "if they lie between 0 and 1, give value_range=(0, 1)"
        )
    if low < 0 <= least:
        warnings.warn(
            f"{name}: no value is below 0 in value_range ({low:g}, {high:g}); is it (0, {high:g})?",
            stacklevel=4,
        )
    if images.dtype.itemsize < 4:
        images = images.astype(np.float32)
    levels = (images - images.dtype.type(low)) * images.dtype.type(_LEVELS / (high - low))
    rounded: UInt8Images = np.rint(levels).clip(0, _LEVELS).astype(np.uint8)
    return rounded
