"""The one pass: each image is decoded once and seen by every metric."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Semaphore
from typing import Any

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImagePair, PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError
from i2ibench.evaluation.feature_cache import FeatureStore, TargetFeatures, content_hash
from i2ibench.evaluation.metric_calls import check_description, check_value, guarded
from i2ibench.evaluation.metric_choice import ChosenMetrics
from i2ibench.evaluation.pair_values import PairValues
from i2ibench.metrics.interface import PairImages, SetMetric
from i2ibench.runtime import exact_torch, one_opencv_thread, one_torch_thread

Progress = Callable[[int, int], None]
# States of set metrics by group; the key None holds pairs without a group.
States = dict[str | None, Any]


@dataclass(slots=True)
class Accumulation:
    """What a pass over pairs found; accumulations of disjoint shards merge.

    Attributes:
        scores: the values of pair metrics, pair by pair.
        states: by state key, the states by group; set metrics may share them.
        counts: pairs by group.
    """

    scores: PairValues
    states: dict[str, States] = field(default_factory=dict)
    counts: dict[str | None, int] = field(default_factory=dict)

    def merge(self, other: Accumulation, chosen: ChosenMetrics) -> Accumulation:
        """Return the accumulation of both shards."""
        merged = Accumulation(self.scores.joined(other.scores))
        for group in [*self.counts, *other.counts]:
            merged.counts[group] = self.counts.get(group, 0) + other.counts.get(group, 0)
        for key, metric in chosen.state_owners().items():
            mine, theirs = self.states[key], other.states[key]
            merged.states[key] = {
                group: metric.merge(
                    mine.get(group, metric.new_state()), theirs.get(group, metric.new_state())
                )
                for group in merged.counts
            }
        return merged


@dataclass(frozen=True, slots=True)
class PredictionSet:
    """What is to be scored: predictions by pair id, and the metrics that score them."""

    predictions: Mapping[str, Path]
    chosen: ChosenMetrics


def accumulate(
    dataset: PairedDataset,
    prediction_sets: Sequence[PredictionSet],
    *,
    preparation: Preparation,
    workers: int,
    load_networks: Callable[[], int] | None = None,
    ahead: int = 0,
    store: FeatureStore | None = None,
    progress: Progress | None = None,
) -> list[Accumulation]:
    """Score every pair of ``dataset`` in ``workers`` threads; one accumulation a scoring.

    Pairs are handed out and collected in the order of the data set, and only a few are in memory
    at a time. A worker takes a target with all its predictions, so that what metrics find in the
    target is found once. Each worker runs its networks on one CPU thread: nothing then depends on
    the number of workers, and no core waits for another. While this thread runs ``load_networks``,
    which takes seconds, all workers but one begin with the metrics of the first ``ahead`` pairs
    that need none: this thread needs a core of its own. It returns how many workers may run
    networks at once.

    Raises:
        DataError: an unreadable image, or a metric that fails or is NaN without saying that it may
            be undefined, with the pair's id.
    """
    networks = any(scoring.chosen.networks for scoring in prediction_sets)
    turns = Semaphore(workers)

    def begin(pair: ImagePair) -> _Begun:
        begun = _load(pair, prediction_sets, preparation, store)
        _score(begun, prediction_sets, networks=False)
        return begun if networks else begun.ended()

    def finish(begun: _Begun) -> _Begun:
        if networks:
            one_torch_thread()
            with turns:
                _score(begun, prediction_sets, networks=True)
        return begun.ended()

    pool = ThreadPoolExecutor(workers, "i2ibench-score")
    early_pool = ThreadPoolExecutor(max(1, workers - 1), "i2ibench-early")
    try:
        with one_opencv_thread():
            early: list[Future[_Begun]] = []
            if load_networks is not None and networks:
                early = [early_pool.submit(begin, pair) for pair in dataset.pairs[:ahead]]
                turns = Semaphore(load_networks())
            with exact_torch():
                jobs = [partial(lambda started: finish(started.result()), job) for job in early]
                later = (
                    partial(lambda p: finish(begin(p)), p) for p in dataset.pairs[len(early) :]
                )
                results = _in_order(pool, chain(jobs, later), 2 * workers)
                found = zip(dataset, results, strict=True)
                return _collect(found, prediction_sets, len(dataset), progress)
    finally:
        for each in (early_pool, pool):
            each.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True)
class _Found:
    """What metrics have found of one prediction: values and descriptions for states."""

    values: dict[str, float] = field(default_factory=dict)
    descriptions: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Begun:
    """A pair under way: one element a scoring each; ``labels`` are for messages."""

    images: list[PairImages]
    labels: list[str]
    found: list[_Found]

    def ended(self) -> _Begun:
        """Let the images go."""
        self.images = []
        return self


def _collect(
    results: Iterable[tuple[ImagePair, _Begun]],
    prediction_sets: Sequence[PredictionSet],
    total: int,
    progress: Progress | None,
) -> list[Accumulation]:
    owners = [scoring.chosen.state_owners() for scoring in prediction_sets]
    accumulations = [
        Accumulation(
            PairValues([metric.name for metric in scoring.chosen.pair_metrics]),
            states={key: {} for key in each},
        )
        for scoring, each in zip(prediction_sets, owners, strict=True)
    ]
    for done, (pair, begun) in enumerate(results, start=1):
        for number, (scoring, found) in enumerate(zip(prediction_sets, begun.found, strict=True)):
            _add(pair, scoring.chosen, accumulations[number], owners[number], found)
        begun.found = []  # whoever still holds the pair holds no patches or features
        if progress is not None:
            progress(done, total)
    return accumulations


def _add(
    pair: ImagePair,
    chosen: ChosenMetrics,
    into: Accumulation,
    owners: Mapping[str, SetMetric[Any]],
    found: _Found,
) -> None:
    into.scores.add(pair.id, found.values)
    into.counts[pair.group] = into.counts.get(pair.group, 0) + 1
    for key, metric in owners.items():
        states = into.states[key]
        if pair.group not in states:
            states[pair.group] = metric.new_state()
        update = partial(metric.update, states[pair.group], pair.id, found.descriptions[key])
        guarded(metric, f" on pair {pair.id}", update)


def _load(
    pair: ImagePair,
    prediction_sets: Sequence[PredictionSet],
    preparation: Preparation,
    store: FeatureStore | None,
) -> _Begun:
    """Decode the target and each prediction once; what is found in the target, all share."""
    target = preparation.apply_target(read_image(pair.target))
    cache = None
    if store is not None:
        cache = TargetFeatures(store, lambda: content_hash(pair.target, preparation))
    paths = [scoring.predictions[pair.id] for scoring in prediction_sets]
    decoded = {path: read_image(pair.prediction(path)) for path in dict.fromkeys(paths)}
    for path, predicted in decoded.items():
        if predicted.shape != target.shape:
            raise DataError(
                f"{path}: prediction of pair {pair.id} decodes to {predicted.shape[1]} x "
                f"{predicted.shape[0]}, its target to {target.shape[1]} x {target.shape[0]}"
            )
    first = PairImages(pair.id, decoded[paths[0]], target, cache, pair.group)
    return _Begun(
        images=[first, *(first.beside(decoded[path]) for path in paths[1:])],
        labels=[pair.id if len(decoded) == 1 else f"{pair.id} ({path})" for path in paths],
        found=[_Found() for _ in prediction_sets],
    )


def _score(begun: _Begun, prediction_sets: Sequence[PredictionSet], *, networks: bool) -> None:
    """Add the values of the metrics that run a network, or of those that run none.

    One metric after the other, each for all prediction_sets: a target's activations are kept for no
    longer than their metric needs.
    """
    parts = list(zip(prediction_sets, begun.images, begun.labels, begun.found, strict=True))
    metrics = [{m.name: m for m in scoring.chosen.pair_metrics} for scoring in prediction_sets]
    for name in dict.fromkeys(name for each in metrics for name in each):
        for (scoring, images, label, found), known in zip(parts, metrics, strict=True):
            if name in known and (name in scoring.chosen.networks) == networks:
                score = partial(known[name].score_pair, images)
                value = guarded(known[name], f" on pair {label}", score)
                found.values[name] = check_value(known[name], value, label)
        if networks:
            begun.images[0].forget_target()
    for scoring, images, label, found in parts:
        for key, owner in scoring.chosen.state_owners(networks=networks).items():
            describe = partial(owner.describe, images)
            found.descriptions[key] = guarded(owner, f" on pair {label}", describe)
            check_description(owner, found.descriptions[key], label)


def _in_order(
    pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], _Begun]], most: int
) -> Iterator[_Begun]:
    """Yield the jobs' results in their order, with at most ``most`` of them under way."""
    waiting: deque[Future[_Begun]] = deque()
    for job in jobs:
        waiting.append(pool.submit(job))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
