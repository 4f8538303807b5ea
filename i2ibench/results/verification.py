"""Recomputing a result from its predictions and data: every hash, every number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ibench import provenance
from i2ibench.errors import I2IBenchError, MissingError, UsageError, VerificationError
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.scores import Evaluation
from i2ibench.notebook import Printed, Table
from i2ibench.results.build_record import can_make_intervals, recomputed_result
from i2ibench.results.differences import (
    Discrepancy,
    number_discrepancies,
    score_discrepancies,
    tolerance,
)
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.origin import folder_discrepancies
from i2ibench.results.own_contradictions import own_contradictions
from i2ibench.results.pair_scores import pair_scores_beside
from i2ibench.results.record import EnvironmentRecord, Result, VerifiedRecord
from i2ibench.results.record_files import write_result
from i2ibench.results.stored_result import StoredResult, open_stored
from i2ibench.wording import count, some

# Files of a run, and what they tell of its origin.
_TELLING = {
    "experiment.json": "seed, settings and budget",
    "checkpoints/last.ckpt.json": "training time and steps",
    "predictions/manifest.json": "translation time",
}
# What is said of a metric that was looked at.
RECOMPUTED = "recomputed"


@dataclass(frozen=True, slots=True, repr=False)
class Verification(Printed):
    """A recomputed result.

    Attributes:
        stored: the result with its files, hashed again.
        findings: everything that differs; empty where the result is confirmed.
        metrics: by name, ``"recomputed"``, or why it was not.
        checked: what was looked at, one line each.
        not_checked: what could not be looked at, one line each.
        tolerances: relative, by metric.
    """

    stored: StoredResult
    findings: tuple[Discrepancy, ...]
    metrics: Mapping[str, str]
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    tolerances: Mapping[str, float]

    @property
    def path(self) -> Path:
        """Where the result lies."""
        return self.stored.path

    @property
    def result(self) -> Result:
        """The result as recorded."""
        return self.stored.result

    @property
    def hashes(self) -> Mapping[str, str]:
        """By what was hashed, ``"as recorded"``, ``"differs"``, or why it was not looked at."""
        return self.stored.hashes

    def _lines(self) -> Sequence[str]:
        found = "confirmed" if not self.findings else count(len(self.findings), "finding")
        done = sum(said == RECOMPUTED for said in self.metrics.values())
        numbers = f"{done} of {count(len(self.metrics), 'metric')} recomputed"
        first = f"; {self.findings[0].subject}: {self.findings[0].detail}" if self.findings else ""
        left = f", not looked at: {some(self.not_checked, 3)}" if self.not_checked else ""
        return [f"{self.path}: {found}{first}", numbers, f"{len(self.checked)} checked{left}"]

    def _tables(self) -> Sequence[Table]:
        rows = [[each.subject, each.detail] for each in self.findings]
        rows += [[f"not looked at: {each}", ""] for each in self.not_checked]
        metrics = [[name, said] for name, said in self.metrics.items()]
        tables: list[Table] = [("", ["metric", ""], metrics)]
        return [*tables, ("", ["finding", ""], rows)] if rows else tables

    def error(self) -> I2IBenchError | None:
        """Return what stands against the result, or None where it is confirmed."""
        if not self.findings:
            return None
        if all(finding.missing for finding in self.findings):
            first = self.findings[0]
            return MissingError(f"{self.path}: {first.subject} {first.detail}")
        return VerificationError(f"{self.path}: {len(self.findings)} findings; it is not confirmed")


def verify(
    path: str | Path,
    *,
    dataset: str | None = None,
    targets: str | Path | None = None,
    data_root: str | Path | None = None,
    predictions: str | Path | None = None,
    protocol: str | None = None,
    device: str = "auto",
    allow_unverified_weights: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Hash predictions and data again, recompute every metric, and compare.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> found = i2ibench.verify(outcome.folder, dataset="my-data", device="cpu")
    >>> found.findings, found.metrics["psnr"]
    ((), 'recomputed')

    What could not be looked at (a metric without its weights, a hash without its file) is said, and
    is no part of what is confirmed.

    Args:
        path: a run folder, its ``result.json``, or an entry of a board.
        dataset: name or path of the data set; by default the recorded name.
        targets: a folder of targets, where the result was scored against one.
        data_root: folder that holds the data set.
        predictions: their folder; by default ``predictions`` beside the result.
        protocol: its TOML file, where it is one of your own; by default the recorded id.
        device: where networks run.
        allow_unverified_weights: accept metric weights of unknown hash.
        progress: called with the pairs done and all pairs.

    Raises:
        DataError: the result or its predictions cannot be read at all.
        MissingError: the data set is not on this machine.
    """
    stored = open_stored(
        path,
        dataset=dataset,
        targets=targets,
        data_root=data_root,
        predictions=predictions,
        protocol=protocol,
    )
    path, result, pairs, rules = stored.path, stored.result, stored.pairs, stored.protocol
    names = list(result.metrics)
    by_name = None if sorted(names) == sorted(rules.metric_names) else names
    again = evaluate(
        pairs,
        stored.predictions,
        protocol=rules,
        metrics=by_name,
        device=device,
        allow_unverified_weights=allow_unverified_weights,
        progress=progress,
        training_targets=stored.dataset.split_if_there("train"),
        use_cache=False,  # kept features were computed from bytes that nobody reads again
    )
    tolerances = {name: tolerance(name) for name in names}
    findings = [
        *stored.findings,
        *own_contradictions(result),
        *folder_discrepancies(result, path.parent),
        *number_discrepancies(result, recomputed_result(result, again), tolerances),
        *score_discrepancies(path, again.pair_scores, tolerances),
    ]
    metrics = {name: _looked_at(again, name) for name in names}
    return Verification(
        stored,
        tuple(dict.fromkeys(findings)),
        metrics,
        tuple(_checked(stored, again, metrics)),
        tuple(_not_checked(stored, metrics)),
        tolerances,
    )


