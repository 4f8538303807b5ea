"""Many pairs: what is kept on the disk, summed up, or looked at in part gives the same values."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from i2ibench.metrics import distribution, diversity, kept_rows, kernel_sums, manifold
from i2ibench.metrics.by_pair import ByPair, Descriptions
from i2ibench.metrics.distribution import FID, frechet_distance
from i2ibench.metrics.diversity import DistanceRatio
from i2ibench.metrics.inception_features import FeatureState
from i2ibench.metrics.kernel_distance import KID, KIDMarginal, KIDSettings, squared_mmd
from i2ibench.metrics.manifold import Precision
from i2ibench.metrics.moments import distance_of_moments, merged_moments, moments_of
from i2ibench.metrics.pixel_sums import PixelMoments, PixelTotals
from i2ibench.metrics.sliced import SWD, Patches, SWDSettings


def _features(n: int, d: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    shared = draw.standard_normal((n, 6)) @ draw.standard_normal((6, d))
    sides = [np.maximum(shared + draw.standard_normal((n, d)) + shift, 0) for shift in (0.1, 0)]
    return sides[0].astype(np.float32), sides[1].astype(np.float32)


def _state(predictions: np.ndarray, targets: np.ndarray, order=None) -> FeatureState:
    rows = [(f"{i:06d}", (a, b)) for i, (a, b) in enumerate(zip(predictions, targets, strict=True))]
    return FeatureState(dict(rows if order is None else [rows[i] for i in order]))


@pytest.fixture
def on_the_disk(tmp_path, monkeypatch):
    """Nothing stays in memory but the block that is being filled."""
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(kept_rows, "IN_MEMORY", 0)
    monkeypatch.setattr(kept_rows, "_BLOCK", 1 << 10)
    return tmp_path / "scratch"


def _described(n: int) -> dict[str, tuple[object, ...]]:
    draw = np.random.default_rng(1)
    texts = ["0", None, "3+"]
    return {
        f"{i * 7 % n:04d}": (draw.random((3, 2), np.float32), float(draw.random()), texts[i % 3])
        for i in range(n)
    }


def test_descriptions_on_the_disk_come_back_to_the_last_bit(on_the_disk):
    given = _described(200)
    halves = [dict(list(given.items())[part]) for part in (slice(90), slice(90, None))]
    for kept in (Descriptions(given), Descriptions(halves[0]).joined(Descriptions(halves[1]))):
        assert {*kept} == {*given} and len(kept) == 200
        for pair_id, (array, number, text) in given.items():
            found = kept[pair_id]
            assert np.array_equal(found[0], array) and found[1:] == (number, text)
        state = ByPair(kept)
        in_order = [given[pair_id] for pair_id in sorted(given)]
        assert np.array_equal(state.column(0)[:], [row[0] for row in in_order])
        assert state.column(1)[50:60].tolist() == [row[1] for row in in_order[50:60]]
        assert state.column(2)[:].tolist() == [row[2] for row in in_order]


def test_the_file_has_no_name_and_its_space_is_given_back(on_the_disk):
    kept = Descriptions(_described(100))
    scratch = kept_rows._Scratch._current()
    assert scratch is not None and scratch._end > 0, "something went to the disk"
    assert [*on_the_disk.iterdir()] == [], "a kill leaves nothing behind"
    del kept, scratch
    gc.collect()
    assert kept_rows._Scratch._current() is None, "closed with the last that was kept in it"


def test_what_has_no_form_is_kept_as_it_is():
    given = {"a": (np.zeros(2), 1.0), "b": {"x": 1}, "c": (np.zeros(3), 2.0)}
    kept = Descriptions(given)
    assert kept["b"] == {"x": 1} and kept["c"][0].shape == (3,)
    assert [row[1] for row in Descriptions({k: given[k] for k in "ac"}).values()] == [1.0, 2.0]
    kept["a"] = (np.ones(2), 3.0)
    assert kept["a"][1] == 3.0 and len(kept) == 3


def test_metrics_of_features_on_the_disk_equal_those_in_memory(on_the_disk, monkeypatch):
    metrics = [FID(), KID(KIDSettings(subset=50, subsets=4)), KIDMarginal(), Precision()]
    sides = _features(150)
    filed = _state(*sides, order=np.random.default_rng(2).permutation(150))
    monkeypatch.setattr(kept_rows, "IN_MEMORY", 1 << 30)
    in_memory = _state(*sides)
    for metric in metrics:
        assert metric.compute(filed) == metric.compute(in_memory)


@pytest.mark.parametrize("n", [400, 15])
def test_frechet_distance_from_moments_is_that_of_the_rows(n):
    x, y = _features(n)
    whole = distance_of_moments(moments_of(x), moments_of(y))
    assert whole == pytest.approx(frechet_distance(x, y), rel=1e-8)
    parts = [merged_moments(moments_of(side[::3]), moments_of(side[1::3])) for side in (x, y)]
    parts = [merged_moments(p, moments_of(s[2::3])) for p, s in zip(parts, (x, y), strict=True)]
    assert distance_of_moments(*parts) == pytest.approx(whole, rel=1e-8)


def test_fid_of_many_pairs_has_its_value_and_floor(monkeypatch):
    state = _state(*_features(300))
    exact = FID().compute(state)
    monkeypatch.setattr(distribution, "EXACT_UP_TO", 100)
    found = FID().compute(state)
    assert found.value == pytest.approx(exact.value, rel=1e-8)
    assert found.details["floor"] == pytest.approx(exact.details["floor"], rel=1e-8)
    assert found.settings == exact.settings == ()


@pytest.mark.parametrize("block", [16, 1024])
@pytest.mark.parametrize("n", [120, 700])
def test_kid_of_subsets_is_the_mean_of_each_alone(n, block, monkeypatch):
    monkeypatch.setattr(kernel_sums, "_BLOCK", block)
    x, y = _features(n)
    draw, values = np.random.RandomState(2020), []
    for _ in range(9):
        chosen = [draw.choice(n, 40, replace=False) for _ in range(2)]
        values.append(squared_mmd(x[chosen[0]].astype(float), y[chosen[1]].astype(float)))
    settings = KIDSettings(subset=40, subsets=9)
    assert KID(settings).compute(_state(x, y)).value == pytest.approx(np.mean(values), abs=1e-11)


def test_drawn_subsets_of_many_pairs_hold_their_own_numbers_alone():
    draw = np.random.RandomState(0)
    for metric in (KID(), KIDMarginal()):
        assert all(each.base is None for each in metric._drawn(100_000, 10, draw))


def test_of_many_pairs_quadratic_metrics_look_at_a_subset_and_say_so(monkeypatch):
    x, y = _features(200)
    settings = {}
    for module, metric in ((manifold, Precision()), (diversity, DistanceRatio())):
        whole = metric.compute(_state(x, y))
        monkeypatch.setattr(module, "MOST_PAIRS", 150)
        orders = [None, np.random.default_rng(3).permutation(200)]
        found = [metric.compute(_state(x, y, order)) for order in orders]
        assert found[0] == found[1], "the order of pairs changes nothing"
        assert found[0].value == pytest.approx(whole.value, rel=0.1)
        settings[metric.name] = (whole.settings, found[0].settings)
    assert settings == dict.fromkeys(settings, ((), (("subset", "150"),)))


def test_distances_of_many_features_are_held_a_block_at_a_time():
    features = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
    tracemalloc.start()
    try:
        assert manifold.covered_share(features, features, 3) == 1.0
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3000 * 3000 * 8 / 2  # all distances at once would be 72 MB


def test_sums_of_squares_hold_any_number_of_images():
    n = 70_000  # of white images: squares sum to more than 32 bits hold
    moments = PixelMoments(n - 1, np.full((1, 1, 3), (n - 1) * 255, np.uint32), None)
    moments.squares = np.full((1, 1, 3), (n - 1) * 255**2, np.uint64)
    moments.add(np.zeros((1, 1, 3), np.uint8))
    assert moments.variance(slice(0, 1)) == pytest.approx(255**2 / n)
    few = PixelMoments.zero((1, 1, 3))
    few.n, few.squares = 66_000, np.full((1, 1, 3), 66_000 * 255**2, np.uint32)
    few.total = np.full((1, 1, 3), 66_000 * 255, np.uint32)
    assert few.plus(few).squares[0, 0, 0] == 2 * 66_000 * 255**2
    total = np.full((32, 400, 3), 16_000_000 * 255, np.uint32)
    totals = PixelTotals(16_000_000, total, 16_000_000 * 255**2 * total.size)
    assert totals.mean_variance() == 0, "the sum of squares is exact beyond 64 bits"


def test_patches_that_cannot_be_kept_are_dropped_at_once_and_the_sample_is_the_same():
    metric = SWD(SWDSettings(patches=8, kept=40))
    draw = np.random.default_rng(4)
    state, everything = metric.new_state(), []
    for i in range(60):
        values = draw.random((2, 8, 3, 49), np.float32)
        patches = Patches(draw.integers(0, 2**64 - 1, 8, dtype=np.uint64), *values)
        everything.append(patches)
        metric.update(state, f"{i:03d}", {0: patches})
        assert sum(len(part.priority) for part in state.levels[0]) < 50
    priorities = np.concatenate([part.priority for part in everything])
    targets = np.concatenate([part.target for part in everything])
    kept = metric.merge(state, metric.new_state()).levels[0][0]
    lowest = np.argsort(priorities)[:40]
    assert np.array_equal(kept.priority, priorities[lowest])
    assert np.array_equal(kept.target, targets[lowest])
