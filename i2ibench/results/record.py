"""The record of a run: one JSON file whose numbers carry their signatures, intervals and origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pydantic

from i2ibench.errors import DataError
from i2ibench.evaluation.scores import Better, Evaluation, MetricValue
from i2ibench.files import read_json, sha256_bytes, sha256_json, write_json
from i2ibench.results.evaluation_intervals import (
    Interval,
    Intervals,
    cluster_codes,
    evaluation_intervals,
)
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.pair_scores import read_pair_scores as read_pair_scores
from i2ibench.results.pair_scores import write_pair_scores as write_pair_scores

SCHEMA: Final = 1
Status = Literal["measured", "verified"]
Moment = Annotated[str, pydantic.Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class _Part(pydantic.BaseModel):
    # Left to itself pydantic would write NaN in an open dictionary as null.
    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants"
    )


class MetricRecord(_Part):
    """One number with everything needed to read it; see ``evaluation.scores.MetricValue``."""

    value: float | None
    n: int = pydantic.Field(ge=0)
    unit: str = ""
    better: Better | None = None
    signature: str = ""
    ci95: tuple[float, float] | None = None
    unavailable: str | None = None
    notes: tuple[str, ...] = ()


class GroupRecord(_Part):
    """The numbers of one group."""

    n: int = pydantic.Field(ge=0)
    metrics: dict[str, MetricRecord]


class ProtocolRecord(_Part):
    """The protocol's id and the hash of its frozen content.

    ``main`` and ``ranked`` as in the protocol, where it names them: a board then needs no file of
    a protocol of one's own.
    """

    id: str
    sha256: str
    main: tuple[str, ...] | None = None
    ranked: tuple[str, ...] | None = None


class Result(_Part):
    """What one run measured; schema 1.

    ``model``, ``dataset``, ``cost``, ``training`` and ``environment`` are open dictionaries with
    the keys of the design; ``intervals`` says how every ``ci95`` was made; ``verified`` by what a
    recomputation confirmed the numbers; ``pair_scores_sha256`` is the hash of ``scores.csv``.
    """

    schema_: Literal[1] = pydantic.Field(default=SCHEMA, alias="schema")
    status: Status = "measured"
    model: dict[str, Any]
    dataset: dict[str, Any]
    protocol: ProtocolRecord
    metrics: dict[str, MetricRecord]
    groups: dict[str, GroupRecord]
    macro: dict[str, MetricRecord]
    intervals: dict[str, Any] = {}
    training: dict[str, Any] = {}
    cost: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    seed: int | None = None
    run_id: str | None = None
    pair_scores_sha256: str | None = None
    created: Moment
    verified: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with the hash of its content under ``sha256``."""
        content = _without_defaults(self)
        return {**content, "sha256": sha256_json(content)}


def build_result(
    *,
    model: Mapping[str, Any],
    dataset: Mapping[str, Any],
    evaluation: Evaluation,
    cost: Mapping[str, Any],
    seed: int | None,
    environment: Mapping[str, Any],
    created: str,
    status: Status = "measured",
    **extra: Any,
) -> Result:
    """Join an evaluation with its origin and its intervals.

    Args:
        model: name, parameters, config, checkpoint_sha256.
        dataset: name, split, pairs, group_name, manifest_sha256, ...
        evaluation: what was scored; a metric that brings its own interval keeps it.
        cost: train_seconds, translate_seconds, evaluate_seconds, peak_memory_mb, ...
        seed: of the training; None where nothing is random.
        environment: ``provenance.environment()``.
        created: ``provenance.now()``.
        status: ``"measured"``, or ``"verified"`` after a recomputation.
        **extra: further fields of ``Result``, e.g. ``training`` (the budget) or ``run_id``.
    """
    intervals = evaluation_intervals(evaluation)
    if cluster_codes(evaluation.pair_scores) is not None:
        evaluation = _without_pair_intervals(evaluation)
    return Result(
        status=status,
        model=dict(model),
        dataset=dict(dataset),
        protocol=ProtocolRecord(
            id=evaluation.protocol,
            sha256=evaluation.protocol_sha256,
            main=evaluation.main,
            ranked=evaluation.ranked,
        ),
        metrics=_records(evaluation.metrics, intervals.overall),
        groups={
            name: GroupRecord(n=group.n, metrics=_records(group.metrics, intervals.groups[name]))
            for name, group in evaluation.groups.items()
        },
        macro=_records(evaluation.macro, intervals.macro),
        intervals=intervals.statement,
        cost=dict(cost),
        environment=dict(environment),
        seed=seed,
        pair_scores_sha256=sha256_bytes(pair_scores_csv(evaluation.pair_scores).encode("utf-8")),
        created=created,
        **extra,
    )


