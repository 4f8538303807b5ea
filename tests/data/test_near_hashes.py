"""Near hashes are those that a comparison of all with all finds."""

from __future__ import annotations

import numpy as np
import pytest

from i2ibench.data.audit.near_hashes import near_hashes


def _hashes(number: int, copies: int, seed: int = 0) -> np.ndarray:
    """Random hashes, of which many are others with some bits turned."""
    rng = np.random.default_rng(seed)
    bits = rng.random((number, 256)) < 0.5
    for index in rng.integers(1, number, copies):
        bits[index] = bits[rng.integers(index)]
        bits[index, rng.permutation(256)[: rng.integers(0, 40)]] ^= True
    return np.packbits(bits, axis=1).view(np.uint64)


def _found(words: np.ndarray, distance: int) -> set[tuple[int, int]]:
    return {
        pair
        for first, second in near_hashes(words, distance)
        for pair in zip(first.tolist(), second.tolist(), strict=True)
    }


@pytest.mark.parametrize("copies", [0, 60, 3000], ids=["none", "some", "most are alike"])
@pytest.mark.parametrize("distance", [0, 1, 28, 31])
def test_all_pairs_within_the_distance_are_found_and_no_others(copies: int, distance: int) -> None:
    words = _hashes(400, copies)
    bits = np.unpackbits(words.view(np.uint8), axis=1).astype(int)
    apart = (bits[:, None] != bits[None]).sum(2)
    expected = {(i, j) for i, j in zip(*np.nonzero(apart <= distance), strict=True) if i < j}
    assert _found(words, distance) == expected


def test_equal_hashes_are_all_found() -> None:
    assert len(_found(np.zeros((50, 4), np.uint64), 28)) == 50 * 49 // 2


def test_unrelated_hashes_are_hardly_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    from i2ibench.data.audit import near_hashes as module

    looked_at = []
    sharing = module._sharing_a_part

    def counted(parts, orders):
        for first, second in sharing(parts, orders):
            looked_at.append(len(first))
            yield first, second

    monkeypatch.setattr(module, "_sharing_a_part", counted)
    _found(_hashes(3000, 0), 28)
    assert sum(looked_at) < 0.02 * 3000**2 / 2
