"""Whether two results are one model's, on the same pairs, so that only the protocol differs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.evaluation.protocol import Protocol, load_protocol
from i2ibench.results.differences import tolerance
from i2ibench.results.record import ProtocolRecord, Result

# What a result says of the pairs it was scored on, in words.
_PAIRS = {
    "name": "data set",
    "split": "split",
    "direction": "direction",
    "limit": "limit",
    "pairs": "number of pairs",
    "manifest_sha256": "hash of the data",
}
# Of many differences, this many are named.
_NAMED = 4
# Characters of a SHA-256, which its first twelve tell as well.
_HASH = 64


def weights_origin(result: Result) -> dict[str, Any]:
    """Return what tells which weights a result's predictions are from, JSON values.

    A training is named by what fixes it, its recipe and its seed: trained twice, for two protocols,
    it gives the same weights in two files. Weights that were given are named by their hash. Of
    predictions that were given (``"external"``) the model's name is all that is known.
    """
    model = result.model
    given = bool(model.parameters) and not result.training
    return {
        "model": model.name,
        "predictions": model.predictions,
        "seed": result.seed,
        "config": model.config,
        "training": result.training.model_dump(mode="json"),
        "checkpoint": model.checkpoint_sha256 if given else None,
    }


def check_one_model(first: Result, second: Result) -> None:
    """Check that two results are one model's on the same pairs under two protocols.

    Predictions that were given name no training. Where every metric that both results define alike
    has one value, they are the same predictions; where that cannot be seen, a warning says so.

    Raises:
        UsageError: they differ in more than the protocol, or not in the protocol; the message says
            in what, and what to give instead.
    """
    external = first.model.is_external
    mend = (
        "give one folder's scores: i2ibench evaluate PREDICTIONS --protocol ID --protocol ID"
        if external
        else "give two runs with the same options but for --protocol"
    )
    apart = [*_differences(_pairs(first), _pairs(second))]
    apart += _differences(weights_origin(first), weights_origin(second))
    if apart:
        more = f" and {len(apart) - _NAMED} more" if len(apart) > _NAMED else ""
        raise UsageError(
            f"the results differ in more than the protocol: {', '.join(apart[:_NAMED])}{more}; "
            f"{mend}"
        )
    if first.protocol.id == second.protocol.id:
        content = "" if first.protocol == second.protocol else " with two contents"
        raise UsageError(
            f"both results are of protocol {first.protocol.id}{content}; give one under another "
            "protocol's id, or compare models under one protocol with: i2ibench compare RUN RUN"
        )
    if external:
        _check_predictions(first, second, mend)


def _check_predictions(first: Result, second: Result, mend: str) -> None:
    """Tell by the scores whether predictions that were given can be one model's."""
    name, ids = first.model.name, f"{first.protocol.id} and {second.protocol.id}"
    common = _defined_alike(first, second)
    other = [metric for metric, values in common.items() if not _agree(metric, values)]
    if common and not other:
        return
    if other and _same_treatment(first.protocol, second.protocol):
        one, two = common[other[0]]
        raise UsageError(
            f"{name} stands for other predictions in each result: {ids} treat images and model "
            f"alike, yet {other[0]} is {one:.6g} and {two:.6g}; {mend}"
        )
    warnings.warn(
        f"whether {name} is one model under {ids} is not known: its predictions were given, and "
        "name no weights; the differences may be those of two models",
        stacklevel=3,
    )


def _defined_alike(first: Result, second: Result) -> dict[str, tuple[float, float]]:
    """Return both values of each known metric that has them under one signature."""
    known = registry.metrics.names()  # of the others no tolerance is known
    found = {}
    for name, mine in first.metrics.items():
        theirs = second.metrics.get(name)
        if theirs is None or mine.signature != theirs.signature or name not in known:
            continue
        if mine.value is not None and theirs.value is not None:
            found[name] = (mine.value, theirs.value)
    return found


def _agree(metric: str, values: tuple[float, float]) -> bool:
    return math.isclose(*values, rel_tol=tolerance(metric), abs_tol=1e-9)


def _same_treatment(first: ProtocolRecord, second: ProtocolRecord) -> bool:
    """Whether both protocols are known to prepare images and to run models alike."""
    one, two = _content(first), _content(second)
    if one is None or two is None:
        return False
    return (one.preparation, one.inference) == (two.preparation, two.inference)


def _content(recorded: ProtocolRecord) -> Protocol | None:
    try:
        protocol = load_protocol(recorded.id)
    except UsageError:
        return None
    return protocol if protocol.sha256 == recorded.sha256 else None


def _pairs(result: Result) -> dict[str, Any]:
    return {words: getattr(result.dataset, key) for key, words in _PAIRS.items()}


def _differences(
    first: Mapping[str, Any], second: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    """Yield ``key one and other`` of every leaf that differs; keys of inner tables are dotted."""
    for key in dict.fromkeys([*first, *second]):
        one, two = first.get(key), second.get(key)
        if one == two:
            continue
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            yield from _differences(one, two, f"{above}{key}.")
        else:
            yield f"{above}{key} {_words(one)} and {_words(two)}"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"of {len(value)} settings" if value else "none"
    text = "none" if value is None else str(value)
    return text[:12] if len(text) == _HASH else text
