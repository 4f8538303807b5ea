"""The one pass: each image is decoded once and seen by every metric."""

from __future__ import annotations

import math
import numbers
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import cv2

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError, I2IBenchError
from i2ibench.evaluation.chosen import Chosen
from i2ibench.evaluation.feature_cache import FeatureStore, TargetFeatures, content_hash
from i2ibench.loaded import torch_if_loaded
from i2ibench.metrics.interface import PairImages, PairMetric

Progress = Callable[[int, int], None]
# States of set metrics by group; the key None holds pairs without a group.
States = dict[str | None, Any]


@dataclass(slots=True)
class Accumulation:
    """What a pass over pairs found; accumulations of disjoint shards merge.

    Attributes:
        scores: by pair id, the values of pair metrics by name.
        states: by state key, the states by group; set metrics may share them.
        counts: pairs by group.
    """

    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    states: dict[str, States] = field(default_factory=dict)
    counts: dict[str | None, int] = field(default_factory=dict)

    def merge(self, other: Accumulation, chosen: Chosen) -> Accumulation:
        """Return the accumulation of both shards."""
        twice = self.scores.keys() & other.scores.keys()
        if twice:
            raise DataError(f"pair {min(twice)} is in both of the shards to merge")
        merged = Accumulation({**self.scores, **other.scores})
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


def accumulate(
    dataset: PairedDataset,
    predictions: Mapping[str, Path],
    chosen: Chosen,
    *,
    preparation: Preparation,
    workers: int,
    load_networks: Callable[[], None] | None = None,
    ahead: int = 0,
    store: FeatureStore | None = None,
    progress: Progress | None = None,
) -> Accumulation:
    """Score every pair of ``dataset`` in ``workers`` threads.

    Pairs are handed out and collected in the order of the data set, and only a few are in memory
    at a time. Each worker runs its networks on one CPU thread: nothing then depends on the number
    of workers, and no core waits for another. While this thread runs ``load_networks``, which
    takes seconds, all workers but one begin with the metrics of the first ``ahead`` pairs that
    need none: this thread needs a core of its own.

    Raises:
        DataError: an unreadable image, or a metric that fails or is NaN, with the pair's id.
    """

    def begin(pair: ImagePair) -> _Begun:
        images = _load(pair, predictions[pair.id], preparation, store)
        return _score(_Begun(images, {}, {}), chosen, networks=False)

    def finish(begun: _Begun) -> _Begun:
        return _score(begun, chosen, networks=True) if chosen.networks else begun

    pool = ThreadPoolExecutor(workers, "i2ibench-score")
    early_pool = ThreadPoolExecutor(max(1, workers - 1), "i2ibench-early")
    try:
        with _one_opencv_thread():
            early: list[Future[_Begun]] = []
            if load_networks is not None and chosen.networks:
                early = [early_pool.submit(begin, pair) for pair in dataset.pairs[:ahead]]
                load_networks()
            with _exact_torch():
                jobs = [partial(lambda started: finish(started.result()), job) for job in early]
                later = (
                    partial(lambda p: finish(begin(p)), p) for p in dataset.pairs[len(early) :]
                )
                results = _in_order(pool, chain(jobs, later), 2 * workers)
                return _collect(zip(dataset, results, strict=True), chosen, len(dataset), progress)
    finally:
        for each in (early_pool, pool):
            each.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True)
class _Begun:
    """A pair under way: its images, and what metrics have found so far."""

    images: PairImages | None
    values: dict[str, float]
    descriptions: dict[str, Any]


def _collect(
    results: Iterable[tuple[ImagePair, _Begun]],
    chosen: Chosen,
    total: int,
    progress: Progress | None,
) -> Accumulation:
    owners = chosen.state_owners()
    found = Accumulation(states={key: {} for key in owners})
    for done, (pair, scored) in enumerate(results, start=1):
        found.scores[pair.id] = {m.name: scored.values[m.name] for m in chosen.pair_metrics}
        found.counts[pair.group] = found.counts.get(pair.group, 0) + 1
        for key, metric in owners.items():
            states = found.states[key]
            if pair.group not in states:
                states[pair.group] = metric.new_state()
            metric.update(states[pair.group], pair.id, scored.descriptions[key])
        if progress is not None:
            progress(done, total)
    return found


def _load(
    pair: ImagePair, prediction: Path, preparation: Preparation, store: FeatureStore | None
) -> PairImages:
    predicted = read_image(ImageRef(prediction))
    target = preparation.apply(read_image(pair.target))
    if predicted.shape != target.shape:
        raise DataError(
            f"prediction of pair {pair.id} decodes to {predicted.shape[1]} x {predicted.shape[0]}, "
            f"its target to {target.shape[1]} x {target.shape[0]}"
        )
    cache = None
    if store is not None:
        cache = TargetFeatures(store, lambda: content_hash(pair.target, preparation))
    return PairImages(pair.id, predicted, target, cache, pair.group)


def _score(begun: _Begun, chosen: Chosen, *, networks: bool) -> _Begun:
    """Add the values of the metrics that run a network, or of those that run none."""
    images = begun.images
    if images is None:
        raise ValueError("the images of this pair were let go")
    if networks:
        _one_torch_thread()
    for metric in chosen.pair_metrics:
        if (metric.name in chosen.networks) == networks:
            value = _guarded(metric.name, images, metric.score_pair)
            _check_value(metric, value, images.id)
            begun.values[metric.name] = value
    for key, described in chosen.state_owners(networks=networks).items():
        begun.descriptions[key] = _guarded(described.name, images, described.describe)
    if networks or not chosen.networks:
        begun.images = None
    return begun


def _guarded(name: str, images: PairImages, function: Callable[[PairImages], Any]) -> Any:
    try:
        return function(images)
    except (I2IBenchError, MemoryError):
        raise
    except Exception as error:
        raise DataError(
            f"metric {name} failed on pair {images.id}: {type(error).__name__}: {error}"
        ) from error


def _check_value(metric: PairMetric, value: object, pair_id: str) -> None:
    if not isinstance(value, numbers.Real):
        raise DataError(
            f"metric {metric.name} gave {type(value).__name__} and no number on pair {pair_id}; "
            "tell its authors"
        )
    value = float(value)
    if math.isfinite(value) or (metric.infinite_when_equal and value == math.inf):
        return
    raise DataError(f"metric {metric.name} is {value} on pair {pair_id}; look at its images")


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


def _one_torch_thread() -> None:
    torch = torch_if_loaded()
    if torch is not None:
        torch.set_num_threads(1)


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Let the workers be the only parallelism."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def _exact_torch() -> Iterator[None]:
    """Keep fp32 exact on GPUs for a while, and bring torch's threads back afterwards."""
    torch = torch_if_loaded()
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    tf32 = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        matmul.allow_tf32, cudnn.allow_tf32 = tf32
