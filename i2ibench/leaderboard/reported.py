"""Reported results: numbers read in a paper or a repository, with where they stand.

They are shown apart from measured ones and never ranked against them. Rows may be compared with
each other only within a ``comparable_group``, and only there does a number like FID mean anything.
"""

from __future__ import annotations

import importlib.resources
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pydantic

from i2ibench.errors import DataError, UsageError
from i2ibench.files import read_json, visible_files
from i2ibench.metrics.presentation import direction
from i2ibench.registry import unknown_name
from i2ibench.results.evaluation_intervals import metric_columns
from i2ibench.results.record_files import migrate
from i2ibench.results.score_tables import read_score_table
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.settings import explain

if sys.version_info >= (3, 11):
    from importlib.resources.abc import Traversable
else:
    from importlib.abc import Traversable


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ReportedEntry(_Part):
    """One published set of numbers.

    Attributes:
        method: as its source calls it.
        metrics: the numbers by metric name, as printed there.
        source: where the numbers were read.
        quoted_by: who quotes them, where the source itself was not read.
        comparable_group: rows of one group share a protocol; None where it is unknown.
        protocol: what is known of how the numbers came about.
        model: the registered model that implements the method, for measured minus reported.
        conditioned_on_label: whether the method is told the group (HER2 level) of each source.
        pairs: how many pairs were scored.
        trained_on: the training data, where it is not the data set itself.
        training_hours: as stated by the source.
        remark: further numbers or circumstances.
    """

    method: str
    metrics: dict[str, float]
    source: str
    quoted_by: str | None = None
    comparable_group: str | None = None
    protocol: str | None = None
    model: str | None = None
    conditioned_on_label: bool = False
    pairs: int | None = None
    trained_on: str | None = None
    training_hours: float | None = None
    remark: str | None = None


class ComparableGroup(_Part):
    """What the rows of a comparable group share.

    ``pair_scores`` names a published table of scores per pair beside the entries; groups are shown
    by their ``order``, those without one last.
    """

    title: str
    order: int | None = None
    protocol: str | None = None
    pair_scores: str | None = None
    remarks: tuple[str, ...] = ()


class _ReportedFile(_Part):
    """A file of reported entries of one data set."""

    schema_: Literal[1] = pydantic.Field(alias="schema")
    status: Literal["reported"] = "reported"
    dataset: str
    entries: tuple[ReportedEntry, ...]


@dataclass(frozen=True, slots=True)
class Reported:
    """The reported entries of one comparable group, or those without one.

    Attributes:
        id: of the group; None for rows that can be compared with nothing.
        group: its description.
        entries: in the order of their sources.
        pair_scores: published scores per pair by method, where the source has them.
    """

    id: str | None
    group: ComparableGroup
    entries: tuple[ReportedEntry, ...]
    pair_scores: Mapping[str, pd.DataFrame]


def reported_groups(dataset: str, folder: Path) -> list[Reported]:
    """Return the reported entries of a data set: those shipped, and those added in ``folder``.

    ``folder`` holds the boards; further files of reported entries lie in ``<data set>/`` there
    beside the measured ones and say ``"status": "reported"``.
    """
    entries = [*published_entries(dataset), *_added_entries(folder, dataset)]
    by_group: dict[str | None, list[ReportedEntry]] = {}
    for entry in entries:
        by_group.setdefault(entry.comparable_group, []).append(entry)
    known = published_groups()

    def place(name: str | None) -> tuple[bool, float, str]:
        order = known[name].order if name in known else None
        return (name is None, float("inf") if order is None else order, name or "")

    return [
        Reported(
            name,
            known.get(name or "", ComparableGroup(title=name or "No known protocol")),
            tuple(by_group[name]),
            _pair_scores(known.get(name or ""), by_group[name]),
        )
        for name in sorted(by_group, key=place)
    ]


def published_datasets() -> list[str]:
    """Return the data sets with reported entries that are shipped."""
    files = (file.name for file in _published().iterdir() if file.name.endswith(".json"))
    return sorted(name.removesuffix(".json") for name in files if name != "groups.json")


def published_entries(dataset: str) -> tuple[ReportedEntry, ...]:
    """Return the shipped reported entries of a data set."""
    if dataset not in published_datasets():
        return ()
    with importlib.resources.as_file(_published() / f"{dataset}.json") as path:
        return parse_reported(read_json(path), path, dataset)


@cache
def published_groups() -> dict[str, ComparableGroup]:
    """Return the shipped descriptions of comparable groups by id."""
    with importlib.resources.as_file(_published() / "groups.json") as path:
        return {name: ComparableGroup(**group) for name, group in read_json(path).items()}


@cache
def published_pair_scores(file: str) -> dict[str, pd.DataFrame]:
    """Return a shipped table of scores per pair, by method."""
    with importlib.resources.as_file(_published() / file) as path:
        return read_score_table(path)


def reported_methods(group: str) -> list[ScoredMethod]:
    """Return the methods of a comparable group whose scores per pair are published."""
    known = {name: found for name, found in published_groups().items() if found.pair_scores}
    if group not in known:
        raise UsageError(unknown_name("group with scores per pair", group, sorted(known)))
    file = known[group].pair_scores or ""
    return [
        ScoredMethod(
            method,
            scores,
            {name: direction(name) for name in metric_columns(scores)},
            path=Path(file),
        )
        for method, scores in published_pair_scores(file).items()
    ]


def parse_reported(content: Any, path: Path, dataset: str) -> tuple[ReportedEntry, ...]:
    """Turn a JSON file of reported entries into entries; problems name ``path``."""
    try:
        file = _ReportedFile.model_validate(migrate(content, path))
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: not reported entries: {explain(error)}") from None
    if file.dataset != dataset:
        raise DataError(f"{path}: holds entries of {file.dataset}, but lies in that of {dataset}")
    return file.entries


def is_reported(content: Any) -> bool:
    """Whether the JSON content of an entry file says that it is reported."""
    return isinstance(content, dict) and content.get("status") == "reported"


def entry_files(folder: Path, dataset: str) -> tuple[Path, ...]:
    """Return the files of the entries of a data set, in the order of their names.

    What a cut write, a file manager or a notebook left there is none.
    """
    return visible_files(folder / dataset, {".json"}, missing_ok=True)


def _added_entries(folder: Path, dataset: str) -> list[ReportedEntry]:
    added: list[ReportedEntry] = []
    for path in entry_files(folder, dataset):
        content = read_json(path)
        if is_reported(content):
            added += parse_reported(content, path, dataset)
    return added


def _pair_scores(
    group: ComparableGroup | None, entries: list[ReportedEntry]
) -> dict[str, pd.DataFrame]:
    if group is None or group.pair_scores is None:
        return {}
    found = published_pair_scores(group.pair_scores)
    return {e.method: found[e.method] for e in entries if e.method in found}


def _published() -> Traversable:
    return importlib.resources.files("i2ibench.leaderboard") / "published"
