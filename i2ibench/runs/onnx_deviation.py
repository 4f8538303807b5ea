"""How near a network in an ONNX file comes to the model of a run, on pairs of its test split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from i2ibench.data.images import read_image
from i2ibench.data.loading import to_unit_range
from i2ibench.data.preparation import Preparation, resized
from i2ibench.errors import VerificationError, is_explained, is_out_of_memory, named
from i2ibench.models.interface import TranslationModel
from i2ibench.results.stored_result import StoredResult
from i2ibench.runs.reproduce import LIMITS, precision_of
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import Manifest
from i2ibench.translation.translate_image import padded, to_batch, translate_image

# In grey levels, before rounding. Sums in another order made 0.02 at most and 0.0001 in the mean in
# networks of full width. With a mean of 0.01 about one value in a hundred rounds to its neighbour;
# an operator that means something else (another mode of a norm or a border) makes whole levels.
LARGEST, MEAN = 0.1, 0.01
# Larger images are compared in a section of this side, which takes seconds and some GB.
_SECTION = 1024


@dataclass(slots=True)
class Deviation:
    """What was compared so far: in grey levels before rounding, and of the stored predictions."""

    total: float = 0.0
    count: int = 0
    largest: float = 0.0
    changed: int = 0
    stored: int = 0
    largest_of_stored: int = 0

    @property
    def mean(self) -> float:
        """In grey levels, over all values."""
        return self.total / max(self.count, 1)


def source_of(stored: StoredResult, manifest: Manifest, index: int) -> NDArray[np.uint8]:
    """Return a source as the network sees it, uint8 ``(H, W, 3)``, before it is padded."""
    image = _prepared(stored, manifest, index)
    side = manifest.scaled_to
    return image if side is None else resized(image, (side, side))


def _prepared(stored: StoredResult, manifest: Manifest, index: int) -> NDArray[np.uint8]:
    return Preparation(**manifest.preparation).apply(read_image(stored.pairs[index].source))


def example_of(network: TranslationModel, source: NDArray[np.uint8]) -> tuple[torch.Tensor, bool]:
    """Return a batch to trace with, and whether the network takes other sizes as well."""
    image = _section(source, network.size_multiple)
    other = _batch(_wider(image, network.size_multiple))
    try:
        made = network.translate(other)
    except Exception as error:
        if is_explained(error):
            raise
        return _batch(image), False
    return _batch(image), made.shape[2:] == other.shape[2:] and len(made) == 1


def _section(source: NDArray[np.uint8], multiple: int) -> NDArray[np.uint8]:
    return padded(np.ascontiguousarray(source[:_SECTION, :_SECTION]), multiple)


def _wider(image: NDArray[np.uint8], multiple: int) -> NDArray[np.uint8]:
    """Return an image of another height and width that a network of this size rule takes."""
    step = -(-32 // multiple) * multiple
    return np.pad(image, ((0, 2 * step), (0, step), (0, 0)), mode="symmetric")


def _batch(image: NDArray[np.uint8]) -> torch.Tensor:
    return to_unit_range(to_batch(image), "cpu")


def compare(
    network: TranslationModel,
    door: TranslationModel,
    stored: StoredResult,
    manifest: Manifest,
    index: int,
    other_size: bool,
    found: Deviation,
) -> None:
    """Add one pair to ``found``: values before rounding, and what becomes of the prediction."""
    source = source_of(stored, manifest, index)
    image = _section(source, network.size_multiple)
    policy = manifest.inference
    with inference_mode(network, policy):
        for seen in [image, _wider(image, network.size_multiple)] if other_size else [image]:
            batch = _batch(seen)
            ours = network.translate(batch)
            ours = ours.expand(batch.shape) if ours.shape[1] == 1 else ours
            try:
                theirs = door.translate(batch)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                size = f"{batch.shape[3]} x {batch.shape[2]}"
                raise VerificationError(
                    f"{stored.path}: as ONNX its network does not run on {size} px: {named(error)}"
                ) from error
            apart = (ours.double() - theirs.double()).abs() * 127.5
            found.total += float(apart.sum())
            found.count += apart.numel()
            found.largest = max(found.largest, float(apart.max()))
        if max(source.shape[:2]) <= _SECTION and not manifest.tile:
            prepared = _prepared(stored, manifest, index)
            made = translate_image(door, prepared, policy=policy, scaled_to=manifest.scaled_to)
            pair = stored.pairs[index]
            kept = read_image(pair.prediction(stored.predictions[pair.id]))
            levels = np.abs(made.astype(np.int16) - kept.astype(np.int16))
            found.changed += int((levels > 0).sum())
            found.stored += levels.size
            found.largest_of_stored = max(found.largest_of_stored, int(levels.max(initial=0)))


def check(file: object, stored: StoredResult, found: Deviation) -> None:
    """Raise ``VerificationError`` where the file makes other images, or the run's are others."""
    # A comparison that is false for NaN as well.
    if not (found.largest <= LARGEST and found.mean <= MEAN):
        raise VerificationError(
            f"{file}: not written: in onnxruntime the network differs from the run's by up to "
            f"{found.largest:.2g} grey levels, {found.mean:.2g} in the mean (accepted: {LARGEST}, "
            f"{MEAN}); its code may branch on values, or use an operator that ONNX means otherwise"
        )
    level, share = LIMITS[precision_of(stored.result)]
    if found.largest_of_stored > level or found.changed > share * found.stored:
        raise VerificationError(
            f"{stored.path}: its predictions are not those that its weights make (up to "
            f"{found.largest_of_stored} grey levels apart); i2ibench verify --retranslate tells "
            "which"
        )
