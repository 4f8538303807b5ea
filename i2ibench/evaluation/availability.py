"""Metrics and the weights they rest on, over time: which have come, which have gone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol as Structural

from i2ibench.data.images import image_size
from i2ibench.data.pairs import PairedDataset
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.evaluation.metric_choice import choose_metrics
from i2ibench.evaluation.protocol import Protocol
from i2ibench.files import cache_folder, read_json, write_text
from i2ibench.metrics.interface import Context, registered_metric
from i2ibench.metrics.networks.network_loading import find_weights
from i2ibench.metrics.networks.weights import present


class Recorded(Structural):
    """A metric's record: ``MetricValue`` of an evaluation, or what a result keeps of it."""

    @property
    def value(self) -> float | None:
        """The score, or None."""

    @property
    def signature(self) -> str:
        """The definition; empty where nothing was computed."""

    @property
    def unavailable(self) -> str | None:
        """Why nothing was computed."""


def arrived(
    recorded: Mapping[str, Recorded],
    protocol: Protocol,
    dataset: PairedDataset,
    *,
    allow_unverified_weights: bool = False,
) -> list[str]:
    """Return the metrics that were left out for want of weights and can be computed now.

    Where nothing has changed this looks for files and reads none: weights are hundreds of
    megabytes, and a run that is finished is asked often. It never loads torch.
    """
    context = Context(allow_unverified_weights=allow_unverified_weights)
    ready = [
        name
        for name in protocol.metric_names
        if name in recorded
        and recorded[name].unavailable is not None
        and not recorded[name].signature
        and (needed := _weights_of(name))
        and all(_is_here(weights, context) for weights in needed)
    ]
    if not ready:
        return []
    prepared = protocol.preparation
    sizes = {pair.id: prepared.size(*image_size(pair.target)) for pair in dataset}
    # The rule of every evaluation decides: weights are not all that a metric may lack.
    chosen = choose_metrics(protocol.only(ready), None, context, sizes)
    return [name for name in ready if name not in chosen.unavailable]


def gone(
    recorded: Mapping[str, Recorded],
    names: Iterable[str],
    *,
    allow_unverified_weights: bool = False,
) -> dict[str, str]:
    """Return which of ``names`` have a recorded value whose weights are no longer here, and why."""
    context = Context(allow_unverified_weights=allow_unverified_weights)
    reasons: dict[str, str] = {}
    for name in names:
        if name not in recorded or recorded[name].value is None:
            continue
        try:
            for weights in _weights_of(name):
                find_weights(weights, context)
        except MissingError as error:
            reasons[name] = str(error)
    return reasons


def _weights_of(metric: str) -> tuple[str, ...]:
    """Return the weights a metric needs; none where its plugin is no longer installed."""
    try:
        return registered_metric(metric).weights
    except UsageError:
        return ()


def _is_here(weights: str, context: Context) -> bool:
    """Whether weights are here and are what they should be; refused files are not read again."""
    files = present(weights)
    if not files:
        return False
    memory = _Refused(weights, context.allow_unverified_weights)
    stamps = [_stamp(path) for path in files]
    if memory.holds(stamps):
        return False
    try:
        find_weights(weights, context)
    except MissingError:
        memory.keep(stamps)
        return False
    return True


class _Refused:
    """Remembers in the cache which files, by place, size and time, were not the known weights."""

    def __init__(self, weights: str, allow_unverified: bool) -> None:
        self._file = cache_folder() / "refused-weights.json"
        self._key = f"{weights}, unverified too" if allow_unverified else weights

    def holds(self, stamps: list[list[str | int]]) -> bool:
        return self._read().get(self._key) == stamps

    def keep(self, stamps: list[list[str | int]]) -> None:
        # A cache that cannot be written (read-only home) costs time, not correctness.
        with contextlib.suppress(OSError):
            write_text(self._file, json.dumps({**self._read(), self._key: stamps}))

    def _read(self) -> dict[str, object]:
        try:
            content = read_json(self._file)
        except (OSError, DataError):
            return {}
        return content if isinstance(content, dict) else {}


def _stamp(path: Path) -> list[str | int]:
    state = path.stat()
    return [str(path), state.st_size, state.st_mtime_ns]
