"""Which results are seeds of one method, what a table calls it, and what they can say of it.

A claim about a method must survive another seed. Three kinds of results bear one: a method that
neither trains nor draws anything (a closed form) is the same under every seed; a method that was
trained with two seeds or more shows how much a seed matters. A training with a single seed, a
checkpoint from elsewhere and predictions that were given are *one set of weights*: what is measured
of them holds for these weights, and nothing is known of the method's others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from i2ibench.files import sha256_json
from i2ibench.results.record import Result, TrainingRecord

_TRAINING = {*TrainingRecord.model_fields}
# Of the settings in which namesakes differ, a label names so many.
_NAMED = 3


def method_key(result: Result) -> str:
    """Identify a method: everything that defines it but the seed.

    Weights and predictions that were given name no training that could be repeated with another
    seed. They are a method of their own each.
    """
    model = result.model
    given = has_given_weights(result)
    code = model_code(result)
    return sha256_json(
        {
            **({} if code is None else {"code": code}),
            "name": model.name,
            "config": model.config,
            # Of what is known alone: a key that somebody adds makes no other method.
            "training": result.training.model_dump(mode="json", include=_TRAINING),
            "checkpoint": model.checkpoint_sha256 if given or result.seed is None else None,
            "predictions": _predictions(result) if model.is_external else None,
        }
    )


def model_code(result: Result) -> str | None:
    """Return the recorded hash of the model's code, where that is another package's."""
    for each in result.environment.plugins or []:
        if (each.get("kind"), each.get("name")) == ("model", result.model.name):
            return None if each.get("sha256") is None else str(each["sha256"])
    return None


def is_one_set_of_weights(results: Sequence[Result]) -> bool:
    """Whether the results of one method bear claims about their weights alone.

    ``results`` share their ``method_key``. By the record: ``model.predictions`` is ``"external"``;
    or the model has parameters (or an unknown number of them) without a training of ours; or there
    is a training, but of one seed.
    """
    first = results[0]
    if first.model.is_external or has_given_weights(first):
        return True
    if not first.training and first.model.parameters is None:
        return True  # nothing says that it is a closed form
    return bool(first.training) and len({result.seed for result in results}) < 2


def has_given_weights(result: Result) -> bool:
    """Whether the weights were made elsewhere: a checkpoint that no training of ours names."""
    model = result.model
    unknown = model.parameters is None and model.checkpoint_sha256 is not None
    return not result.training and (bool(model.parameters) or unknown)


def method_labels(results: Sequence[Result]) -> list[str]:
    """Name each method by one of its results; namesakes by the settings in which they differ.

    Namesakes without such a setting (two checkpoints, two folders of predictions) are told apart
    by their run's id, or by the hash of their weights or scores.
    """
    settings = [_settings(result) for result in results]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for result, own in zip(results, settings, strict=True):
        by_name.setdefault(result.model.name, []).append(own)
    differing = {name: _differing(namesakes) for name, namesakes in by_name.items()}
    labels = [
        _label(result.model.name, own, differing[result.model.name])
        for result, own in zip(results, settings, strict=True)
    ]
    times = Counter(labels)
    return [
        f"{label} ({_identity(result)})" if times[label] > 1 else label
        for label, result in zip(labels, results, strict=True)
    ]


def _differing(namesakes: Sequence[dict[str, Any]]) -> list[str]:
    """Return the first settings, by name, that are not the same in all."""
    keys = sorted({key for found in namesakes for key in found})
    return [key for key in keys if len({repr(found.get(key)) for found in namesakes}) > 1][:_NAMED]


def _label(name: str, settings: dict[str, Any], differing: Sequence[str]) -> str:
    described = ", ".join(f"{key}={settings.get(key)}" for key in differing)
    return f"{name} ({described})" if described else name


def _settings(result: Result) -> dict[str, Any]:
    training = result.training.model_dump(mode="json") if result.training else {}
    return {**(result.model.config or {}), **training}


def _identity(result: Result) -> str:
    found = result.run_id or result.model.checkpoint_sha256 or result.pair_scores_sha256
    return (found or f"seed {result.seed}")[:12]


def _predictions(result: Result) -> str | None:
    return result.pair_scores_sha256 or result.run_id
