"""Whether a board can be believed: each entry follows from its scores, and none stands twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from i2ibench.errors import DataError
from i2ibench.leaderboard.entries import Entry, entry_name
from i2ibench.leaderboard.rows import track_key
from i2ibench.results.consistency import contradictions
from i2ibench.results.differences import Discrepancy
from i2ibench.results.evaluation_intervals import KEYS, metric_columns
from i2ibench.results.methods import method_key
from i2ibench.wording import count

# Of many findings, this many are named.
_NAMED = 8


def check_entries(entries: Sequence[Entry]) -> None:
    """Check that no entry contradicts itself or another one.

    Raises:
        DataError: some do; the message names each, its file first.
    """
    findings = [f"{path}: {each.subject}: {each.detail}" for path, each in _findings(entries)]
    if not findings:
        return
    shown = "; ".join(findings[:_NAMED])
    more = f"; and {len(findings) - _NAMED} more" if len(findings) > _NAMED else ""
    raise DataError(
        f"{count(len(findings), 'finding')}: {shown}{more}; restore the entries, or add the runs "
        "again with: i2ibench leaderboard add RUN --overwrite"
    )


def _findings(entries: Sequence[Entry]) -> Iterator[tuple[Path, Discrepancy]]:
    for entry in entries:
        for each in contradictions(entry.result, entry.pair_scores):
            yield entry.path, each
        if entry.path.stem != entry_name(entry.result):
            yield (
                entry.path,
                Discrepancy("file", f"holds the entry that is called {entry_name(entry.result)}"),
            )
        if entry.path.parent.name != entry.result.dataset.name:
            yield (
                entry.path,
                Discrepancy("file", f"holds an entry of data set {entry.result.dataset.name}"),
            )
    by_track: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        by_track.setdefault(track_key(entry.result), []).append(_by_id(entry))
    for rivals in by_track.values():
        for first, second in combinations(rivals, 2):
            yield from _twice(first, second)
        scored = [entry for entry in rivals if entry.pair_scores is not None]
        for other in scored[1:]:
            yield from _other_labels(scored[0], other)


def _by_id(entry: Entry) -> Entry:
    """Return the entry with its pairs in the order of ids: another order hides nothing."""
    if entry.pair_scores is None:
        return entry
    ordered = entry.pair_scores.sort_values("id").reset_index(drop=True)
    return replace(entry, pair_scores=ordered)


def _twice(first: Entry, second: Entry) -> Iterator[tuple[Path, Discrepancy]]:
    """Yield the second of two entries of one track that are one measurement."""
    mine, theirs = first.result, second.result
    one_method = method_key(mine) == method_key(theirs)
    if one_method and mine.seed is not None and mine.seed == theirs.seed:
        yield (
            second.path,
            Discrepancy("seed", f"{theirs.seed} of this method stands in {first.path.name}, too"),
        )
        return
    closed_form = not mine.training and not mine.model.is_external
    if one_method and closed_form:
        return  # its seed makes no difference, and no claim
    if mine.model.checkpoint_sha256 is not None and (
        mine.model.checkpoint_sha256 == theirs.model.checkpoint_sha256
    ):
        yield second.path, Discrepancy("checkpoint", f"that of {first.path.name}, too")
        return
    if _same_scores(first, second):
        yield second.path, Discrepancy("predictions", f"those of {first.path.name}, by every score")


def _other_labels(first: Entry, second: Entry) -> Iterator[tuple[Path, Discrepancy]]:
    """Yield that two entries of one track put a pair into other groups or clusters."""
    if first.pair_scores is None or second.pair_scores is None:
        return
    tables = [first.pair_scores, second.pair_scores]
    mine, theirs = (table[list(KEYS)].fillna("").to_numpy().tolist() for table in tables)
    apart = next((pair for pair, other in zip(mine, theirs, strict=False) if pair != other), None)
    if apart is not None:
        yield (
            second.path,
            Discrepancy(
                f"pair {apart[0]}", f"of another group or cluster than in {first.path.name}"
            ),
        )


def _same_scores(first: Entry, second: Entry) -> bool:
    """Whether two entries have one score on every pair, and so the same predictions.

    One metric that varies is enough: another prediction gives another PSNR on some pair. Columns of
    few values, such as levels or scores of 0, tell nothing.
    """
    if first.pair_scores is None or second.pair_scores is None:
        return False
    mine, theirs = first.pair_scores, second.pair_scores
    if list(mine["id"]) != list(theirs["id"]):
        return False
    for name in metric_columns(mine):
        if name not in theirs.columns:
            continue
        one, two = (table[name].to_numpy(dtype=np.float64) for table in (mine, theirs))
        varied = len(np.unique(one[np.isfinite(one)])) > len(one) / 2
        if varied and np.allclose(one, two, rtol=1e-9, atol=0.0, equal_nan=True):
            return True
    return False
