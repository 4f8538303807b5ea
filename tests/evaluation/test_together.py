"""Several models, or several protocols, scored in one pass: the values of one alone, for less."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import cv2
import numpy as np
import pytest
from factories import register_metric, write_blurred
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.data.images import read_image
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation import accumulate as module
from i2ibench.evaluation.one_pass import evaluate, evaluate_together
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.metrics.interface import (
    MetricSettings,
    PairImages,
    PairMetric,
    Score,
    SetMetric,
)

I2I = load_protocol("i2i-1")
LIGHT = ["psnr", "ssim", "ms-ssim", "swd", "shift", "psnr-aligned", "variance-ratio"]
LIGHT += ["distance-ratio", "dab-od-error", "dab-histogram-distance", "dab-iod-correlation"]
NETWORKS = ["lpips-squeeze", "fid", "fid-clean", "kid", "kid-marginal"]


def everything(evaluation):
    groups = {name: group.metrics for name, group in evaluation.groups.items()}
    return evaluation.pair_columns, evaluation.metrics, groups, evaluation.macro, evaluation.details


@pytest.mark.parametrize("use_cache", [True, False])
def test_models_have_the_values_that_each_has_alone(draw, networks, tmp_path, use_cache):
    dataset, first = draw(5, size=200)
    models = [
        first,
        write_blurred(first, tmp_path / "b", 1),
        write_blurred(first, tmp_path / "c", 3),
    ]
    options = {"metrics": [*LIGHT, *NETWORKS], "allow_unverified_weights": True}
    together = evaluate_together(
        dataset, [(model, I2I) for model in models], use_cache=use_cache, **options
    )
    for model, found in zip(models, together, strict=True):
        alone = evaluate(dataset, model, protocol=I2I, use_cache=False, **options)
        for name, value in alone.metrics.items():
            assert found.metrics[name].value == pytest.approx(value.value, rel=1e-6), name
            assert found.metrics[name].signature == value.signature
        for name in ("psnr", "ssim", "lpips-squeeze"):
            assert found.pair_columns.metrics[name] == alone.pair_columns.metrics[name], name
    assert len({found.metrics["lpips-squeeze"].value for found in together}) == 3


def test_the_order_of_models_and_the_workers_change_nothing(draw, tmp_path):
    dataset, first = draw(5)
    models = [
        first,
        write_blurred(first, tmp_path / "b", 1),
        write_blurred(first, tmp_path / "c", 3),
    ]
    options = {"metrics": [name for name in LIGHT if name != "ms-ssim"]}
    expected = [evaluate(dataset, model, protocol=I2I, **options) for model in models]

    @settings(max_examples=8, deadline=None)
    @given(order=st.permutations(range(3)), workers=st.integers(1, 3))
    def holds(order, workers):
        scorings = [(models[index], I2I) for index in order]
        found = evaluate_together(dataset, scorings, workers=workers, **options)
        for index, evaluation in zip(order, found, strict=True):
            assert everything(evaluation) == everything(expected[index])

    holds()


def test_each_image_is_decoded_once_and_a_target_seen_once(draw, tmp_path, monkeypatch):
    dataset, first = draw(4)
    models = [first, write_blurred(first, tmp_path / "b", 1)]
    read, seen = Counter(), Counter()

    def counted(ref):
        read[ref.path] += 1
        return read_image(ref)

    class Seen(PairMetric):
        name, better = "seen", "higher"

        def signature(self):
            return self._signature("test")

        def score_pair(self, pair):
            return pair.once_of_target(lambda image: _count(seen, pair.id, image), key="seen")

    monkeypatch.setattr(module, "read_image", counted)
    register_metric(monkeypatch, "seen", Seen)
    evaluate_together(dataset, [(m, I2I) for m in models], metrics=["psnr", "seen"])
    paths = [pair.target.path for pair in dataset]
    assert read == Counter([*paths, *(path for model in models for path in model.values())])
    assert seen == Counter(pair.id for pair in dataset)


def _count(seen, pair_id, image):
    seen[pair_id] += 1
    return float(image.mean())


def test_two_protocols_share_images_and_nothing_else(draw, monkeypatch):
    dataset, predictions = draw(4)
    register_metric(monkeypatch, "stateful", Stateful)
    read = Counter()

    def counted(ref):
        read[ref.path] += 1
        return read_image(ref)

    monkeypatch.setattr(module, "read_image", counted)
    names = ["psnr", "swd", "stateful"]
    rules = [
        type(I2I)(
            id=f"own-{seed}",
            title="",
            metrics=[{"name": "psnr"}, {"name": "swd", "settings": {"seed": seed}},
                     {"name": "stateful", "settings": {"gain": seed}}],
        )
        for seed in (1, 7)
    ]  # fmt: skip
    found = evaluate_together(dataset, [(predictions, each) for each in rules])
    assert set(read.values()) == {1} and len(read) == 8
    for protocol, evaluation in zip(rules, found, strict=True):
        alone = evaluate(dataset, predictions, protocol=protocol)
        assert everything(evaluation) == everything(alone)
        assert (evaluation.protocol, [*evaluation.metrics]) == (protocol.id, names)
    assert found[0].metrics["swd"].value != found[1].metrics["swd"].value


class Stateful(SetMetric):
    """A metric with every bad habit of a plugin: it keeps results by pair, and adds in place."""

    name, better = "stateful", "higher"

    class Settings(MetricSettings):
        gain: float = 1
        since: Any = None  # neither hashable nor JSON

    def __init__(self, settings=None):
        super().__init__(settings)
        self._seen = {}

    def signature(self):
        return self._signature("test")

    def describe(self, pair):
        if pair.id not in self._seen:
            mean = pair.once(lambda p: p.prediction.mean() * self.settings.gain, key="own-key")
            self._seen[pair.id] = np.array([mean, 1.0])
        return self._seen[pair.id]

    def new_state(self):
        return []

    def update(self, state, pair_id, description):
        if not state:
            state.append(description)
        else:
            state[0] += description

    def merge(self, state, other):
        return [state[0] + other[0]]

    def compute(self, state):
        total, count = state[0]
        return Score(float(total / count))


def test_metrics_that_keep_what_they_found_do_so_for_one_model(draw, tmp_path, monkeypatch):
    register_metric(monkeypatch, "stateful", Stateful)
    content = {**I2I.model_dump(), "id": "own-1"}
    content["metrics"] = [{"name": "stateful", "settings": {"since": date(2026, 1, 1)}}]
    protocol = type(I2I)(**content)
    dataset, first = draw(4)
    dark = {pair_id: tmp_path / "dark" / path.name for pair_id, path in first.items()}
    (tmp_path / "dark").mkdir()
    for path in dark.values():
        cv2.imwrite(str(path), np.zeros((48, 48, 3), np.uint8))
    for models in ([first, dark], [dark, first]):
        found = evaluate_together(dataset, [(model, protocol) for model in models])
        for model, evaluation in zip(models, found, strict=True):
            alone = evaluate(dataset, model, protocol=protocol)
            assert evaluation.metrics == alone.metrics and evaluation.groups == alone.groups


def test_protocols_that_prepare_images_differently_are_refused(draw):
    dataset, predictions = draw(2)
    scorings = [(predictions, I2I), (predictions, load_protocol("bci-2022"))]
    with pytest.raises(UsageError, match="i2i-1 and bci-2022 prepare images differently"):
        evaluate_together(dataset, scorings)


def test_the_file_of_the_model_that_is_at_fault_is_named(draw, tmp_path):
    dataset, first = draw(4)
    second = write_blurred(first, tmp_path / "second", 1)
    scorings = [(first, I2I), (second, I2I)]
    path = second[dataset[2].id]
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(DataError, match="second/00002"):
        evaluate_together(dataset, scorings, metrics=["psnr"])
    cv2.imwrite(str(path), np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(
        DataError, match=r"second: 1 of 4 .*00002_test_2\+ is 40 x 40 and not 48 x 48"
    ):
        evaluate_together(dataset, scorings, metrics=["psnr"])
    del second[dataset[1].id]
    with pytest.raises(DataError, match="1 of 4 pairs have no prediction: 00001"):
        evaluate_together(dataset, scorings, metrics=["psnr"])


def test_a_metric_that_fails_names_the_prediction(draw, tmp_path, monkeypatch):
    class OneBad(PairMetric):
        name, better = "one-bad", "higher"

        def signature(self):
            return self._signature("test")

        def score_pair(self, pair):
            return float("nan") if pair.prediction.max() == 0 else 1.0

    register_metric(monkeypatch, "one-bad", OneBad)
    dataset, first = draw(4)
    second = write_blurred(first, tmp_path / "second", 1)
    cv2.imwrite(str(second[dataset[3].id]), np.zeros((48, 48, 3), np.uint8))
    with pytest.raises(DataError, match=r"one-bad is nan on pair 00003.*second/00003"):
        evaluate_together(dataset, [(first, I2I), (second, I2I)], metrics=["one-bad"])


def test_what_a_target_shares_is_dropped_with_it():
    """Memory does not grow with pairs: what was found in a target belongs to its images."""
    target = np.zeros((8, 8, 3), np.uint8)
    pair = PairImages("a", target, target)
    assert not pair.shares_target
    other = pair.beside(target + 1)
    assert pair.shares_target and other.shares_target
    assert pair.once_of_target(np.mean, key="mean") == other.once_of_target(lambda _: 1, key="mean")
    assert other.once(lambda p: p.prediction.max(), key="max") == 1
    assert pair.once(lambda p: p.prediction.max(), key="max") == 0
    pair.forget_target()
    assert other.once_of_target(lambda _: 2, key="mean") == 2
    assert PairImages("b", target, target).once_of_target(lambda _: 5, key="mean") == 5


def test_a_set_metric_that_one_model_lacks_names_the_model(draw, tmp_path):
    dataset, first = draw(4)
    grey = {pair_id: tmp_path / "grey" / path.name for pair_id, path in first.items()}
    (tmp_path / "grey").mkdir()
    for path in grey.values():
        cv2.imwrite(str(path), np.full((48, 48, 3), 255, np.uint8))
    pairs = [(first, I2I), (grey, I2I)]
    with pytest.warns(UserWarning, match="dab-iod-correlation"):
        known, undefined = evaluate_together(dataset, pairs, metrics=["dab-iod-correlation"])
    assert known.metrics["dab-iod-correlation"].value is not None
    assert "same density" in undefined.metrics["dab-iod-correlation"].unavailable
    with pytest.raises(UsageError, match="no predictions to score"):
        evaluate_together(dataset, [])
