"""Translate a data set to PNG files, resumable by pair id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.data.images import read_image, write_png
from i2ibench.data.loading import to_unit_range
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.preparation import Preparation, resized
from i2ibench.errors import DataError, PluginError, is_explained, named
from i2ibench.files import sha256_file, visible_files
from i2ibench.models.closed_form import OracleModel
from i2ibench.models.interface import InferencePolicy, TranslationModel
from i2ibench.runtime import seed_global_generators
from i2ibench.seeds import derive_seed
from i2ibench.translation.averaging import averages, passes, turned, turned_back
from i2ibench.translation.batches import alike, batch_size, not_translated
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from i2ibench.translation.overlap import WriteBehind, read_ahead
from i2ibench.translation.tiling import TranslateTile, choose_tiling, translate_tiled

Progress = Callable[[int, int], None]


def translate(
    model: TranslationModel,
    dataset: PairedDataset,
    folder: Path,
    manifest: Manifest,
    *,
    device: str = "cpu",
    batch: int | None = None,
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
        batch: images of one size that pass the network together; None decides by device, and
            where an image's prediction would depend on others there is no batch.
        progress: called with (done, total).
    """
    manifest = seeded(manifest, model)
    done, earlier = begin(folder, manifest, dataset)
    model.to(device).to(memory_format=torch.channels_last)
    start, made = time.perf_counter(), False
    try:
        with inference_mode(model, manifest.inference), WriteBehind() as writer:
            size = batch_size(model, manifest, device, batch)
            left = not_translated(dataset.pairs, done, size)
            if progress is not None:
                progress(len(dataset) - len(left), len(dataset))
            for number, (pair, prediction) in enumerate(
                _predictions(model, left, manifest, device, size), len(dataset) - len(left) + 1
            ):
                made = True
                write = partial(write_png, folder / f"{pair.id}.png", prediction)
                writer.submit(write, prediction.nbytes)
                if progress is not None:
                    progress(number, len(dataset))
    except BaseException:
        # The time spent so far is part of the cost of the predictions that are kept.
        spent = earlier + time.perf_counter() - start
        write_manifest(folder, manifest.model_copy(update={"seconds": round(spent, 3)}))
        raise
    files = {pair.id: sha256_file(folder / f"{pair.id}.png") for pair in dataset}
    # A folder that was finished before keeps its manifest, which a result may name.
    spent = time.perf_counter() - start if made else 0.0
    finished = manifest.finished(files, earlier + spent)
    write_manifest(folder, finished)
    return finished


def seeded(manifest: Manifest, model: TranslationModel) -> Manifest:
    """Return a manifest that names a seed where the model draws."""
    if model.stochastic and manifest.stochastic_seed is None:
        return manifest.model_copy(update={"seed": 0})
    return manifest


def predict(
    model: TranslationModel, pairs: Iterable[ImagePair], manifest: Manifest, *, device: str = "cpu"
) -> Iterator[tuple[ImagePair, NDArray[np.uint8]]]:
    """Yield each pair with its prediction, uint8 ``(H, W, 3)``, made as a manifest says.

    Nothing is written: arguments as ``translate``.
    """
    model.to(device).to(memory_format=torch.channels_last)
    with inference_mode(model, manifest.inference):
        size = batch_size(model, manifest, device)
        yield from _predictions(model, pairs, manifest, device, size)


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


def _predictions(
    model: TranslationModel,
    pairs: Iterable[ImagePair],
    manifest: Manifest,
    device: str,
    batch: int,
) -> Iterator[tuple[ImagePair, NDArray[np.uint8]]]:
    """Yield each pair with its prediction; the images of the next ones are read meanwhile."""
    preparation = Preparation(**manifest.preparation)

    def read(pair: ImagePair) -> list[NDArray[np.uint8]]:
        files = [pair.source, pair.target] if model.uses_target else [pair.source]
        return [preparation.apply(read_image(file)) for file in files]

    def size_of(images: list[NDArray[np.uint8]]) -> int:
        return sum(image.nbytes for image in images)

    for group in alike(read_ahead(pairs, read, size_of), batch):
        with _naming(manifest.model, [pair for pair, _ in group]):
            if len(group) > 1:
                sources = [images[0] for _, images in group]
                made = _translate_together(model, sources, manifest, device)
            else:
                pair, images = group[0]
                made = [_translate_alone(model, pair, images, manifest, device)]
        for (pair, _), prediction in zip(group, made, strict=True):
            yield pair, prediction


def _translate_alone(
    model: TranslationModel,
    pair: ImagePair,
    images: list[NDArray[np.uint8]],
    manifest: Manifest,
    device: str,
) -> NDArray[np.uint8]:
    if manifest.stochastic_seed is not None:
        seed_global_generators(derive_seed(manifest.stochastic_seed, "translate", pair.id))
    return translate_image(
        model,
        images[0],
        policy=manifest.inference,
        precision=manifest.precision,
        device=device,
        tile=manifest.tile,
        target=images[1] if model.uses_target else None,
        scaled_to=manifest.scaled_to,
    )


def _translate_together(
    model: TranslationModel, sources: list[NDArray[np.uint8]], manifest: Manifest, device: str
) -> list[NDArray[np.uint8]]:
    """Translate images of one size in one pass of the network."""
    height, width = sources[0].shape[:2]
    images = torch.cat([to_batch(padded(source, model.size_multiple)) for source in sources])
    made = network(model, manifest.precision, device)(images)[:, :, :height, :width]
    return [quantize(each, manifest.inference) for each in made]


@contextmanager
def _naming(model: str, pairs: list[ImagePair]) -> Iterator[None]:
    """Name the pairs in the error of a translation."""
    names = f"pair {pairs[0].id}" if len(pairs) == 1 else f"pairs {pairs[0].id} to {pairs[-1].id}"
    try:
        yield
    except DataError as error:
        raise DataError(f"{names}: {error}") from None
    except Exception as error:
        if is_explained(error):
            raise
        raise PluginError(f"model {model} failed on {names}: {named(error)}") from error


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


def begin(folder: Path, manifest: Manifest, dataset: PairedDataset) -> tuple[set[str], float]:
    """Write the origin of predictions to be made into a folder, and return what is there already.

    Returns:
        The ids already translated in the same way, and the seconds spent on them. Predictions of
        another origin are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ids = {pair.id for pair in dataset}
    former = read_manifest(folder) if (folder / MANIFEST_NAME).exists() else None
    found = {path.stem for path in visible_files(folder, {".png"}) if path.stem in ids}
    if former is not None and former.same_origin(manifest):
        # A finished folder knows its files; one that was changed since is made again.
        return found - former.differences(folder).keys(), former.seconds
    if former is None and found:
        raise DataError(
            f"{folder}: holds images but no {MANIFEST_NAME}; move them away or choose another "
            "folder"
        )
    for name in found:
        (folder / f"{name}.png").unlink()
    write_manifest(folder, manifest)
    return set(), 0.0
