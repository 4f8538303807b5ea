"""Scoring a folder of images that any tool made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench import provenance
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.pairs import PairedDataset
from i2ibench.data.preparation import Preparation
from i2ibench.data.scale import bits_of
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.one_pass import evaluate_together as evaluate_predictions
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import Protocol, load_protocol
from i2ibench.evaluation.protocol_comparison import check_same_files
from i2ibench.evaluation.scores import Evaluation
from i2ibench.results.additions import refuse_to_lose
from i2ibench.results.build_record import build_result
from i2ibench.results.pair_scores import write_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import write_result
from i2ibench.runs.default_protocol import protocol_for
from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.outputs import (
    alone_in,
    check_names,
    check_outputs,
    model_name,
    model_names,
    page_of,
)
from i2ibench.translation.manifest import MANIFEST_NAME, read_manifest

Progress = Callable[[int, int], None]
# Seconds that another process may take to write two files.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class _Request:
    """A folder of predictions to score, and what becomes of it."""

    predictions: Path
    protocol: Protocol
    name: str
    output: Path | None


def evaluate(
    predictions: Path, options: EvaluationOptions, progress: Progress | None = None
) -> Result:
    """Score a folder of images that any tool made, matched to the pairs by id.

    Args:
        predictions: folder with one image a pair.
        options: one protocol, at most one name. ``output`` receives ``result.json`` and
            ``scores.csv``; a result there is replaced, unless it is a run's, or the weights behind
            one of its values have gone away since.
        progress: called with the pairs done and all pairs.
    """
    name, opened = _one_name(predictions, options), _opened(options)
    request = _Request(predictions, _one_protocol(options, opened), name, options.output)
    [result] = _evaluate([request], opened, options, progress)
    return result


def evaluate_together(
    predictions: Sequence[str | Path], options: EvaluationOptions, progress: Progress | None = None
) -> list[Result]:
    """Score the predictions of several models against the same targets, in one pass over them.

    Each value is the one that ``evaluate`` gives, and comes sooner: every target is decoded once,
    and what metrics find in it is found once. The cost of each is an equal share of the whole.

    >>> options = i2ibench.EvaluationOptions(dataset="my-data", metrics="psnr")
    >>> folders = ["my-data/HE/test", "my-data/IHC/test"]
    >>> [result.metrics["psnr"].value for result in i2ibench.evaluate_together(folders, options)]
    [5.98..., None]

    Args:
        predictions: a folder a model.
        options: one protocol; names of the models in records and tables in the same order, or none
            for the folders' names, or where these are the same, the parts by which their paths
            differ. ``output`` receives a folder named by each model.
        progress: called with the pairs done and all pairs.
    """
    if not predictions:
        raise UsageError("no predictions to score; give a folder for each model")
    folders = [Path(each) for each in predictions]
    by_path = model_names(folders)
    named = options.names or by_path
    output = options.output
    check_names(named, len(predictions), as_folders=output is not None)
    opened = _opened(options)
    protocol = _one_protocol(options, opened)
    requests = [
        _Request(folder, protocol, name, output / name if output is not None else None)
        for folder, name in zip(folders, named, strict=True)
    ]
    return _evaluate(requests, opened, options, progress)


def evaluate_side_by_side(
    predictions: str | Path, options: EvaluationOptions, progress: Progress | None = None
) -> list[Result]:
    """Score the same predictions under each of two protocols, see ``check_same_files``.

    >>> options = i2ibench.EvaluationOptions(
    ...     dataset="my-data", protocol=["i2i-1", "stain-1"], metrics="psnr"
    ... )
    >>> results = i2ibench.evaluate_side_by_side("my-data/HE/test", options)
    >>> [result.protocol.id for result in results]
    ['i2i-1', 'stain-1']

    Args:
        predictions: folder with one image a pair.
        options: two protocols, at most one name. ``output`` receives a folder named by each
            protocol's id, with its result and scores.
        progress: called with the pairs done and all pairs.
    """
    if len(options.protocols) != 2:
        raise UsageError(f"one protocol or two, not {len(options.protocols)}")
    first, second = (load_protocol(each) for each in options.protocols)
    check_same_files(first, second)
    folder, output = Path(predictions), options.output
    name = _one_name(folder, options)
    requests = [
        _Request(folder, rules, name, output / rules.id if output is not None else None)
        for rules in (first, second)
    ]
    return _evaluate(requests, _opened(options), options, progress)


def evaluate_folders(
    predictions: Sequence[Path], options: EvaluationOptions, progress: Progress | None = None
) -> list[Result]:
    """Score what the command line was given: one folder, several models, or two protocols."""
    count, names = len(predictions), len(options.names)
    if names not in (0, count):
        raise UsageError(f"{names} --name for {count} folders; give one for each, or none")
    if count > 1 and len(options.protocols) > 1:
        raise UsageError("several folders, or two protocols; not both in one call")
    if count != 1:
        return evaluate_together(predictions, options, progress)
    if len(options.protocols) > 1:
        return evaluate_side_by_side(predictions[0], options, progress)
    return [evaluate(predictions[0], options, progress)]


def _one_protocol(options: EvaluationOptions, dataset: Dataset) -> Protocol:
    if len(options.protocols) > 1:
        raise UsageError(
            f"one protocol, not {len(options.protocols)}; evaluate_side_by_side scores under two"
        )
    return protocol_for(dataset, next(iter(options.protocols), None))


def _one_name(predictions: Path, options: EvaluationOptions) -> str:
    names = options.names or (model_name(predictions),)
    check_names(names, 1, as_folders=False)
    return names[0]


def _evaluate(
    requests: Sequence[_Request],
    opened: Dataset,
    options: EvaluationOptions,
    progress: Progress | None,
) -> list[Result]:
    pairs = opened.split(options.split)
    folders = list(dict.fromkeys(request.predictions for request in requests))
    found = {folder: find_predictions(folder, pairs) for folder in folders}
    check_outputs([request.output for request in requests if request.output is not None], folders)
    for request in requests:
        _check_origin(request.predictions, request.protocol)
        if request.output is not None and options.metrics is None:
            refuse_to_lose(
                request.output / "result.json",
                request.protocol.metric_names,
                allow_unverified_weights=options.allow_unverified_weights,
            )
    evaluations = evaluate_predictions(
        pairs,
        [(found[request.predictions], request.protocol) for request in requests],
        metrics=options.metrics,
        device=options.device,
        allow_unverified_weights=options.allow_unverified_weights,
        feature_precision=options.feature_precision,
        progress=progress,
        training_targets=opened.split_if_there("train"),
    )
    results = [
        build_result(
            model={"name": request.name, "predictions": "external"},
            dataset=dataset_record(pairs, options.limit),
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
            # Of two evaluations into one folder the later stands, whole: never scores of one
            # beside the record of the other.
            with alone_in(request.output, patience=_PATIENCE):
                write_pair_scores(request.output / "scores.csv", evaluation)
                write_result(request.output / "result.json", result)
                _write_page(request, result, evaluation, pairs, found, options)
    return results


def _write_page(
    request: _Request,
    result: Result,
    evaluation: Evaluation,
    pairs: PairedDataset,
    found: Mapping[Path, Mapping[str, Path]],
    options: EvaluationOptions,
) -> None:
    # Only what writes a page pays for its imports, torch among them.
    from i2ibench.web.run_page import write_run_page

    write_run_page(
        page_of(request.output or Path()).parent,
        result,
        pairs,
        found[request.predictions],
        evaluation.pair_scores,
        preparation=request.protocol.preparation,
        with_pictures=not options.without_pictures,
    )


def _opened(options: EvaluationOptions) -> Dataset:
    if (options.dataset is None) == (options.targets is None):
        raise UsageError("give either --dataset or --targets")
    if options.dataset is None:
        return Dataset.of_targets(options.targets or Path(), limit=options.limit)
    return Dataset.open(
        options.dataset,
        direction=options.direction,
        data_root=options.data_root,
        limit=options.limit,
    )


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
    hidden: dict[str, Any] = {}
    if dataset.hidden_clusters:
        hidden = {"clusters_unknown": True}
        if dataset.cluster_number is not None:
            hidden["clusters"] = dataset.cluster_number
    bits = bits_of(dataset)
    return {
        "name": dataset.name,
        "split": dataset.split,
        "direction": dataset.direction,
        "pairs": len(dataset),
        "group_name": dataset.group_name,
        "manifest_sha256": manifest_sha256(dataset),
        "limit": limit,
        **hidden,
        **({"bits": bits} if bits else {}),
    }
