"""Scoring predictions: overall, by group, and per pair."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.evaluation.accumulate import Accumulation, PredictionSet, accumulate
from i2ibench.evaluation.feature_cache import FeatureStore
from i2ibench.evaluation.metric_choice import ChosenMetrics, choose_metrics
from i2ibench.evaluation.predictions import check_complete, check_images
from i2ibench.evaluation.protocol import Protocol
from i2ibench.evaluation.scores import Evaluation
from i2ibench.evaluation.summary import group_values, macro_values, overall_values, pair_columns
from i2ibench.metrics.interface import Context, TrainingTarget, registered_metric
from i2ibench.metrics.networks.weights import present
from i2ibench.provenance import stopwatch
from i2ibench.runtime import check_device, collection_paused, resolve_device, usable_cores

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from i2ibench.metrics.pair_images import UInt8Image

_MOST_WORKERS = 16
# A GPU runs one network after the other; each further pair in it takes memory and wins nothing.
_MOST_ON_GPU = 2
# Images that wait for the networks: uint8 RGB.
_BYTES_AHEAD = 128 << 20
_MOST_AHEAD = 128


class OnePassOptions(TypedDict, total=False):
    """The options of ``evaluate`` and ``evaluate_together``; the latter describes them."""

    metrics: Sequence[str] | None
    device: str
    workers: int | None
    allow_unverified_weights: bool
    progress: Callable[[int, int], None] | None
    training_targets: PairedDataset | None
    feature_precision: Literal["fp32", "bf16"]
    use_cache: bool


def evaluate(
    dataset: PairedDataset,
    predictions: Mapping[str, Path],
    *,
    protocol: Protocol,
    **options: Unpack[OnePassOptions],
) -> Evaluation:
    """Score ``predictions`` of a data set under a protocol.

    Args:
        dataset: the pairs; only targets are read.
        predictions: image file by pair id, see ``find_predictions``.
        protocol: prepares targets and names the metrics with their settings.
        **options: those of ``evaluate_together``, which also says what is raised.
    """
    [found] = evaluate_together(dataset, [(predictions, protocol)], **options)
    return found


def evaluate_together(
    dataset: PairedDataset,
    predictions: Sequence[tuple[Mapping[str, Path], Protocol]],
    *,
    metrics: Sequence[str] | None = None,
    device: str = "auto",
    workers: int | None = None,
    allow_unverified_weights: bool = False,
    progress: Callable[[int, int], None] | None = None,
    training_targets: PairedDataset | None = None,
    feature_precision: Literal["fp32", "bf16"] = "fp32",
    use_cache: bool = True,
) -> list[Evaluation]:
    """Score predictions of several models, or under several protocols, against the same targets.

    Each target is decoded once, and what metrics find in it (activations of LPIPS, features of
    Inception, stain) is found once; each value is the one that ``evaluate`` gives.

    Args:
        dataset: the pairs; only targets are read.
        predictions: image file by pair id, see ``find_predictions``, each with the protocol that
            scores them; all protocols prepare images alike.
        metrics: names, instead of the protocol's metrics. One that cannot be computed is then an
            error; of the protocol's own metrics it is marked unavailable with its reason.
        device: where networks run: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: threads, by default one a processor; the scores do not depend on it.
        allow_unverified_weights: accept weights of unknown hash; signatures then say so.
        progress: called with the pairs done and all pairs.
        training_targets: the training split, for metrics fitted on real training targets.
        feature_precision: of network features; ``bf16`` is faster, deviates and is signed.
        use_cache: keep features of targets in the cache and use those that are there.

    Raises:
        DataError: empty data set, missing or unreadable images, wrong sizes, a metric that fails
            or is NaN, always with the pair's id.
        MissingError: a metric of ``metrics`` lacks its weights.
        UsageError: an unknown metric, setting or device, or protocols that prepare images
            differently.
    """
    if not len(dataset):
        raise DataError(f"{dataset.name}/{dataset.split} has no pairs to score")
    dataset.check_scorable()
    if not predictions:
        raise UsageError("no predictions to score")
    protocols = [protocol for _, protocol in predictions]
    preparation = _one_preparation(protocols)
    files: list[Mapping[str, Path]] = []
    for each, _ in predictions:
        if each not in files:
            check_complete(each, dataset, "predictions")
            files.append(each)
    check_device(device)
    with stopwatch() as watch:
        listed = [name for protocol in protocols for name in protocol.metric_names]
        torch_import = _begin_to_import_torch(listed if metrics is None else metrics)
        sizes: dict[str, tuple[int, int]] = {}
        for each in files:
            sizes = check_images(dataset, each, preparation)
        workers = _workers(workers)
        context = Context(
            precision=feature_precision,
            allow_unverified_weights=allow_unverified_weights,
            training_targets=_training(training_targets, preparation),
            group_order=dataset.group_order,
            workers=workers,
        )
        # Metrics of its own for each, since a plugin's may keep what they find by pair.
        chosen = [choose_metrics(protocol, metrics, context, sizes) for protocol in protocols]
        store = FeatureStore() if use_cache else None
        on_device = replace(context, device="cpu")

        def load() -> int:
            nonlocal on_device
            torch_import.join()
            import torch

            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # the workers are the only parallelism
            try:
                on_device = replace(context, device=resolve_device(device))
                for each in chosen:
                    each.load_networks(on_device)
            finally:
                torch.set_num_threads(threads)
            return workers if on_device.device == "cpu" else _MOST_ON_GPU

        try:
            accumulations = accumulate(
                dataset,
                [
                    PredictionSet(each, by)
                    for (each, _), by in zip(predictions, chosen, strict=True)
                ],
                preparation=preparation,
                workers=workers,
                load_networks=load,
                ahead=_pairs_ahead(sizes, images=1 + len(files)),
                store=store,
                progress=progress,
            )
        finally:  # what an interrupted evaluation has computed is not lost
            if store is not None:
                store.flush()
        evaluations = []
        for (each, protocol), by, found in zip(predictions, chosen, accumulations, strict=True):
            with _naming_predictions(each if len(files) > 1 else {}):
                evaluations.append(_summed_up(dataset, found, by, protocol, on_device.device))
    return [replace(each, seconds=watch.seconds / len(predictions)) for each in evaluations]


@contextlib.contextmanager
def _naming_predictions(files: Mapping[str, Path]) -> Iterator[None]:
    """Say of an error in which folder of predictions it came up, where there are several."""
    try:
        yield
    except (DataError, MissingError) as error:
        if not files:
            raise
        folder = next(iter(files.values())).parent
        raise type(error)(f"{folder}: {error}") from error


def _summed_up(
    dataset: PairedDataset,
    found: Accumulation,
    chosen: ChosenMetrics,
    protocol: Protocol,
    device: str,
) -> Evaluation:
    overall, details = overall_values(found, chosen)
    groups = group_values(found, chosen, dataset)
    return Evaluation(
        pair_columns=pair_columns(found, chosen, dataset),
        metrics=overall,
        groups=groups,
        macro=macro_values(groups, chosen),
        protocol=protocol.id,
        protocol_sha256=protocol.sha256,
        main=protocol.main,
        ranked=protocol.ranked,
        endpoints=protocol.endpoints,
        details=details,
        device=device,
    )


def _one_preparation(protocols: Sequence[Protocol]) -> Preparation:
    first, *others = protocols
    for other in others:
        if other.preparation != first.preparation:
            raise UsageError(
                f"{first.id} and {other.id} prepare images differently: no prediction is one of "
                "both"
            )
    return first.preparation


def _begin_to_import_torch(names: Sequence[str]) -> threading.Thread:
    """Import torch in a thread if a network can run: images are checked meanwhile."""

    def import_torch() -> None:
        # What goes wrong here goes wrong again, and is told, where torch is used.
        with collection_paused(), contextlib.suppress(Exception):
            import torch  # noqa: F401

    metrics = [registered_metric(name) for name in names]
    wanted = any(m.runs_network and all(map(present, m.weights)) for m in metrics)
    thread = threading.Thread(target=import_torch if wanted else lambda: None, daemon=True)
    thread.start()
    return thread


def _workers(wanted: int | None) -> int:
    if wanted is None:
        return min(usable_cores(), _MOST_WORKERS)
    if wanted < 1:
        raise UsageError(f"workers must be at least 1, not {wanted}")
    return wanted


def _pairs_ahead(sizes: Mapping[str, tuple[int, int]], images: int) -> int:
    """Return how many pairs of ``images`` each may be in memory while the networks are loaded."""
    largest = max(width * height for width, height in sizes.values())
    return min(_MOST_AHEAD, max(1, _BYTES_AHEAD // (3 * images * largest)))


def _training(
    dataset: PairedDataset | None, preparation: Preparation
) -> list[TrainingTarget] | None:
    if dataset is None or not len(dataset):
        return None

    def target(pair: ImagePair) -> TrainingTarget:
        read = partial(_read_prepared, pair.target, preparation)
        return TrainingTarget(pair.id, pair.group, read)

    return [target(pair) for pair in dataset]


def _read_prepared(ref: ImageRef, preparation: Preparation) -> UInt8Image:
    return preparation.apply_target(read_image(ref))
