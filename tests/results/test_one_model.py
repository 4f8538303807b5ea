"""What counts as one model under two protocols, and what is refused or only warned of."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from factories import pair_scores, result

from i2ibench import registry
from i2ibench.errors import UsageError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.results.one_model import check_one_model, weights_origin
from i2ibench.results.record import ProtocolRecord, Result

TRAINED = {"name": "pix2pix", "parameters": 9, "config": {"ngf": 64}, "checkpoint_sha256": "c" * 64}
RECIPE = {"epochs": 10, "images": {"crop": 128}}
EXTERNAL = {"name": "preds", "predictions": "external"}
PAIRS = {"name": "drawn", "split": "test", "pairs": 96, "manifest_sha256": "a" * 64}


def _under(protocol: str, model: dict[str, Any], psnr: float = 20.0, **fields: Any) -> Result:
    scores = pair_scores({"psnr": np.full(8, psnr)})
    made = result(scores, model, **fields)
    record = ProtocolRecord(id=protocol, sha256=load_protocol(protocol).sha256)
    return made.model_copy(update={"protocol": record})


def test_one_training_under_two_protocols_is_one_model_whatever_its_files_hash() -> None:
    again = {**TRAINED, "checkpoint_sha256": "d" * 64}
    first = _under("i2i-1", TRAINED, training=RECIPE)
    second = _under("bci-2022", again, 17.0, training=RECIPE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_one_model(first, second)
    assert weights_origin(first) == weights_origin(second)
    json.dumps(weights_origin(first), allow_nan=False)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({}, {"seed": 1}, "seed 0 and 1"),
        ({}, {"model": {**TRAINED, "config": {"ngf": 32}}}, "config.ngf 64 and 32"),
        ({}, {"model": {**TRAINED, "name": "pyramid"}}, "model pix2pix and pyramid"),
        (
            {"training": RECIPE},
            {"training": {**RECIPE, "images": {"crop": 64}}},
            "training.images.crop 128 and 64",
        ),
        (
            {"training": {}},
            {"training": {}, "model": {**TRAINED, "checkpoint_sha256": "d" * 64}},
            "checkpoint cccccccccccc and dddddddddddd;",
        ),
        (
            {"dataset": PAIRS},
            {"dataset": {**PAIRS, "pairs": 4, "limit": 4, "manifest_sha256": "b" * 64}},
            "limit none and 4, number of pairs 96 and 4, hash of the data aaaaaaaaaaaa and bbbb",
        ),
        ({}, {"model": {**EXTERNAL, "name": "pix2pix"}}, "predictions none and external"),
        ({}, {"dataset": {"name": "x"}, "seed": 3}, "and 2 more; give two runs"),
    ],
)
def test_what_else_differs_is_named_in_one_line(
    first: dict[str, Any], second: dict[str, Any], words: str
) -> None:
    one, two = (
        _under(protocol, **{"model": TRAINED, "training": RECIPE, **fields})
        for protocol, fields in (("i2i-1", first), ("bci-2022", second))
    )
    with pytest.raises(UsageError, match="differ in more than the protocol") as caught:
        check_one_model(one, two)
    message = str(caught.value)
    assert words in message and "but for --protocol" in message and "\n" not in message


def test_one_protocol_twice_is_refused_and_changed_content_needs_an_id() -> None:
    first = _under("i2i-1", TRAINED)
    with pytest.raises(UsageError, match=r"both results are of protocol i2i-1; .*i2ibench compare"):
        check_one_model(first, first)
    changed = ProtocolRecord(id="i2i-1", sha256="e" * 64)
    with pytest.raises(UsageError, match="of protocol i2i-1 with two contents; give one under"):
        check_one_model(first, first.model_copy(update={"protocol": changed}))


def test_given_predictions_with_equal_scores_are_the_same_ones(recwarn: Any) -> None:
    check_one_model(_under("i2i-1", EXTERNAL), _under("stain-1", EXTERNAL))
    assert not recwarn.list


def test_given_predictions_that_cannot_be_of_one_model_are_refused() -> None:
    first, second = _under("i2i-1", EXTERNAL), _under("stain-1", EXTERNAL, 21.0)
    with pytest.raises(UsageError, match="yet psnr is 20 and 21; give one folder's scores"):
        check_one_model(first, second)


@pytest.mark.parametrize("other", ["bci-2022", "i2i-1-flips"])
def test_given_predictions_that_a_protocol_may_have_changed_are_warned_of(other: str) -> None:
    with pytest.warns(UserWarning, match=r"whether preds is one model .* is not known"):
        check_one_model(_under("i2i-1", EXTERNAL), _under(other, EXTERNAL, 21.0))


def test_of_metrics_and_protocols_not_known_here_nothing_is_concluded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = _under("i2i-1", EXTERNAL), _under("stain-1", EXTERNAL, 21.0)
    foreign = ProtocolRecord(id="their-1", sha256="f" * 64)
    with pytest.warns(UserWarning, match="is not known"):
        check_one_model(first, second.model_copy(update={"protocol": foreign}))
    empty = registry.Registry("metric", "none.of.these")
    monkeypatch.setattr(registry, "metrics", empty)
    with pytest.warns(UserWarning, match="is not known"):
        check_one_model(first, second)
