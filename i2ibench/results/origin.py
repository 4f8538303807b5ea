"""What a record says of its origin, held against what else tells of it.

A run's id is the hash of its experiment: everything that was asked for, resolved. A record that
keeps the experiment can therefore not be given another seed, recipe or budget without a new id, and
the code and files of the run tell the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from i2ibench import registry
from i2ibench.errors import DataError, I2IBenchError
from i2ibench.files import read_json, sha256_file, sha256_json
from i2ibench.results.differences import Discrepancy
from i2ibench.results.record import Result
from i2ibench.training.checkpoint_summary import read_summary
from i2ibench.translation.manifest import MANIFEST_NAME, read_manifest

_DIGITS = 12
# What a record says of a training beside what was asked for.
_OF_THE_RUN = {"images", "pairs", "steps", "chosen_step", "validation_pairs", "precision"}
# Costs are recorded with two digits after the point, or three.
_ROUNDING = 0.006


def run_id(experiment: Mapping[str, Any]) -> str:
    """Return the 12 hexadecimal digits that name an experiment."""
    return sha256_json(experiment)[:_DIGITS]


def predictions_sha256(predictions: Mapping[str, Path]) -> str:
    """Return the hash of predictions that were given: of their ids and files."""
    return sha256_json({pair_id: sha256_file(path) for pair_id, path in predictions.items()})


def experiment_discrepancies(
    result: Result, experiment: Mapping[str, Any]
) -> Iterator[Discrepancy]:
    """Yield what a record says otherwise than the experiment that its run was asked for."""
    if result.run_id is not None and run_id(experiment) != result.run_id:
        yield Discrepancy("run id", f"{result.run_id} does not follow from the experiment")
    recorded = result.model_dump(mode="json")
    for subject, asked, said in _claims(experiment, recorded):
        if asked != said:
            yield Discrepancy(subject, f"{said} recorded, {asked} in the experiment")


def _claims(
    experiment: Mapping[str, Any], recorded: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield what both say: its name, as asked for, as recorded."""
    model, dataset = _table(experiment.get("model")), _table(experiment.get("dataset"))
    yield "model", model.get("name"), recorded["model"].get("name")
    yield "settings of the model", model.get("config"), recorded["model"].get("config")
    yield "seed", experiment.get("seed"), recorded.get("seed")
    yield "data set", dataset.get("name"), recorded["dataset"].get("name")
    yield "direction", dataset.get("direction"), recorded["dataset"].get("direction")
    yield "limit", experiment.get("limit"), recorded["dataset"].get("limit")
    test = _table(dataset.get("test"))
    if model.get("checkpoint_sha256") is not None:
        given = recorded["model"].get("checkpoint_sha256")
        yield "checkpoint", model["checkpoint_sha256"], given
    for key in ("split", "pairs", "manifest_sha256"):
        yield f"{key} of the data set", test.get(key), recorded["dataset"].get(key)
    protocol = _table(experiment.get("protocol"))
    for key in ("id", "sha256"):
        yield f"{key} of the protocol", protocol.get(key), recorded["protocol"].get(key)
    recorded_code = _code(recorded["environment"].get("plugins"))
    for plugin, code in _code(experiment.get("plugins")).items():
        yield f"code of {plugin[1]}", code, recorded_code.get(plugin)
    training = _table(experiment.get("training"))
    for key in recorded["training"]:
        if training and key not in training and key not in _OF_THE_RUN:
            yield f"training.{key}", None, recorded["training"][key]
    for key, value in training.items():
        yield f"training.{key}", value, recorded["training"].get(key)
    if training:
        yield "training.images", experiment.get("images"), recorded["training"].get("images")
        pairs = _table(dataset.get("train")).get("pairs")
        yield "training.pairs", pairs, recorded["training"].get("pairs")
        yield "precision", experiment.get("precision"), recorded["training"].get("precision")
    elif recorded["training"]:
        yield "training", None, "a training"


def _code(plugins: Any) -> dict[tuple[Any, Any], Any]:
    """Return the hashes of plugins' code by kind and name."""
    listed = plugins if isinstance(plugins, list) else []
    return {
        (each.get("kind"), each.get("name")): each.get("sha256") for each in map(_table, listed)
    }


def _table(value: Any) -> Mapping[str, Any]:
    """Return a table of an experiment; one that is none says nothing."""
    return value if isinstance(value, Mapping) else {}


def model_discrepancies(result: Result) -> Iterator[Discrepancy]:
    """Yield what a record says otherwise than the registered model of its name.

    Nothing is said of predictions that were given, nor of a model that is not installed or refuses
    the recorded settings: it may be of another version.
    """
    from i2ibench.models.interface import build_model, registered_model  # loads torch

    model = result.model
    if model.is_external or model.name not in registry.models:
        return
    try:
        registered = registered_model(model.name)
    except I2IBenchError:
        return
    if bool(registered.uses_target) != bool(model.uses_target):
        yield Discrepancy(
            "uses_target", f"{model.uses_target} recorded, but {model.name} says otherwise"
        )
    try:
        count = build_model(model.name, model.config or {}).parameter_count()
    except I2IBenchError:
        return
    if model.parameters is not None and model.config is not None and count != model.parameters:
        yield Discrepancy("parameters", f"{model.parameters:,} recorded, {count:,} in the model")


def folder_discrepancies(result: Result, folder: Path) -> Iterator[Discrepancy]:
    """Yield what a record says otherwise than the files of its run folder, of those there are.

    ``experiment.json`` tells what was asked for, the summary of the last checkpoint how long and
    how far it was trained, the manifest how long the translation took.
    """
    experiment = folder / "experiment.json"
    if experiment.exists() and result.run_id is not None:
        content = read_json(experiment)
        if not isinstance(content, dict):
            raise DataError(f"{experiment}: not an experiment; restore it")
        yield from experiment_discrepancies(result, content)
    last = folder / "checkpoints" / "last.ckpt"
    summary = read_summary(last) if last.exists() else None
    if summary is not None:
        yield from _number("train_seconds", result.cost.train_seconds, summary.seconds)
        yield from _number("training.steps", result.training.steps, summary.step)
    manifest = folder / "predictions" / MANIFEST_NAME
    if manifest.exists() and not result.model.is_external:
        seconds = read_manifest(manifest.parent).seconds
        yield from _number("translate_seconds", result.cost.translate_seconds, seconds)


def _number(subject: str, recorded: float | None, found: float) -> Iterator[Discrepancy]:
    if recorded is not None and abs(recorded - found) > _ROUNDING:
        yield Discrepancy(subject, f"{recorded} recorded, {found} in the run folder")
