"""Intervals of a board's rows kept in the cache, so that a further entry pays only for its own.

The key is the content: hashes of the scores per pair, the way intervals are made, and the versions
of what makes them. ``leaderboard check`` takes nothing from here.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from i2ibench.errors import DataError
from i2ibench.files import cache_folder, read_json, sha256_json, write_json
from i2ibench.metrics.interface import PairMetric, installed_metric
from i2ibench.results.evaluation_intervals import Estimate, ScoreIntervals
from i2ibench.results.record import Result
from i2ibench.statistics.bootstrap import METHOD, RESAMPLES


class KeptIntervals:
    """The intervals of one track's rows; empty where nothing is kept."""

    def __init__(self, track: Sequence[str]) -> None:
        self._path = cache_folder() / "board-intervals" / f"{sha256_json(list(track))}.json"
        self._known: dict[str, Any] = {}
        self._used: dict[str, Any] = {}
        # A cache that is damaged costs time, not correctness.
        with contextlib.suppress(DataError, OSError):
            found = read_json(self._path)
            self._known = found if isinstance(found, dict) else {}

    def get(self, key: str | None) -> ScoreIntervals | None:
        """Return what is kept under a key, or None."""
        if key is None or key not in self._known:
            return None
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
            found = _read(self._known[key])
            self._used[key] = self._known[key]
            return found
        return None

    def put(self, key: str | None, intervals: ScoreIntervals | None) -> None:
        """Keep the intervals of a row."""
        if key is not None and intervals is not None:
            self._used[key] = _written(intervals)

    def flush(self) -> None:
        """Write what was asked for, where it is not what was there."""
        if self._used.keys() != self._known.keys():
            with contextlib.suppress(OSError):
                write_json(self._path, self._used)


def intervals_key(results: Iterable[Result], metrics: Iterable[str]) -> str | None:
    """Return what the intervals of a row follow from; None where a result names no scores."""
    hashes = [result.pair_scores_sha256 for result in results]
    if None in hashes:
        return None
    return sha256_json(
        {
            "scores": hashes,
            "method": METHOD,
            "resamples": RESAMPLES,
            "versions": _versions(),
            "metrics": {name: _counting(name) for name in metrics},
        }
    )


@cache
def _versions() -> list[str]:
    return [importlib.metadata.version("i2ibench"), np.__version__]


def _counting(name: str) -> list[Any]:
    """Return what decides in which groups a metric counts."""
    metric = installed_metric(name)
    if metric is None or not issubclass(metric, PairMetric):
        return []
    return [bool(metric.undefined_means), metric.least_pairs_of_group]


def _written(intervals: ScoreIntervals) -> dict[str, Any]:
    def estimates(of: Mapping[str, Estimate]) -> dict[str, Any]:
        return {
            name: [mean.hex(), None if ci95 is None else [end.hex() for end in ci95]]
            for name, (mean, ci95) in of.items()
        }

    return {
        "overall": estimates(intervals.overall),
        "groups": {group: estimates(of) for group, of in intervals.groups.items()},
        "macro": estimates(intervals.macro),
        "statement": intervals.statement,
    }


def _read(kept: Mapping[str, Any]) -> ScoreIntervals:
    def estimates(of: Mapping[str, Any]) -> dict[str, Estimate]:
        found: dict[str, Estimate] = {}
        for name, (mean, ends) in of.items():
            low_high = None if ends is None else tuple(map(float.fromhex, ends))
            found[name] = (float.fromhex(mean), low_high)  # type: ignore[assignment]
        return found

    return ScoreIntervals(
        overall=estimates(kept["overall"]),
        groups={group: estimates(of) for group, of in kept["groups"].items()},
        macro=estimates(kept["macro"]),
        statement=dict(kept["statement"]),
    )
