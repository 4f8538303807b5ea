"""What changes no number, for every metric; and what equal images give."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeded_weights import write_trunks

from i2ibench import registry
from i2ibench.data.images import read_image
from i2ibench.errors import DataError
from i2ibench.evaluation.accumulate import PredictionSet, accumulate
from i2ibench.evaluation.metric_choice import choose_metrics
from i2ibench.evaluation.one_pass import evaluate, evaluate_together
from i2ibench.evaluation.predictions import check_images
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.evaluation.sharded import evaluate_parts, write_shard
from i2ibench.evaluation.shards import Shard
from i2ibench.evaluation.summary import overall_values
from i2ibench.metrics import manifold
from i2ibench.metrics.interface import Context, PairMetric, TrainingTarget, registered_metric

I2I = load_protocol("i2i-1")
OURS = [n for n in registry.metrics.names() if registry.metrics.entry(n).provider == "i2ibench"]
WITH_NETWORK = [name for name in OURS if registered_metric(name).weights]
WITHOUT_NETWORK = [name for name in OURS if name not in WITH_NETWORK]


@pytest.fixture
def all_networks(networks, tmp_path, monkeypatch):
    """True squeeze weights, and seeded ones of Inception, AlexNet and VGG; few pairs suffice."""
    monkeypatch.setattr(manifold, "FEWEST_PAIRS", 1)
    write_trunks(tmp_path / "weights")


def _in_shards(drawn, chosen, order, cut, workers):
    """Return the values of pairs scored in another order, in two shards that are merged."""
    pairs = [drawn.dataset.pairs[index] for index in order]
    parts = [
        accumulate(
            replace(drawn.dataset, pairs=tuple(part)),
            [PredictionSet(drawn.predictions, chosen)],
            preparation=I2I.preparation,
            workers=workers,
        )[0]
        for part in (pairs[:cut], pairs[cut:])
        if part
    ]
    whole = parts[0] if len(parts) == 1 else parts[0].merge(parts[1], chosen)
    values, details = overall_values(whole, chosen)
    floors = {
        f"floor of {name}": found["floor"] for name, found in details.items() if "floor" in found
    }
    return {**{name: value.value for name, value in values.items()}, **floors}


def _check_shards(drawn, names, context, examples):
    sizes = check_images(drawn.dataset, drawn.predictions, I2I.preparation)
    chosen = choose_metrics(I2I, names, context, sizes)
    chosen.load_networks(context)
    count = len(drawn.dataset)
    expected = _in_shards(drawn, chosen, range(count), count, workers=1)
    assert all(math.isfinite(value) for value in expected.values())

    @settings(max_examples=examples, deadline=None)
    @given(
        order=st.permutations(range(count)),
        cut=st.integers(1, count - 1),
        workers=st.integers(1, 3),
    )
    def holds(order, cut, workers):
        found = _in_shards(drawn, chosen, order, cut, workers)
        assert found == pytest.approx(expected, abs=1e-9, rel=1e-9)

    holds()


def test_order_workers_and_shards_change_nothing_without_networks(draw):
    training = [
        TrainingTarget(pair.id, pair.group, partial(read_image, pair.target))
        for pair in draw(8, size=176, seed=5, split="train").dataset
    ]
    context = Context(training_targets=training, group_order=("0", "1+", "2+", "3+"))
    _check_shards(draw(6, size=176), WITHOUT_NETWORK, context, examples=6)


def test_order_workers_and_shards_change_nothing_with_networks(draw, all_networks):
    context = Context(allow_unverified_weights=True)
    _check_shards(draw(5, size=64), WITH_NETWORK, context, examples=2)


def _check_part_files(drawn, names, folder, **options):
    scored = [(drawn.predictions, I2I)]
    options = {"metrics": names, "workers": 2, "use_cache": False, **options}
    [whole] = evaluate_together(drawn.dataset, scored, **options)
    for number in (3, 1, 2):  # in any order
        shard = Shard(number, 3)
        write_shard(drawn.dataset, scored, shard, folder / shard.file_name, **options)
    [merged] = evaluate_parts(drawn.dataset, scored, folder, **options)
    pair_metrics = [*whole.pair_columns.metrics]
    assert {*pair_metrics} == {n for n in names if issubclass(registered_metric(n), PairMetric)}
    for name in pair_metrics:
        columns = (each.pair_columns.metrics[name] for each in (merged, whole))
        np.testing.assert_array_equal(*columns)
    for group in (None, *whole.groups):
        found, expected = (
            each.metrics if group is None else each.groups[group].metrics
            for each in (merged, whole)
        )
        assert [*found] == [*expected]
        for name, value in expected.items():
            if value.value is not None:
                assert found[name].value == pytest.approx(value.value, abs=1e-9, rel=1e-9), name
            for field in ("n", "signature", "unavailable"):
                assert getattr(found[name], field) == getattr(value, field)
    return merged


def test_parts_as_files_give_the_values_of_one_pass_without_networks(draw, tmp_path):
    training = draw(8, size=176, seed=5, split="train").dataset
    _check_part_files(
        draw(9, size=176), WITHOUT_NETWORK, tmp_path / "parts", training_targets=training
    )


def test_parts_as_files_give_the_values_of_one_pass_with_networks(draw, all_networks, tmp_path):
    found = _check_part_files(
        draw(7, size=64), WITH_NETWORK, tmp_path / "parts", allow_unverified_weights=True
    )
    assert found.metrics["fid"].value > 0


def test_a_pair_in_both_shards_is_refused(draw):
    drawn = draw(2)
    sizes = check_images(drawn.dataset, drawn.predictions, I2I.preparation)
    chosen = choose_metrics(I2I, ["psnr"], Context(), sizes)
    scorings = [PredictionSet(drawn.predictions, chosen)]
    found, *_ = accumulate(drawn.dataset, scorings, preparation=I2I.preparation, workers=1)
    with pytest.raises(DataError, match="is in both of the shards"):
        found.merge(found, chosen)


# What prediction and target being equal gives; group agreement then reaches its ceiling, and
# shift-confidence depends on the image's finest structure.
PERFECT = {
    "mae": 0,
    "ssim": 1,
    "ssim-gaussian": 1,
    "ms-ssim": 1,
    "ssim-aligned": 1,
    "shift": 0,
    "swd": 0,
    "dab-dice": 1,
    "dab-dice-tolerant": 1,
    "dab-iou": 1,
    "dab-tpr": 1,
    "dab-tnr": 1,
    "dab-hd95": 0,
    "dab-asd": 0,
    "dab-p90-error": 0,
    "dab-p90-correlation": 1,
    "dab-p90-order": 0,
    "dab-od-error": 0,
    "dab-area-error": 0,
    "dab-histogram-distance": 0,
    "dab-iod-correlation": 1,
    "dab-od-correlation": 1,
    "variance-gap": 0,
    "variance-ratio": 1,
    "distance-ratio": 1,
}
PERFECT_FEATURES = {
    "dists": 0,
    "fid": 0,
    "fid-clean": 0,
    "lpips": 0,
    "lpips-squeeze": 0,
    "lpips-vgg": 0,
    "kid-marginal": 0,
    "precision": 1,
    "recall": 1,
}
INFINITE = {"psnr", "psnr-aligned"}
AGREEMENT = {"group-accuracy", "group-kappa"}


def test_predictions_that_are_their_targets_are_perfect_but_for_the_readers_own_errors(draw):
    drawn = draw(12, size=176)
    # Training targets of other levels, so that the reader errs on real ones, too.
    training = draw(12, size=48, seed=9, split="train").dataset
    moved = training.pairs[1:] + training.pairs[:1]
    wrong = [
        replace(pair, target=other.target) if index % 3 == 0 else pair
        for index, (pair, other) in enumerate(zip(training.pairs, moved, strict=True))
    ]
    found = evaluate(
        drawn.dataset,
        {pair.id: pair.target.path for pair in drawn.dataset},
        protocol=I2I,
        metrics=WITHOUT_NETWORK,
        training_targets=replace(training, pairs=tuple(wrong)),
    )
    readings = {"group-read", "group-error", "shift-confidence"}
    assert {*WITHOUT_NETWORK} == {*PERFECT, *INFINITE, *AGREEMENT, *readings}
    values = {name: found.metrics[name].value for name in PERFECT}
    assert values == pytest.approx(PERFECT, abs=1e-9)
    for name in INFINITE:
        assert np.isposinf(found.pair_scores[name]).all()
    for name in AGREEMENT:
        assert found.metrics[name].value == found.details[name]["ceiling"] < 1
    wrong_levels = found.pair_scores["group-error"] > 0
    assert 1 - wrong_levels.mean() == pytest.approx(found.metrics["group-accuracy"].value)


def test_predictions_that_are_their_targets_have_perfect_features(draw, all_networks):
    drawn = draw(5, size=64)
    found = evaluate(
        drawn.dataset,
        {pair.id: pair.target.path for pair in drawn.dataset},
        protocol=I2I,
        metrics=WITH_NETWORK,
        allow_unverified_weights=True,
    )
    values = {name: found.metrics[name].value for name in WITH_NETWORK}
    assert values.pop("kid") < 0, "unbiased: of equal sets never above zero"
    # FID is a small difference of large sums.
    assert values == pytest.approx(PERFECT_FEATURES, abs=1e-6)
