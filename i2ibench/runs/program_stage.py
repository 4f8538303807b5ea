"""Training and translation by a program that is not ours: what it gets, and what it has to give.

It gets folders of PNG files named by pair id, and is not sandboxed: that it left them as they were,
and wrote what was asked for, is checked after it ended and before anything is kept.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench import registry
from i2ibench.data.images import image_size, read_image, write_png
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.errors import DataError, PluginError
from i2ibench.files import sha256_file
from i2ibench.models.foreign.call_program import call_program
from i2ibench.models.foreign.program import (
    ExternalProgram,
    changes,
    folder_sha256,
    program_sha256,
    snapshot,
)
from i2ibench.runs.plan import Plan
from i2ibench.runs.reporter import Reporter
from i2ibench.translation.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from i2ibench.wording import some


def train_by_program(plan: Plan, model: ExternalProgram, reporter: Reporter) -> float:
    """Let the program fill ``weights/`` of the run folder; returns the seconds it took."""
    exchange, weights = plan.folder.path / "exchange", plan.folder.program_weights
    for place in (exchange, weights):
        shutil.rmtree(place, ignore_errors=True)
    weights.mkdir(parents=True)
    pairs = plan.train or plan.test
    sources, targets = exchange / "sources", exchange / "targets"
    _write(sources, pairs, lambda pair: read_image(pair.source))
    _write(targets, pairs, lambda pair: read_image(pair.target))
    values = {"sources": sources, "targets": targets, "weights": weights}
    seconds = _call(plan, model, "train", values, (sources, targets), reporter)
    try:
        model.set_weights(folder_sha256(weights))
    except DataError:
        raise PluginError(
            f"the training of {plan.options.model} ended well, but wrote nothing into {weights}"
        ) from None
    shutil.rmtree(exchange)
    return seconds


def translate_by_program(
    plan: Plan, model: ExternalProgram, manifest: Manifest, reporter: Reporter
) -> Manifest:
    """Let the program translate the test split, check what it made, and keep it.

    Predictions of the same origin that are complete are kept; the program has no part in that.
    """
    folder = plan.folder.predictions
    former = read_manifest(folder) if (folder / MANIFEST_NAME).exists() else None
    is_same = former is not None and former.complete and former.same_origin(manifest)
    if former is not None and is_same and not former.differences(folder):
        return former
    exchange, weights = plan.folder.path / "exchange", plan.folder.program_weights
    shutil.rmtree(exchange, ignore_errors=True)
    sources, made = exchange / "sources", exchange / "predictions"
    made.mkdir(parents=True)
    prepare = plan.protocol.preparation.apply
    _write(sources, plan.test, lambda pair: prepare(read_image(pair.source)))
    inputs = [sources]
    if plan.train is not None:
        inputs.append(weights)
        if not weights.is_dir() or folder_sha256(weights) != model.weights_sha256:
            raise DataError(
                f"{weights}: not what the training of {plan.options.model} wrote; remove "
                f"{plan.folder.checkpoint} to train again"
            )
    values = {"sources": sources, "predictions": made, "weights": weights}
    seconds = _call(plan, model, "translate", values, inputs, reporter)
    images = _checked(plan, made, sources)
    shutil.rmtree(folder, ignore_errors=True)
    write_manifest(folder, manifest)
    for pair_id, path in images.items():
        write_png(folder / f"{pair_id}.png", read_image(ImageRef(path)))
    files = {pair_id: sha256_file(folder / f"{pair_id}.png") for pair_id in images}
    finished = manifest.finished(files, seconds)
    write_manifest(folder, finished)
    shutil.rmtree(exchange)
    return finished


def _write(
    folder: Path, pairs: PairedDataset, image: Callable[[ImagePair], NDArray[np.uint8]]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        write_png(folder / f"{pair.id}.png", image(pair))


def _call(
    plan: Plan,
    model: ExternalProgram,
    kind: str,
    values: dict[str, Path],
    inputs: Iterable[Path],
    reporter: Reporter,
) -> float:
    """Run one command and return its seconds; inputs and code must be as before."""
    name, program = plan.options.model, model.program
    log = plan.folder.path / "logs" / f"{kind}.log"
    reporter.stage(f"{name} {'trains' if kind == 'train' else 'translates'}; it writes to {log}")
    placeholders = {**values, "seed": plan.options.seed, "device": plan.device}
    absolute = {k: v.absolute() if isinstance(v, Path) else v for k, v in placeholders.items()}
    before = snapshot(*inputs)
    started = time.perf_counter()
    hours = program.train_hours if kind == "train" else program.translate_hours
    what = f"the {'training' if kind == 'train' else 'translation'} of {name}"
    call_program(
        model.command(kind, absolute),
        what=what,
        folder=model.folder,
        log=log,
        seconds=hours * 3600,
        environment=model.environment(),
    )
    seconds = time.perf_counter() - started
    if changed := changes(before, snapshot(*inputs)):
        raise PluginError(f"{what} wrote among its inputs: {changed}; it may only read them")
    entry = registry.models.entry(name)
    if entry.file is not None and program_sha256(type(model), entry.file) != entry.sha256:
        raise PluginError(f"{what}: its own files changed meanwhile; repeat it")
    return seconds


def _checked(plan: Plan, made: Path, sources: Path) -> dict[str, Path]:
    """Return the predictions by pair id; all must be there, of the right size, and decodable."""
    what = f"the translation of {plan.options.model}"
    ids = [pair.id for pair in plan.test]
    there = {path.name for path in made.rglob("*") if path.is_file()}
    missing = [f"{each}.png" for each in ids if f"{each}.png" not in there]
    extra = sorted(there - {f"{each}.png" for each in ids})
    if missing or extra:
        parts = [f"lacks {len(missing)} of {len(ids)}: {some(missing, 3)}"] if missing else []
        parts += [f"has {len(extra)} of other names: {some(extra, 3)}"] if extra else []
        raise PluginError(f"{what} {' and '.join(parts)}; it must write <id>.png of each source")
    for pair_id in ids:
        path = made / f"{pair_id}.png"
        try:
            if not path.is_file() or path.is_symlink():
                raise PluginError(f"{what}: {path.name} is no file in {{predictions}} itself")
            height, width = read_image(ImageRef(path)).shape[:2]
        except DataError as error:
            raise PluginError(f"{what} wrote no readable image: {error}") from None
        expected = image_size(ImageRef(sources / path.name))
        if (width, height) != expected:
            raise PluginError(
                f"{what}: {path.name} is {width} x {height}, its source "
                f"{expected[0]} x {expected[1]}"
            )
    return {pair_id: made / f"{pair_id}.png" for pair_id in ids}
