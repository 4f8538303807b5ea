"""What the reference packages cannot judge refutes nothing, and their traps catch nobody."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cross_checks import OF_A_SET, PER_PAIR, by_name, check_run, edit_record, score_run

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.errors import DataError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.metrics.networks.weights import WeightsFile
from i2ibench.results.reference import REFERENCES, set_references


def test_what_cannot_be_compared_says_why_and_refutes_nothing(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path / "none"))

    def change(made: dict[str, Any]) -> None:
        metrics = made["metrics"]
        metrics["ssim"].update(signature=metrics["ssim"]["signature"].replace("v:1", "v:2"))
        metrics["psnr"].update(value=None, notes=["infinite: 1 of 12 predictions"])

    edit_record(judged, change)
    found = check_run(judged, allow_unverified_weights=False)
    rows = by_name(found)
    assert found.checked == ["ssim-gaussian"] and found.error() is None
    assert "infinite: 1 of 12" in rows["psnr"].unchecked
    assert "v:2" in rows["ssim"].unchecked
    for name, weights in (("lpips-squeeze", "lpips-squeeze"), ("fid", "inception-fid")):
        assert f"weights fetch {weights}" in rows[name].unchecked


def test_other_weights_than_the_recorded_ones_refute_nothing(
    judged: Path, judges_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    file = next(judges_weights.glob("*inception*"))
    state = torch.load(file, weights_only=True)
    torch.save({key: value * 2 for key, value in state.items()}, other / file.name)
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(other))
    rows = by_name(check_run(judged))
    for name in OF_A_SET:
        assert rows[name].unchecked.count("unverified-") == 2


def test_values_in_bf16_are_not_held_against_fp32(judged: Path) -> None:
    score_run(judged, judged.parent, feature_precision="bf16")
    rows = by_name(check_run(judged))
    for name in ("lpips-squeeze", *OF_A_SET):
        assert "bf16" in rows[name].unchecked
    assert rows["psnr"].refuted is None and rows["psnr"].reference > 0


@pytest.mark.parametrize(
    ("modules", "confirmed"),
    [
        (["lpips", "torch_fidelity"], ["psnr", "ssim", "ssim-gaussian"]),
        (["skimage.metrics", "torch_fidelity"], ["lpips-squeeze"]),
    ],
)
def test_a_package_that_cannot_be_imported_refutes_nothing(
    judged: Path, modules: list[str], confirmed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    found = check_run(judged, sample=2)
    assert found.checked == confirmed and found.error() is None
    for name in {*PER_PAIR, *OF_A_SET} - {*confirmed}:
        package = REFERENCES[name].package
        assert f"pip install --upgrade {package}" in by_name(found)[name].unchecked


def test_equal_images_are_infinitely_good_to_both(quick: Path) -> None:
    for pair in open_dataset(str(quick.parent / "drawn"), "test").pairs[:1]:
        target = load_protocol(quick.parent / "judged.toml").preparation.apply(
            read_image(pair.target)
        )
        write_png(quick / "predictions" / f"{pair.id}.png", target)
    score_run(quick, quick.parent, metrics=["psnr", "ssim"])
    rows = by_name(check_run(quick))
    assert "infinite: 1 of 12" in rows["psnr"].unchecked
    assert rows["ssim"].refuted is None and rows["ssim"].difference < 1e-9


def test_without_scores_per_pair_only_all_pairs_can_be_compared(quick: Path) -> None:
    (quick / "scores.csv").unlink()
    found = check_run(quick, sample=4)
    assert found.checked == [] and found.error() is None
    assert "--sample 0" in by_name(found)["psnr"].unchecked
    assert check_run(quick).checked == [*PER_PAIR]


def test_scores_of_other_pairs_are_told(quick: Path) -> None:
    path = quick / "scores.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    found = check_run(quick)
    # By their hash, and by their ids.
    assert [finding.subject for finding in found.findings] == ["scores.csv", "scores.csv"]


@pytest.fixture
def make_images() -> Callable[[str], np.ndarray]:
    """An image by its name, whose size is that of the name."""

    def make(pair_id: str) -> np.ndarray:
        rng = np.random.default_rng(len(pair_id))
        return rng.integers(0, 256, (40 + len(pair_id), 50, 3), np.uint8)

    return make


def test_images_of_several_sizes_go_through_inception_one_by_one(
    judges_weights: Path, make_images: Callable[[str], np.ndarray]
) -> None:
    file = next(judges_weights.glob("*inception*"))
    found = set_references(
        {"prediction": make_images, "target": lambda pair_id: 255 - make_images(pair_id)},
        ["a", "bb", "ccc"],
        WeightsFile(file, "", False, ""),
        "cpu",
        of_one_size=False,
        fid=True,
        kid=None,
    )
    assert set(found) == {"fid"} and math.isfinite(found["fid"])


class _Payload:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_torch_fidelity_never_unpickles_a_file_of_unknown_origin(
    tmp_path: Path, make_images: Callable[[str], np.ndarray]
) -> None:
    hostile, touched = tmp_path / "inception.pth", tmp_path / "touched"
    hostile.write_bytes(pickle.dumps(_Payload(touched)))
    with pytest.raises(DataError, match=r"inception\.pth"):
        set_references(
            {"prediction": make_images, "target": make_images},
            ["a", "b"],
            WeightsFile(hostile, "", False, ""),
            "cpu",
            of_one_size=True,
            fid=True,
            kid=None,
        )
    assert not touched.exists()
