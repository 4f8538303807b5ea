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

from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError, PluginError, is_explained, named
from i2ibench.files import sha256_file, visible_files
from i2ibench.models.interface import TranslationModel
from i2ibench.runtime import seed_global_generators
from i2ibench.seeds import derive_seed
from i2ibench.translation.batches import alike, batch_size, not_translated
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from i2ibench.translation.overlap import WriteBehind, read_ahead
from i2ibench.translation.spread import Spread
from i2ibench.translation.translate_image import (
    network,
    padded,
    quantize,
    to_batch,
    translate_image,
)

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
    spread: Spread | None = None,
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
        spread: keeps how far the samples of a stochastic model lie apart, where it is given.
    """
    manifest = seeded(manifest, model)
    done, earlier = begin(folder, manifest, dataset)
    if spread is not None:
        done = {pair_id for pair_id in done if spread.has(pair_id)}
    model.to(device).to(memory_format=torch.channels_last)
    start, made = time.perf_counter(), False
    try:
        with inference_mode(model, manifest.inference), WriteBehind() as writer:
            size = batch_size(model, manifest, device, batch)
            left = not_translated(dataset.pairs, done, size)
            if progress is not None:
                progress(len(dataset) - len(left), len(dataset))
            for number, (pair, prediction) in enumerate(
                _predictions(model, left, manifest, device, size, spread),
                len(dataset) - len(left) + 1,
            ):
                made = True
                write = partial(write_png, folder / f"{pair.id}.png", prediction)
                writer.submit(write, prediction.nbytes)
                if progress is not None:
                    progress(number, len(dataset))
    except BaseException:
        # The time spent so far is part of the cost of the predictions that are kept.
        spent = earlier + _spent(start, spread)
        write_manifest(folder, manifest.model_copy(update={"seconds": round(spent, 3)}))
        raise
    files = {pair.id: sha256_file(folder / f"{pair.id}.png") for pair in dataset}
    # A folder that was finished before keeps its manifest, which a result may name.
    spent = _spent(start, spread) if made else 0.0
    finished = manifest.finished(files, earlier + spent)
    write_manifest(folder, finished)
    return finished


def seeded(manifest: Manifest, model: TranslationModel) -> Manifest:
    """Return a manifest that names a seed where the model draws."""
    if model.stochastic and manifest.stochastic_seed is None:
        return manifest.model_copy(update={"seed": 0})
    return manifest


def predict(
    model: TranslationModel,
    pairs: Iterable[ImagePair],
    manifest: Manifest,
    *,
    device: str = "cpu",
    spread: Spread | None = None,
) -> Iterator[tuple[ImagePair, NDArray[np.uint8]]]:
    """Yield each pair with its prediction, uint8 ``(H, W, 3)``, made as a manifest says.

    Nothing is written: arguments as ``translate``.
    """
    model.to(device).to(memory_format=torch.channels_last)
    with inference_mode(model, manifest.inference):
        size = batch_size(model, manifest, device)
        yield from _predictions(model, pairs, manifest, device, size, spread)


def _spent(start: float, spread: Spread | None) -> float:
    """Return the seconds since ``start`` that went into predictions."""
    return time.perf_counter() - start - (0.0 if spread is None else spread.seconds)


def _predictions(
    model: TranslationModel,
    pairs: Iterable[ImagePair],
    manifest: Manifest,
    device: str,
    batch: int,
    spread: Spread | None = None,
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
                made = [_translate_alone(model, pair, images, manifest, device, spread)]
        for (pair, _), prediction in zip(group, made, strict=True):
            yield pair, prediction


def _translate_alone(
    model: TranslationModel,
    pair: ImagePair,
    images: list[NDArray[np.uint8]],
    manifest: Manifest,
    device: str,
    spread: Spread | None,
) -> NDArray[np.uint8]:
    if manifest.stochastic_seed is not None:
        seed_global_generators(derive_seed(manifest.stochastic_seed, "translate", pair.id))

    def draw() -> NDArray[np.uint8]:
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

    prediction = draw()
    if spread is not None:  # before the prediction is written, which says that both are there
        spread.keep(pair.id, prediction, draw)
    return prediction


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
