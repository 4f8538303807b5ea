"""What a training is scored on while it runs: pairs that it never trains on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from i2ibench.data.images import read_pair, write_png
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.errors import DataError, UsageError
from i2ibench.files import visible_files
from i2ibench.metrics.interface import (
    Context,
    Metric,
    PairImages,
    PairMetric,
    build_metric,
    registered_metric,
)
from i2ibench.models.interface import TrainableModel
from i2ibench.models.policy import InferencePolicy
from i2ibench.seeds import derive_seed
from i2ibench.training.best_state import Validation
from i2ibench.training.logs import Log
from i2ibench.training.recipe import TrainingSettings
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.translate_image import translate_image

# Few enough to cost little beside an epoch, enough to see a trend; the test split decides.
_MOST_PAIRS = 32
_PREVIEWS, _PREVIEW_SIDE = 4, 256
# About a megabyte each; twenty tell how a training went, two hundred only fill the disk.
_MOST_PREVIEW_FILES = 20
_METRICS = ("psnr", "ssim")


def hold_out(train: PairedDataset, fraction: float) -> tuple[PairedDataset, PairedDataset]:
    """Split training pairs into those to train on and those to validate on.

    Whole clusters (slides, patients) are held out where the pairs have them, single pairs
    otherwise. The choice follows from their names alone: it is the same for every seed.

    Raises:
        DataError: nothing would be left on one of the sides.
    """
    sizes = Counter(_unit(pair) for pair in train)
    units = sorted(sizes, key=lambda unit: (derive_seed(0, "validation", unit), unit))
    wanted, held, count = fraction * len(train), set(), 0
    for unit in units:
        if count >= wanted:
            break
        held.add(unit)
        count += sizes[unit]
    validation = tuple(pair for pair in train if _unit(pair) in held)
    rest = tuple(pair for pair in train if _unit(pair) not in held)
    if not validation or not rest:
        raise DataError(
            f"validation_fraction={fraction:g} of {len(train)} training pairs in {len(units)} "
            "slides or pairs leaves nothing on one side; choose another fraction"
        )
    return replace(train, pairs=rest), replace(train, pairs=validation, split="val")


def check_keep_best(settings: TrainingSettings, has_validation: bool) -> None:
    """Refuse a wish for the best state that cannot be met, before anything is trained."""
    name = settings.keep_best
    if name is None:
        return
    if not has_validation:
        raise UsageError(
            f"keep_best={name} needs pairs to validate on, and the data set has no val split; "
            "add --validation-fraction 0.1"
        )
    metric = registered_metric(name)
    if not issubclass(metric, PairMetric) or metric.better is None:
        raise UsageError(f"keep_best={name}: not a metric of pairs with a direction; e.g. ssim")


def make_validation(
    pairs: PairedDataset,
    settings: TrainingSettings,
    folder: Path,
    *,
    device: str,
    precision: str,
    seed: int = 0,
    allow_unverified_weights: bool = False,
    scaled_to: int | None = None,
    log: Log | None = None,
) -> Validation:
    """Return the validation of a training on some of ``pairs``, spread over all of them.

    Args:
        pairs: of the validation split.
        settings: how often, and by which metric the best state is kept.
        folder: receives ``previews/step-N.png``: a few pairs as source, prediction and target,
            thinned to twenty files about evenly spread, the first and the latest among them.
        device: where the model is.
        precision: of its forward pass.
        seed: of a stochastic model's passes.
        allow_unverified_weights: for a ``keep_best`` whose metric needs a network.
        scaled_to: side of the square at which images are translated; None for their own size.
        log: also shown the previews.
    """
    names = dict.fromkeys([*_METRICS, *([settings.keep_best] if settings.keep_best else [])])
    metrics = {name: build_metric(name) for name in names}
    for metric in metrics.values():
        metric.prepare(Context(device=device, allow_unverified_weights=allow_unverified_weights))
    chosen = _spread(pairs, _MOST_PAIRS)
    total = settings.epochs + settings.decay_epochs
    best = settings.keep_best
    return Validation(
        score=_scorer(chosen, metrics, folder, device, precision, seed, scaled_to, log),
        every=settings.validate_every or max(1, total // 10),
        keep_best=best,
        better=(metrics[best].better or "higher") if best else "higher",
    )


def evenly_spread(steps: Sequence[int], most: int) -> list[int]:
    """Return up to ``most`` (two or more) of ``steps``, sorted, with the first and the last.

    Those that stand closest between their neighbours go first, so that the rest stays about evenly
    spread also where this is done again after every further step.
    """
    kept = sorted(steps)
    while len(kept) > most:
        del kept[min(range(1, len(kept) - 1), key=lambda i: kept[i + 1] - kept[i - 1])]
    return kept


def _scorer(
    pairs: list[ImagePair],
    metrics: Mapping[str, Metric],
    folder: Path,
    device: str,
    precision: str,
    seed: int,
    scaled_to: int | None,
    log: Log | None,
) -> Callable[[TrainableModel, int], dict[str, float]]:
    previewed = {pair.id for pair in _spread(pairs, _PREVIEWS)}
    policy = InferencePolicy()

    def score(model: TrainableModel, step: int) -> dict[str, float]:
        values: dict[str, list[float]] = {name: [] for name in metrics}
        rows = []
        with inference_mode(model, policy):
            for pair in pairs:
                source, target = read_pair(pair)
                if model.stochastic:
                    torch.manual_seed(derive_seed(seed, "validate", pair.id))
                prediction = translate_image(
                    model,
                    source,
                    policy=policy,
                    precision=precision,
                    device=device,
                    scaled_to=scaled_to,
                )
                images = PairImages(pair.id, prediction, target, group=pair.group)
                for name, metric in metrics.items():
                    if isinstance(metric, PairMetric):
                        values[name].append(metric.score_pair(images))
                if pair.id in previewed:
                    rows.append(np.hstack([_small(x) for x in (source, prediction, target)]))
        preview = np.vstack(rows)
        write_png(folder / "previews" / f"step-{step:06}.png", preview)
        _thin_previews(folder / "previews", step)
        if log is not None:
            log.picture(step, "source, prediction, target", preview)
        return {name: float(np.mean(each)) for name, each in values.items()}

    return score


def _thin_previews(folder: Path, latest: int) -> None:
    found = {}
    for path in visible_files(folder, {".png"}, missing_ok=True):
        number = path.stem.removeprefix("step-")
        if number.isdigit():
            found[int(number)] = path
    # Those of later steps are of work that no checkpoint holds, and come again.
    kept = evenly_spread([step for step in found if step <= latest], _MOST_PREVIEW_FILES)
    for step in found.keys() - set(kept):
        found[step].unlink()


def _unit(pair: ImagePair) -> str:
    return pair.id if pair.cluster is None else pair.cluster


def _spread(pairs: PairedDataset | list[ImagePair], count: int) -> list[ImagePair]:
    """Return up to ``count`` pairs at even distances, so that every group has a chance."""
    where = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)
    return [pairs[int(index)] for index in where]


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale to a square, so that previews of any sizes form columns."""
    size = (_PREVIEW_SIDE, _PREVIEW_SIDE)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
