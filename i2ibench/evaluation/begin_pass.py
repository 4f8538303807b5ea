"""What stands before a pass over the pairs: checked images and chosen metrics."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from i2ibench.evaluation.shards import question_of
from i2ibench.evaluation.summary import group_values, macro_values, overall_values, pair_columns
from i2ibench.metrics.interface import Context, TrainingTarget, registered_metric
from i2ibench.metrics.networks.weights import present
from i2ibench.runtime import check_device, collection_paused, resolve_device, usable_cores

if TYPE_CHECKING:
    from i2ibench.metrics.pair_images import UInt8Image

_MOST_WORKERS = 16
# A GPU runs one network after the other; each further pair in it takes memory and wins nothing.
_MOST_ON_GPU = 2
# Images that wait for the networks: uint8 RGB.
_BYTES_AHEAD = 128 << 20
_MOST_AHEAD = 128


class OnePassOptions(TypedDict, total=False):
    """The options of ``evaluate`` and ``evaluate_together``; ``begin_pass`` has their defaults.

    Attributes:
        metrics: names, instead of the protocol's metrics. One that cannot be computed is then an
            error; of the protocol's own metrics it is marked unavailable with its reason.
        device: where networks run: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: threads, by default one a processor; the scores do not depend on it.
        allow_unverified_weights: accept weights of unknown hash; signatures then say so.
        progress: called with the pairs done and all pairs.
        training_targets: the training split, for metrics fitted on real training targets.
        feature_precision: of network features; ``bf16`` is faster, deviates and is signed.
        use_cache: keep features of targets in the cache and use those that are there.
    """

    metrics: Sequence[str] | None
    device: str
    workers: int | None
    allow_unverified_weights: bool
    progress: Callable[[int, int], None] | None
    training_targets: PairedDataset | None
    feature_precision: Literal["fp32", "bf16"]
    use_cache: bool


@dataclass
class BegunPass:
    """An evaluation before its pass: images are checked, metrics are chosen."""

    dataset: PairedDataset
    files: list[Mapping[str, Path]]
    protocols: list[Protocol]
    chosen: list[ChosenMetrics]
    context: Context
    wanted_device: str
    torch_import: threading.Thread
    ahead: int
    use_cache: bool
    progress: Callable[[int, int], None] | None
    device: str = "cpu"

    def load_networks(self) -> int:
        """Prepare the metrics that run a network; return how many workers may run them at once."""
        if not any(by.networks for by in self.chosen):
            return self.context.workers
        self.torch_import.join()
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the workers are the only parallelism
        try:
            self.device = resolve_device(self.wanted_device)
            for each in self.chosen:
                each.load_networks(replace(self.context, device=self.device))
        finally:
            torch.set_num_threads(threads)
        return self.context.workers if self.device == "cpu" else _MOST_ON_GPU

    def accumulated(self, pairs: PairedDataset) -> list[Accumulation]:
        """Score some pairs."""
        store = FeatureStore() if self.use_cache else None
        scorings = zip(self.files, self.chosen, strict=True)
        try:
            return accumulate(
                pairs,
                [PredictionSet(each, by) for each, by in scorings],
                preparation=self.protocols[0].preparation,
                workers=self.context.workers,
                load_networks=self.load_networks,
                ahead=self.ahead,
                store=store,
                progress=self.progress,
            )
        finally:  # what an interrupted evaluation has computed is not lost
            if store is not None:
                store.flush()

    def evaluations(self, accumulations: Sequence[Accumulation]) -> list[Evaluation]:
        """Return what accumulations of all pairs come to."""
        several = any(each != self.files[0] for each in self.files)
        found = []
        of_each = zip(self.files, self.protocols, self.chosen, accumulations, strict=True)
        for files, protocol, by, accumulation in of_each:
            with _naming_predictions(files if several else {}):
                found.append(_summed_up(self.dataset, accumulation, by, protocol, self.device))
        return found

    def question(self) -> str:
        """Return the hash of what is evaluated, once networks are loaded."""
        return question_of(self.dataset, [each.sha256 for each in self.protocols], self.chosen)


def begin_pass(
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
) -> BegunPass:
    """Check what is given and choose metrics; see ``evaluate_together``."""
    if not len(dataset):
        raise DataError(f"{dataset.name}/{dataset.split} has no pairs to score")
    dataset.check_scorable()
    if not predictions:
        raise UsageError("no predictions to score")
    protocols = [protocol for _, protocol in predictions]
    preparation = _one_preparation(protocols)
    different: list[Mapping[str, Path]] = []
    for each, _ in predictions:
        if each not in different:
            check_complete(each, dataset, "predictions")
            different.append(each)
    check_device(device)
    listed = [name for protocol in protocols for name in protocol.metric_names]
    torch_import = _begin_to_import_torch(listed if metrics is None else metrics)
    sizes: dict[str, tuple[int, int]] = {}
    for each in different:
        sizes = check_images(dataset, each, preparation)
    context = Context(
        precision=feature_precision,
        allow_unverified_weights=allow_unverified_weights,
        training_targets=_training(training_targets, preparation),
        group_order=dataset.group_order,
        workers=_workers(workers),
    )
    # Metrics of its own for each, since a plugin's may keep what they find by pair.
    chosen = [choose_metrics(protocol, metrics, context, sizes) for protocol in protocols]
    return BegunPass(
        dataset,
        [each for each, _ in predictions],
        protocols,
        chosen,
        context,
        device,
        torch_import,
        _pairs_ahead(sizes, images=1 + len(different)),
        use_cache,
        progress,
    )


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
