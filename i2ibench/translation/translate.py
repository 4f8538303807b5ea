"""Translate a data set to PNG files, resumable by pair id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from i2ibench.data.images import read_image, write_png
from i2ibench.data.loading import to_unit_range
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError
from i2ibench.files import sha256_file
from i2ibench.models.closed_form import OracleModel
from i2ibench.models.interface import InferencePolicy, TranslationModel
from i2ibench.seeds import derive_seed
from i2ibench.translation.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest

Progress = Callable[[int, int], None]

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
_DROPOUTS = (nn.modules.dropout._DropoutNd,)


def translate(
    model: TranslationModel,
    dataset: PairedDataset,
    folder: Path,
    manifest: Manifest,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Manifest:
    """Write ``folder/<pair id>.png`` for every pair, then the manifest with their hashes.

    Predictions that a stopped translation of the same origin left are kept; those of another
    origin are removed first.

    Args:
        model: with its weights loaded.
        dataset: the pairs to translate.
        folder: receives the predictions.
        manifest: says how they are made (preparation, policy, precision) and by what.
        device: where the model runs.
        progress: called with (done, total).
    """
    done, earlier = _prepare_folder(folder, manifest, dataset)
    preparation = Preparation(**manifest.preparation)
    model.to(device, memory_format=torch.channels_last)
    start = time.perf_counter()
    try:
        with inference_mode(model, manifest.inference):
            for number, pair in enumerate(dataset, start=1):
                if pair.id not in done:
                    prediction = _translate_pair(model, pair, preparation, manifest, device)
                    write_png(folder / f"{pair.id}.png", prediction)
                if progress is not None:
                    progress(number, len(dataset))
    except BaseException:
        # The time spent so far is part of the cost of the predictions that are kept.
        spent = earlier + time.perf_counter() - start
        write_manifest(folder, manifest.model_copy(update={"seconds": round(spent, 3)}))
        raise
    files = {pair.id: sha256_file(folder / f"{pair.id}.png") for pair in dataset}
    finished = manifest.finished(files, earlier + time.perf_counter() - start)
    write_manifest(folder, finished)
    return finished


@contextmanager
def inference_mode(model: TranslationModel, policy: InferencePolicy) -> Iterator[None]:
    """Put ``model`` into the state a policy asks for, without gradients; restores it after.

    ``normalization="batch"`` leaves the running statistics as they are: batch statistics are used
    for the output, but translating a test set must not change the model.
    """
    was_training = {module: module.training for module in model.modules()}
    momenta = {module: module.momentum for module in model.modules() if isinstance(module, _NORMS)}
    model.eval()
    for module in model.modules():
        if isinstance(module, _NORMS) and policy.normalization == "batch":
            module.train()
            module.momentum = 0.0
        elif isinstance(module, _DROPOUTS) and policy.dropout:
            module.train()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, momentum in momenta.items():
            module.momentum = momentum
        for module, training in was_training.items():
            module.training = training


def translate_image(
    model: TranslationModel,
    source: NDArray[np.uint8],
    *,
    policy: InferencePolicy,
    precision: str = "fp32",
    device: str = "cpu",
    target: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Translate one image, uint8 ``(H, W, 3)``; call inside ``inference_mode``.

    A size the network cannot take is reflected up to the next multiple and cropped back.
    ``target`` is for oracles only.
    """
    images = _to_batch(source, device)
    height, width = images.shape[-2:]
    padded = _pad(images, model.size_multiple)
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"):
        if isinstance(model, OracleModel):
            if target is None:
                raise DataError(f"{type(model).__name__} reads the target, but there is none")
            output = model.translate_with_target(padded, _pad(_to_batch(target, device), 1))
        else:
            output = model.translate(padded)
    return quantize(output[0, :, :height, :width], policy)


def quantize(prediction: Tensor, policy: InferencePolicy) -> NDArray[np.uint8]:
    """Turn ``(3, H, W)`` in [-1, 1] into uint8 ``(H, W, 3)``, rounding or truncating."""
    if not bool(torch.isfinite(prediction).all()):
        raise DataError("the model's output is not finite; its weights have diverged")
    levels = (prediction.float() + 1.0) * 127.5
    if policy.quantization == "round":
        levels = levels.round()
    return levels.clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()


def _translate_pair(
    model: TranslationModel,
    pair: ImagePair,
    preparation: Preparation,
    manifest: Manifest,
    device: str,
) -> NDArray[np.uint8]:
    source = preparation.apply(read_image(pair.source))
    target = preparation.apply(read_image(pair.target)) if model.uses_target else None
    if manifest.inference.seed is not None:
        torch.manual_seed(derive_seed(manifest.inference.seed, "translate", pair.id))
    try:
        return translate_image(
            model,
            source,
            policy=manifest.inference,
            precision=manifest.precision,
            device=device,
            target=target,
        )
    except DataError as error:
        raise DataError(f"pair {pair.id}: {error}") from None


def _to_batch(image: NDArray[np.uint8], device: str) -> Tensor:
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]
    return to_unit_range(tensor, device).contiguous(memory_format=torch.channels_last)


def _pad(images: Tensor, multiple: int) -> Tensor:
    height, width = images.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if bottom == 0 and right == 0:
        return images
    # Reflection needs a border smaller than the image; tiny images repeat their edge instead.
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(images, (0, right, 0, bottom), mode=mode)


def _prepare_folder(
    folder: Path, manifest: Manifest, dataset: PairedDataset
) -> tuple[set[str], float]:
    """Return the ids already translated in the same way, and the seconds spent on them.

    Predictions of another origin are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ids = {pair.id for pair in dataset}
    former = read_manifest(folder) if (folder / MANIFEST_NAME).exists() else None
    found = {path.stem for path in folder.glob("*.png") if path.stem in ids}
    if former is not None and former.same_origin(manifest):
        return found, former.seconds
    if former is None and found:
        raise DataError(
            f"{folder}: holds images but no {MANIFEST_NAME}; move them away or choose another "
            "folder"
        )
    for name in found:
        (folder / f"{name}.png").unlink()
    write_manifest(folder, manifest)
    return set(), 0.0