def record_verified(verification: Verification) -> Result:
    """Mark a confirmed result as verified, with the versions that recomputed it, and return it.

    A result whose predictions were made again keeps its higher status.
    """
    if verification.findings:
        raise UsageError(f"{verification.path} is not confirmed and cannot be marked verified")
    known = verification.result
    confirmed = known.model_copy(
        update={
            "status": "reproduced" if known.status == "reproduced" else "verified",
            "verified": VerifiedRecord(
                created=provenance.now(),
                environment=EnvironmentRecord.model_validate(provenance.environment()),
                relative_tolerances={
                    name: limit
                    for name, limit in verification.tolerances.items()
                    if verification.metrics[name] == RECOMPUTED
                },
            ),
        }
    )
    write_result(verification.path, confirmed)
    return confirmed


def _looked_at(again: Evaluation, name: str) -> str:
    found = again.metrics[name]
    # One that is undefined on these data was looked at, and has a signature.
    return RECOMPUTED if found.signature else f"not recomputed: {found.unavailable}"


def _checked(stored: StoredResult, again: Evaluation, metrics: Mapping[str, str]) -> Iterator[str]:
    """Yield what was looked at; what differs stands among the findings."""
    result = stored.result
    hashed = [what for what, state in stored.hashes.items() if not state.startswith("not ")]
    yield f"hashed: {', '.join(hashed)} ({count(len(stored.pairs), 'pair')})"
    done = [name for name, state in metrics.items() if state == RECOMPUTED]
    tables = ["overall"]
    if result.groups:
        tables.append(f"in {count(len(result.groups), 'group')}, macro mean")
    yield f"{count(len(done), 'metric')} recomputed ({', '.join(tables)}): {', '.join(done)}"
    if pair_scores_beside(stored.path) is not None:
        columns = len(metric_columns(again.pair_scores))
        yield f"{len(again.pair_scores)} x {columns} scores per pair compared"
    if can_make_intervals(result.intervals):
        method = result.intervals.method or "none"
        yield f"intervals recomputed by the recorded method: {method}"


def _not_checked(stored: StoredResult, metrics: Mapping[str, str]) -> Iterator[str]:
    """Yield what could not be looked at, and why."""
    for name, state in metrics.items():
        if state != RECOMPUTED:
            yield f"{name} {state}"
    for what, state in stored.hashes.items():
        if state.startswith("not "):
            yield f"{what} {state}"
    result = stored.result
    if not can_make_intervals(result.intervals):
        yield (
            f"intervals NOT recomputed: this i2ibench does not know their method, "
            f"'{result.intervals.method}'; all values were"
        )
    if result.model.is_external:
        return
    yield "that the weights made these predictions: see --retranslate"
    for file, what in _TELLING.items():
        if not (stored.path.parent / file).exists():
            yield f"{what}: no {file} beside the record"
