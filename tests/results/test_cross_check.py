"""`verify --reference`: the packages' own values beside the recorded ones, and what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cross_checks import CROP, OF_A_SET, PAIRS, PER_PAIR, SIDE, by_name, check_run, edit_record
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from i2ibench.cli.app import run_app
from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import UsageError, VerificationError
from i2ibench.results.record_files import read_result
from i2ibench.results.reference import REFERENCES


def test_an_untouched_run_has_the_values_of_all_packages(judged: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = check_run(judged, progress=lambda done, total: seen.append((done, total)))
    rows = by_name(found)
    assert list(rows) == list(REFERENCES)
    assert found.checked == [*PER_PAIR, *OF_A_SET]
    assert found.findings == () and found.error() is None
    recorded = read_result(judged / "result.json").metrics
    for name in found.checked:
        row = rows[name]
        assert row.recorded == recorded[name].value
        assert row.reference == pytest.approx(row.recorded, abs=row.tolerance)
        assert row.difference <= row.tolerance
        assert row.pairs == PAIRS
        assert row.version
    assert rows["psnr"].difference < 1e-12 and rows["lpips-squeeze"].difference < 1e-6
    assert rows["lpips"].unchecked == rows["lpips-vgg"].unchecked == "not in the record"
    assert seen[-1] == (4 * PAIRS, 4 * PAIRS)


def test_psnr_is_scikit_images_of_the_prepared_target(quick: Path) -> None:
    margin = (SIDE - CROP) // 2
    box = (margin, margin, margin + CROP, margin + CROP)
    values = [
        peak_signal_noise_ratio(
            np.asarray(Image.open(target).crop(box)),
            np.asarray(Image.open(quick / "predictions" / target.name)),
        )
        for target in sorted((quick.parent / "drawn" / "IHC" / "test").iterdir())
    ]
    assert by_name(check_run(quick))["psnr"].reference == pytest.approx(np.mean(values), abs=1e-12)


@pytest.mark.parametrize("names", [*((name,) for name in PER_PAIR), OF_A_SET], ids="-".join)
def test_an_edited_value_is_refuted(judged: Path, names: tuple[str, ...]) -> None:
    def change(made: dict[str, Any]) -> None:
        metrics = made["metrics"]
        for name in names:
            metrics[name]["value"] *= 1.01
        if names != OF_A_SET:
            made["metrics"] = {name: metrics[name] for name in PER_PAIR}

    edit_record(judged, change)
    found = check_run(judged)
    assert [metric.metric for metric in found.metrics if metric.refuted] == [*names]
    error = found.error()
    assert isinstance(error, VerificationError) and error.exit_code == 5
    assert ", ".join(names) in str(error) and "\n" not in str(error)


def test_a_value_that_is_not_the_mean_of_the_stored_scores_is_refuted_by_any_sample(
    quick: Path,
) -> None:
    edit_record(quick, lambda made: made["metrics"]["psnr"].update(value=40.0))
    rows = by_name(check_run(quick, sample=2))
    assert "40.0 recorded" in rows["psnr"].refuted
    assert rows["ssim"].refuted is None


def test_an_edited_score_of_a_pair_is_named(quick: Path) -> None:
    path = quick / "scores.csv"
    header, *lines = path.read_text().splitlines()
    column = header.split(",").index("ssim")
    fields = [line.split(",") for line in lines]
    # The mean stays: another pair pays for it.
    fields[3][column] = repr(float(fields[3][column]) + 1e-3)
    fields[4][column] = repr(float(fields[4][column]) - 1e-3)
    path.write_text("\n".join([header, *map(",".join, fields)]) + "\n")
    row = by_name(check_run(quick))["ssim"]
    assert row.pair in {"00003_test_1+", "00004_test_1+"}
    assert row.pair in row.refuted
    assert row.difference == pytest.approx(1e-3, rel=1e-6)


def test_a_changed_prediction_is_refuted_twice(quick: Path) -> None:
    path = quick / "predictions" / "00005_test_1+.png"
    image = read_image(ImageRef(path))
    image[:8] = 255 - image[:8]
    write_png(path, image)
    rows = by_name(check_run(quick))
    for name in PER_PAIR:
        assert "pair 00005_test_1+" in rows[name].refuted


def test_a_changed_target_is_told_beside_the_numbers(quick: Path) -> None:
    path = quick.parent / "drawn" / "IHC" / "test" / "00002_test_1+.png"
    image = read_image(ImageRef(path))
    image[0, 0] = 255 - image[0, 0]  # outside of the crop: no number changes
    write_png(path, image)
    found = check_run(quick)
    assert found.checked == [*PER_PAIR]
    assert [finding.subject for finding in found.findings] == ["data"]
    assert isinstance(found.error(), VerificationError)


def test_a_sample_is_spread_evenly_and_stated(quick: Path) -> None:
    found = check_run(quick, sample=4)
    numbers = [int(pair_id.split("_")[0]) for pair_id in found.sample]
    assert numbers[0] == 0 and numbers[-1] == PAIRS - 1
    assert set(np.diff(numbers)) <= {3, 4}
    assert (found.pairs, found.error()) == (PAIRS, None)
    for name in PER_PAIR:
        assert by_name(found)[name].pairs == 4
        assert by_name(found)[name].difference <= 1e-6
    assert len(check_run(quick, sample=PAIRS + 5).sample) == PAIRS
    with pytest.raises(UsageError, match="sample"):
        check_run(quick, sample=0)


def _call(judged: Path, *options: str) -> int:
    where = [
        "--dataset",
        str(judged.parent / "drawn"),
        "--protocol",
        str(judged.parent / "judged.toml"),
    ]
    line = ["verify", str(judged), "--reference", *where, "--device", "cpu", *options]
    return run_app(line)


def test_the_command_prints_both_numbers_and_their_difference(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(quick, "--sample", "3") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "3 of 12 pairs" in told and "cross-checked: psnr, ssim" in told
    assert "scikit-image 0" in told and "not in the record" in told
    assert _call(quick, "--json", "--sample", "0") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["cross_checked"] == [*PER_PAIR]
    [psnr] = [metric for metric in content["metrics"] if metric["metric"] == "psnr"]
    assert psnr["recorded"] == pytest.approx(psnr["reference"], abs=psnr["tolerance"])
    assert psnr["package"] == "scikit-image" and psnr["version"]


def test_the_command_exits_with_5_where_a_value_differs(
    quick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_record(quick, lambda made: made["metrics"]["psnr"].update(value=40.0))
    assert _call(quick) == 5
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and "psnr" in last
    assert _call(quick, "--json") == 5
    content = json.loads(capsys.readouterr().out)
    assert "psnr" not in content["cross_checked"]


def test_a_cross_check_is_not_recorded(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(quick, "--record") == 2
    assert "--record" in capsys.readouterr().err
    assert run_app(["verify", str(quick), "--sample", "3"]) == 2
    assert "--reference" in capsys.readouterr().err
    assert read_result(quick / "result.json").status == "measured"