def write_result(path: Path, result: Result) -> None:
    """Write ``result`` atomically; a NaN or an infinity in it is a ``DataError``."""
    try:
        write_json(path, result.to_json())
    except ValueError as error:
        raise DataError(f"{path}: not written, the result is not valid JSON: {error}") from None


def read_result(path: Path) -> Result:
    """Read a result; a torn, edited or newer file is a ``DataError`` of one line."""
    return parse_result(read_json(path), path)


def parse_result(content: Any, path: Path) -> Result:
    """Turn the JSON content of ``path`` into a ``Result``, migrating older schemas."""
    result, intact = parse_unsealed(content, path)
    if not intact:
        raise DataError(
            f"{path}: edited after it was written (its sha256 does not fit its content); "
            "restore it, or find the edit with: i2ibench verify"
        )
    return result


def parse_unsealed(content: Any, path: Path) -> tuple[Result, bool]:
    """Return the ``Result`` even of an edited file, and whether it is as it was written."""
    content = migrate(content, path)
    stated = content.pop("sha256", None)
    try:
        result = Result.model_validate(content)
    except pydantic.ValidationError as error:
        raise DataError(f"{path}: not a result: {first_problem(error)}") from None
    return result, stated is None or stated == sha256_json(content)


def migrate(content: Any, path: Path) -> dict[str, Any]:
    """Return ``content`` in the present schema, or refuse it with one line."""
    if not isinstance(content, dict) or not isinstance(content.get("schema"), int):
        raise DataError(f"{path}: not a result of i2ibench (it names no schema)")
    schema = content["schema"]
    if schema > SCHEMA:
        raise DataError(
            f"{path}: schema {schema} is newer than this i2ibench (schema {SCHEMA}); "
            "update with: pip install -U i2ibench"
        )
    migrated = dict(content)
    for version in range(schema, SCHEMA):
        if version not in _MIGRATIONS:
            raise DataError(f"{path}: schema {schema} is unknown; known: 0 to {SCHEMA}")
        migrated = _MIGRATIONS[version](migrated)
    return migrated


def first_problem(error: pydantic.ValidationError) -> str:
    """Return the first problem of a validation as ``where: what``."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def _from_schema_0(content: dict[str, Any]) -> dict[str, Any]:
    """Schema 0, of the drafts before the first release, had neither status nor protocol hash."""
    changed = {key: value for key, value in content.items() if key != "sha256"}
    if isinstance(changed.get("protocol"), str):
        changed["protocol"] = {"id": changed["protocol"], "sha256": ""}
    return {"status": "measured", **changed, "schema": 1}


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_schema_0}


def _records(metrics: Mapping[str, MetricValue], intervals: Intervals) -> dict[str, MetricRecord]:
    return {name: _record(value, intervals.get(name)) for name, value in metrics.items()}


def _without_pair_intervals(evaluation: Evaluation) -> Evaluation:
    """Drop intervals that metrics bring: they take pairs as independent, which clusters are not."""

    def dropped(metrics: Mapping[str, MetricValue]) -> dict[str, MetricValue]:
        return {name: replace(metric, ci95=None) for name, metric in metrics.items()}

    groups = {
        name: replace(group, metrics=dropped(group.metrics))
        for name, group in evaluation.groups.items()
    }
    return replace(evaluation, metrics=dropped(evaluation.metrics), groups=groups)


def _record(metric: MetricValue, interval: Interval | None) -> MetricRecord:
    value, notes = metric.value, metric.notes
    if value is not None and value in (float("inf"), float("-inf")):
        # JSON has no infinity; the note keeps what the number cannot say.
        value, notes = None, notes or ("infinite",)
    return MetricRecord(
        value=value,
        n=metric.n,
        unit=metric.unit,
        better=metric.better,
        signature=metric.signature,
        ci95=metric.ci95 or interval,
        unavailable=metric.unavailable,
        notes=notes,
    )


def _without_defaults(result: Result) -> dict[str, Any]:
    """Return JSON values without what is absent; ``value`` stays, null says something there."""
    content: dict[str, Any] = result.model_dump(mode="json", by_alias=True)
    for optional in ("verified", "pair_scores_sha256", "run_id"):
        if content[optional] is None:
            del content[optional]
    content["protocol"] = {k: v for k, v in content["protocol"].items() if v is not None}
    tables = [content["metrics"], content["macro"]]
    tables += [group["metrics"] for group in content["groups"].values()]
    for table in tables:
        for name, metric in table.items():
            table[name] = {
                key: value
                for key, value in metric.items()
                if key == "value" or value not in (None, "", [])
            }
    return content
