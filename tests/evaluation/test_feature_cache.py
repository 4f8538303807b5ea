"""Target features are kept by content: used when nothing changed, never when something did."""

from __future__ import annotations

import resource

import numpy as np
import pytest

from i2ibench.data.pairs import ImageRef
from i2ibench.data.preparation import Preparation
from i2ibench.evaluation.feature_cache import FeatureStore, TargetFeatures, content_hash

FEATURE = np.arange(6, dtype=np.float32)


def test_what_is_flushed_is_found_by_the_next_store(tmp_path):
    store = FeatureStore(tmp_path)
    store.put("extractor-v1", "a" * 64, FEATURE)
    store.flush()
    again = FeatureStore(tmp_path)
    assert again.get("extractor-v1", "a" * 64).tolist() == FEATURE.tolist()
    assert again.get("extractor-v1", "b" * 64) is None
    assert again.get("extractor-v2", "a" * 64) is None
    again.flush()
    assert len(list(tmp_path.rglob("*.npy"))) == 1, "nothing new, nothing written"


def test_packs_of_several_evaluations_add_up(tmp_path):
    for key in ("a", "b"):
        store = FeatureStore(tmp_path)
        store.put("x", key * 64, FEATURE)
        store.flush()
    third = FeatureStore(tmp_path)
    assert third.get("x", "a" * 64) is not None
    assert third.get("x", "b" * 64) is not None


@pytest.mark.filterwarnings("ignore:Reading `.npy`")
@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-3], lambda content: content.replace(b"}", b"("), lambda _: b""],
    ids=["torn", "header", "empty"],
)
def test_a_damaged_pack_is_named_and_not_used(tmp_path, damage):
    store = FeatureStore(tmp_path)
    store.put("x", "a" * 64, FEATURE)
    store.flush()
    (pack,) = tmp_path.rglob("*.npy")
    pack.write_bytes(damage(pack.read_bytes()))
    with pytest.warns(UserWarning, match="is damaged"):
        assert FeatureStore(tmp_path).get("x", "a" * 64) is None


def test_the_key_is_content_box_and_preparation(draw, tmp_path):
    dataset, _ = draw(4)
    path, other = dataset[0].target.path, dataset[1].target.path
    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())
    native, small = Preparation(), Preparation(scale_width=320)
    key = content_hash(ImageRef(path), native)
    assert content_hash(ImageRef(copy), native) == key, "the name is no part of it"
    different = {
        content_hash(ImageRef(other), native),
        content_hash(ImageRef(path, (0, 0, 8, 8)), native),
        content_hash(ImageRef(path), small),
    }
    assert key not in different
    assert len(different) == 3


def test_the_file_is_hashed_once_and_only_if_asked(tmp_path):
    asked = []

    def content():
        asked.append(1)
        return "a" * 64

    bound = TargetFeatures(FeatureStore(tmp_path), content)
    assert asked == []
    assert bound.get("x") is None
    bound.put("x", FEATURE)
    assert bound.get("x") is FEATURE
    assert len(asked) == 1


def test_a_cache_that_cannot_be_written_is_a_warning_and_no_failure(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = FeatureStore(tmp_path / "file")
    store.put("x", "a" * 64, FEATURE)
    with pytest.warns(UserWarning, match="could not be kept"):
        store.flush()


def test_a_disk_that_fills_up_is_a_warning_and_leaves_no_torn_pack(tmp_path):
    store = FeatureStore(tmp_path)
    store.put("x", "a" * 64, np.arange(800, dtype=np.float32))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
        with pytest.warns(UserWarning, match="could not be kept"):
            store.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
