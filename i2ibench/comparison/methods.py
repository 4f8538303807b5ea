"""Which methods are compared: runs, entries of boards, tables that others published."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.metrics.presentation import direction
from i2ibench.results.methods import is_one_set_of_weights, method_key, method_labels
from i2ibench.results.pair_scores import read_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result
from i2ibench.results.score_tables import read_score_table
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.wording import some


def read_methods(paths: Sequence[str | Path]) -> list[ScoredMethod]:
    """Read the methods of runs, entries and tables; runs that differ in their seed alone join.

    >>> outcome = i2ibench.run(model="copy", dataset="my-data", device="cpu")
    >>> [copy] = i2ibench.read_methods([outcome.folder])
    >>> copy.scores["psnr"].shape
    (8,)

    Each path is a run folder, a ``result.json``, an entry of a board, or a CSV with the columns
    ``id``, optionally ``group`` or ``level``, ``cluster`` and ``method``, and one a metric.

    Run folders that are not finished are left out beside others, with a warning that names them.

    Raises:
        UsageError: the same seed of one method twice.
        DataError: a run that is not finished, with none beside it; a file that is absent or torn,
            or a result without scores per pair.
    """
    runs: dict[tuple[object, ...], list[_Run]] = {}
    found: dict[tuple[object, ...], ScoredMethod] = {}
    for path in _finished([Path(each) for each in paths]):
        run = _run(path)
        if run is None:
            found.update({(path, each.label): each for each in _tables(path)})
        else:
            runs.setdefault(run.key, []).append(run)
            found.setdefault(run.key, run.method)
    labels = method_labels([seeds[0].result for seeds in runs.values()])
    for label, (key, seeds) in zip(labels, runs.items(), strict=True):
        found[key] = _joined(label, seeds)
    return list(found.values())


def _finished(paths: list[Path]) -> list[Path]:
    """Return what has a result: a pattern such as ``runs/.../*`` also finds interrupted runs."""
    begun = [
        path
        for path in paths
        if (path / "experiment.json").exists() and not (path / "result.json").exists()
    ]
    if begun and len(begun) == len(paths):
        raise DataError(f"{begun[0]}: not finished; the command that began it goes on with it")
    if begun:
        warnings.warn(
            f"left out, because not finished: {some([str(path) for path in begun], 3)}; the "
            "command that began a run goes on with it",
            stacklevel=3,
        )
    return [path for path in paths if path not in begun]


@dataclass(frozen=True, slots=True)
class _Run:
    """A result with its scores, before it joins the other seeds of its method."""

    result: Result
    method: ScoredMethod

    @property
    def key(self) -> tuple[object, ...]:
        """What seeds of one method share: the method, the pairs and the definitions."""
        described = (self.method.identity, self.method.signatures)
        return (method_key(self.result), *(tuple(sorted(each.items())) for each in described))


def _joined(label: str, runs: Sequence[_Run]) -> ScoredMethod:
    """Return the seeds of one method as one."""
    by_seed: dict[int | None, _Run] = {}
    for run in runs:
        seed = run.result.seed
        if seed in by_seed:
            one, other = by_seed[seed].method.path, run.method.path
            raise UsageError(
                f"{one} and {other} are seed {seed} of {label}, one and the same; give it once"
            )
        by_seed[seed] = run
    first, *others = (run.method for run in by_seed.values())
    return replace(
        first,
        label=label,
        further_seeds=tuple(other.scores for other in others),
        is_method=not is_one_set_of_weights([run.result for run in runs]),
    )


def _run(path: Path) -> _Run | None:
    """Return the result that ``path`` stands for; None of a table."""
    if path.is_dir():
        return _from_result(path / "result.json", path / "scores.csv")
    if path.suffix == ".json":
        beside = path.with_suffix(".csv")
        return _from_result(path, beside if beside.exists() else path.parent / "scores.csv")
    beside = path.parent / "result.json"
    if path.name == "scores.csv" and beside.exists():
        return _from_result(beside, path)
    return None


def _tables(path: Path) -> list[ScoredMethod]:
    return [
        ScoredMethod(
            label=method,
            scores=scores,
            better={name: direction(name.lower()) for name in scores.columns},
            path=path,
        )
        for method, scores in read_score_table(path).items()
    ]


def _from_result(path: Path, scores: Path) -> _Run:
    result = read_result(path)
    if not scores.exists():
        raise DataError(f"{path}: no scores per pair beside it; evaluate again with --output")
    method = ScoredMethod(
        label=result.model.name,
        scores=read_pair_scores(scores),
        better={name: record.better for name, record in result.metrics.items()},
        signatures={name: record.signature for name, record in result.metrics.items()},
        identity=_identity(result),
        margins=result.protocol.endpoints.margins if result.protocol.endpoints else {},
        path=path,
    )
    return _Run(result, method)


def _identity(result: Result) -> dict[str, str]:
    named = {
        "the data set": result.dataset.name,
        "the split": result.dataset.split,
        "the direction": result.dataset.direction,
        "the hash of the data": result.dataset.manifest_sha256,
        "the preparation of images": _preparation(result),
    }
    return {what: str(value) for what, value in named.items() if value is not None}


def _preparation(result: Result) -> str:
    """Say how images were scaled and cropped; a protocol not known here stands for itself."""
    recorded = result.protocol
    try:
        protocol = load_protocol(recorded.id)
    except UsageError:
        return f"that of {recorded.id} ({recorded.sha256[:12]})"
    if protocol.sha256 != recorded.sha256:
        return f"that of {recorded.id} ({recorded.sha256[:12]})"
    settings = protocol.preparation.model_dump(mode="json", exclude_none=True)
    return ", ".join(f"{key} {value}" for key, value in settings.items()) or "none"
