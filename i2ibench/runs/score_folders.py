"""Scoring a folder of images that any tool made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from i2ibench import provenance
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.one_pass import evaluate_together as evaluate_predictions
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import DEFAULT_PROTOCOL, Protocol, load_protocol
from i2ibench.evaluation.protocol_comparison import check_same_files
from i2ibench.results.additions import refuse_to_lose
from i2ibench.results.build_record import build_result
from i2ibench.results.pair_scores import write_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import write_result
from i2ibench.runs.outputs import check_names, check_outputs, model_name, model_names
from i2ibench.translation.manifest import MANIFEST_NAME, read_manifest

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True, slots=True)
class _Request:
    """A folder of predictions to score, and what becomes of it."""

    predictions: Path
    protocol: Protocol
    name: str
    output: Path | None


class ScoringOptions(TypedDict, total=False):
    """What ``evaluate`` and its sisters can be asked, all under the same names.

    Attributes:
        dataset: name or path of the data set whose ``split`` holds the targets.
        targets: a folder of targets instead of a data set.
        split: ``test`` if it is not said.
        metrics: names instead of the protocol's; one that cannot be computed is an error.
        feature_precision: of the networks behind metrics; bf16 is faster where the hardware has it,
            deviates, and stands in the signature.
        progress: called with (done, total).
        (others as in ``plan.Options``)
    """

    dataset: str | None
    targets: Path | None
    split: str
    direction: str | None
    data_root: Path | None
    limit: int | None
    metrics: Sequence[str] | None
    device: str
    allow_unverified_weights: bool
    feature_precision: Literal["fp32", "bf16"]
    progress: Callable[[int, int], None] | None


def evaluate(
    predictions: Path,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    name: str | None = None,
    output: Path | None = None,
    **options: Unpack[ScoringOptions],
) -> Result:
    """Score a folder of images that any tool made, matched to the pairs by id.

    Args:
        predictions: folder with one image a pair.
        protocol: id or file of the protocol.
        name: the model's name in the record; by default the folder's.
        output: receives ``result.json`` and ``scores.csv``; a result there is replaced, unless
            it is a run's, or the weights behind one of its values have gone away since.
        **options: see ``ScoringOptions``.
    """
    named = name or model_name(predictions)
    request = _Request(predictions, load_protocol(protocol), named, output)
    [result] = _evaluate([request], **options)
    return result


def evaluate_together(
    predictions: Sequence[Path],
    *,
    protocol: str = DEFAULT_PROTOCOL,
    names: Sequence[str] | None = None,
    output: Path | None = None,
    **options: Unpack[ScoringOptions],
) -> list[Result]:
    """Score the predictions of several models against the same targets, in one pass over them.

    Each value is the one that ``evaluate`` gives, and comes sooner: every target is decoded once,
    and what metrics find in it is found once. The cost of each is an equal share of the whole.

    Args:
        predictions: a folder a model.
        protocol: id or file of the protocol.
        names: of the models in records and tables, in the same order; by default the folders'
            names, or where these are the same, the parts by which their paths differ.
        output: receives a folder named by each model, with its result and scores.
        **options: see ``ScoringOptions``.
    """
    if not predictions:
        raise UsageError("no predictions to score; give a folder for each model")
    by_path = model_names(predictions)
    named = by_path if names is None else names
    check_names(named, len(predictions), as_folders=output is not None)
    rules = load_protocol(protocol)
    requests = [
        _Request(folder, rules, name, output / name if output is not None else None)
        for folder, name in zip(predictions, named, strict=True)
    ]
    return _evaluate(requests, **options)


def evaluate_side_by_side(
    predictions: Path,
    protocols: Sequence[str],
    *,
    name: str | None = None,
    output: Path | None = None,
    **options: Unpack[ScoringOptions],
) -> list[Result]:
    """Score the same predictions under each of two protocols, see ``check_same_files``.

    Args:
        predictions: folder with one image a pair.
        protocols: ids or files of two protocols.
        name: the model's name in the records; by default the folder's.
        output: receives a folder named by each protocol's id, with its result and scores.
        **options: see ``ScoringOptions``.
    """
    if len(protocols) != 2:
        raise UsageError(f"one protocol or two, not {len(protocols)}")
    first, second = (load_protocol(each) for each in protocols)
    check_same_files(first, second)
    named = name or model_name(predictions)
    requests = [
        _Request(predictions, rules, named, output / rules.id if output is not None else None)
        for rules in (first, second)
    ]
    return _evaluate(requests, **options)


def _evaluate(
    requests: Sequence[_Request],
    *,
    dataset: str | None = None,
    targets: Path | None = None,
    split: str = "test",
    direction: str | None = None,
    data_root: Path | None = None,
    limit: int | None = None,
    metrics: Sequence[str] | None = None,
    device: str = "auto",
    allow_unverified_weights: bool = False,
    feature_precision: Literal["fp32", "bf16"] = "fp32",
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    opened = _opened(dataset, targets, direction=direction, data_root=data_root, limit=limit)
    pairs = opened.split(split if targets is None else "test")
    folders = list(dict.fromkeys(request.predictions for request in requests))
    found = {folder: find_predictions(folder, pairs) for folder in folders}
    check_outputs([request.output for request in requests if request.output is not None], folders)
    for request in requests:
        _check_origin(request.predictions, request.protocol)
        if request.output is not None and metrics is None:
            refuse_to_lose(
                request.output / "result.json",
                request.protocol.metric_names,
                allow_unverified_weights=allow_unverified_weights,
            )
    evaluations = evaluate_predictions(
        pairs,
        [(found[request.predictions], request.protocol) for request in requests],
        metrics=metrics,
        device=device,
        allow_unverified_weights=allow_unverified_weights,
        feature_precision=feature_precision,
        progress=progress,
        training_targets=opened.split_if_there("train"),
    )
    results = [
        build_result(
            model={"name": request.name, "predictions": "external"},
            dataset=dataset_record(pairs, limit),
            evaluation=evaluation,
            cost={"evaluate_seconds": round(evaluation.seconds, 2)},
            seed=None,
            environment={**provenance.environment(), "device": evaluation.device},
            created=provenance.now(),
        )
        for request, evaluation in zip(requests, evaluations, strict=True)
    ]
    for request, evaluation, result in zip(requests, evaluations, results, strict=True):
        if request.output is not None:
            write_pair_scores(request.output / "scores.csv", evaluation)
            write_result(request.output / "result.json", result)
    return results


def _opened(dataset: str | None, targets: Path | None, **where: Any) -> Dataset:
    if (dataset is None) == (targets is None):
        raise UsageError("give either --dataset or --targets")
    if dataset is not None:
        return Dataset.open(dataset, **where)
    return Dataset.of_targets(targets or Path(), limit=where["limit"])


def _check_origin(folder: Path, protocol: Protocol) -> None:
    """Refuse predictions of ours that were prepared otherwise: their size may fit by chance."""
    if not (folder / MANIFEST_NAME).exists():
        return
    made = read_manifest(folder)
    if Preparation(**made.preparation) != protocol.preparation:
        raise DataError(
            f"{folder}: made under {made.protocol}, which prepares images otherwise than "
            f"{protocol.id}; give --protocol {made.protocol}, or translate again with --protocol "
            f"{protocol.id}"
        )
    if made.inference != protocol.inference:
        warnings.warn(
            f"{folder}: the model was run as {made.protocol} says, otherwise than under "
            f"{protocol.id}; the record will name {protocol.id}",
            stacklevel=3,
        )


def dataset_record(dataset: PairedDataset, limit: int | None) -> dict[str, Any]:
    """Return what a result says of its data set."""
    return {
        "name": dataset.name,
        "split": dataset.split,
        "direction": dataset.direction,
        "pairs": len(dataset),
        "group_name": dataset.group_name,
        "manifest_sha256": manifest_sha256(dataset),
        "limit": limit,
    }
