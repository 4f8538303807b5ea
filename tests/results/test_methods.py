"""Which results are one method, and what they can say of it: decided from the record alone."""

from __future__ import annotations

import numpy as np
import pytest
from factories import pair_scores, result

from i2ibench.results.methods import is_one_set_of_weights, method_key, method_labels

TRAINED = {"name": "net", "parameters": 9, "config": {"width": 4}}


def _result(model, seed=0, training=None, shift=0.0):
    scores = pair_scores({"psnr": 20 + shift + np.arange(20.0)})
    return result(scores, model, seed=seed, training=training or {}, run_id=f"run{seed}")


@pytest.mark.parametrize(
    ("model", "training", "seeds", "weights"),
    [
        ({"name": "copy", "parameters": 0}, None, [0], False),
        ({"name": "fitted", "parameters": 0, "checkpoint_sha256": "a" * 64}, None, [0], False),
        (TRAINED, {"epochs": 5}, [0], True),
        (TRAINED, {"epochs": 5}, [0, 0], True),
        (TRAINED, {"epochs": 5}, [0, 1], False),
        ({**TRAINED, "checkpoint_sha256": "a" * 64}, None, [0, 1], True),
        ({"name": "unknown", "checkpoint_sha256": "a" * 64}, None, [0], True),
        ({"name": "theirs", "predictions": "external"}, None, [None, None], True),
    ],
    ids=[
        "copy",
        "closed form with a fit",
        "one training",
        "one training twice",
        "two seeds",
        "given checkpoint",
        "unknown parameters",
        "given predictions",
    ],
)
def test_what_bears_a_claim_about_a_method(model, training, seeds, weights) -> None:
    results = [_result(model, seed, training) for seed in seeds]
    assert is_one_set_of_weights(results) == weights


def test_seeds_share_a_key_and_settings_do_not() -> None:
    one, other = (_result(TRAINED, seed, {"epochs": 5}) for seed in (0, 1))
    longer = _result(TRAINED, 0, {"epochs": 6})
    assert method_key(one) == method_key(other) != method_key(longer)
    assert method_labels([one, longer]) == ["net (epochs=5)", "net (epochs=6)"]


def test_given_weights_and_predictions_are_a_method_each() -> None:
    given = [_result({**TRAINED, "checkpoint_sha256": letter * 64}) for letter in "ab"]
    assert method_key(given[0]) != method_key(given[1])
    theirs = {"name": "theirs", "predictions": "external"}
    imports = [_result(theirs, None, shift=shift) for shift in (0.0, 1.0)]
    assert method_key(imports[0]) != method_key(imports[1])
