"""Records: complete, strict JSON, refused when torn, edited or from the future."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories import evaluation, pair_scores, result
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.errors import DataError
from i2ibench.evaluation.scores import MetricValue
from i2ibench.files import sha256_json
from i2ibench.results.build_record import build_result
from i2ibench.results.evaluation_intervals import evaluation_intervals, score_intervals
from i2ibench.results.pair_scores import (
    pair_columns,
    pair_scores_csv,
    read_pair_scores,
    write_pair_scores,
)
from i2ibench.results.record_files import read_result, write_result

LEVELS = ["0", "1+", "2+", "3+"] * 20


def _scores(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pair_scores({"psnr": rng.normal(20, 3, 80), "ssim": rng.beta(5, 5, 80)}, LEVELS)


def test_a_result_is_what_the_design_says(tmp_path: Path) -> None:
    missing = MetricValue(None, 80, "", "lower", "", unavailable="weights not found")
    made = result(_scores(), metrics={"fid": missing}, training={"epochs": 3}, run_id="abc")
    write_result(tmp_path / "result.json", made)
    content = json.loads((tmp_path / "result.json").read_text())
    assert list(content) == sorted(content)
    assert content["schema"] == 1
    assert content["status"] == "measured"
    assert content["metrics"]["fid"] == {
        "better": "lower",
        "n": 80,
        "unavailable": "weights not found",
        "value": None,
    }
    psnr = content["metrics"]["psnr"]
    assert psnr["value"] == pytest.approx(_scores()["psnr"].mean(), rel=1e-15)
    assert psnr["ci95"][0] < psnr["value"] < psnr["ci95"][1]
    assert psnr["signature"].startswith("psnr|")
    assert content["groups"]["3+"]["n"] == 20
    assert content["macro"]["ssim"]["ci95"]
    assert content["intervals"]["unit"] == "pair"
    assert read_result(tmp_path / "result.json") == made


def test_an_infinite_score_stays_out_of_the_json_and_is_told(tmp_path: Path) -> None:
    counted = ("infinite: 3 of 80 predictions equal their targets",)
    perfect = {
        "plain": MetricValue(float("inf"), 80, "dB", "higher", "plain|v:1"),
        "counted": MetricValue(float("inf"), 80, "dB", "higher", "counted|v:1", notes=counted),
    }
    made = result(_scores(), metrics=perfect)
    write_result(tmp_path / "result.json", made)
    assert "Infinity" not in (tmp_path / "result.json").read_text()
    assert made.metrics["plain"].value is None
    assert made.metrics["plain"].notes == ("infinite",)
    assert made.metrics["counted"].notes == counted


def test_intervals_over_pairs_are_dropped_where_clusters_are_known() -> None:
    kid = MetricValue(0.1, 80, "", "lower", "kid|v:1", ci95=(0.05, 0.15))
    slides = [f"s{index // 4}" for index in range(80)]
    scores = pair_scores({"psnr": _scores()["psnr"]}, LEVELS, slides)
    assert result(scores, metrics={"kid": kid}).metrics["kid"].ci95 is None


def test_nan_in_a_free_field_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    made = result(_scores(), cost={"train_seconds": float("nan")})
    with pytest.raises(DataError, match="not written"):
        write_result(tmp_path / "result.json", made)
    assert not list(tmp_path.iterdir())


def test_a_metric_that_is_no_mean_gets_no_interval_of_one() -> None:
    made = evaluation(_scores())
    correlation = replace(made.metrics["ssim"], value=0.77)
    changed = replace(made, metrics={**made.metrics, "ssim": correlation})
    found = evaluation_intervals(changed)
    assert found.overall["ssim"] is None
    assert found.overall["psnr"] is not None


def test_a_metric_that_brings_its_interval_keeps_it() -> None:
    kid = MetricValue(0.1, 80, "", "lower", "kid|v:1", ci95=(0.05, 0.15))
    assert result(_scores(), metrics={"kid": kid}).metrics["kid"].ci95 == (0.05, 0.15)


def test_levels_of_a_design_do_not_widen_the_interval_of_the_whole() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 80)
    shifts = {"0": 0.0, "1+": -3.0, "2+": -7.0, "3+": -12.0}
    apart = pair_scores({"psnr": noise + [shifts[level] for level in LEVELS]}, LEVELS)
    found, bare = (score_intervals(each) for each in (apart, pair_scores({"psnr": noise})))

    def width(made) -> float:
        low, high = made.overall["psnr"][1]
        return high - low

    assert width(found) == pytest.approx(width(bare), rel=0.15)
    # Levels of one size: the mean over pairs is the mean over levels.
    assert found.overall["psnr"][1] == pytest.approx(found.macro["psnr"][1], rel=1e-9)
    older = score_intervals(apart, method="BCa bootstrap, widened for few units")
    assert width(older) > 3 * width(found)


def test_a_cluster_of_several_levels_is_drawn_whole() -> None:
    slides = [f"s{index // 4}" for index in range(80)]
    crossed = pair_scores({"psnr": _scores()["psnr"]}, LEVELS, slides)
    assert crossed["group"].groupby(crossed["cluster"]).nunique().max() > 1
    alone = crossed.assign(group=None)
    assert score_intervals(crossed).overall == score_intervals(alone).overall


def test_records_of_the_older_method_keep_their_intervals() -> None:
    path = Path(__file__).parent / "older_records" / "l1-unet-388869a73949.json"
    recorded = read_result(path)
    assert recorded.intervals.method == "BCa bootstrap, widened for few units"
    scores = read_pair_scores(path.with_suffix(".csv"))
    found = score_intervals(scores, method=recorded.intervals.method)
    # Another numpy sums in another order.
    assert found.overall["psnr"][1] == pytest.approx(recorded.metrics["psnr"].ci95, rel=1e-9)


def test_clusters_widen_intervals_and_are_named() -> None:
    rng = np.random.default_rng(0)
    between = np.repeat(rng.normal(0, 3, 20), 4)
    values = 20 + between + rng.normal(0, 1, 80)
    slides = [f"slide{index // 4}" for index in range(80)]
    alone = result(pair_scores({"psnr": values}))
    clustered = result(pair_scores({"psnr": values}, clusters=slides))
    assert clustered.intervals.unit == "cluster"
    assert clustered.intervals.units == 20

    def width(made) -> float:
        low, high = made.metrics["psnr"].ci95
        return high - low

    assert width(clustered) > 1.5 * width(alone)


def test_clusters_across_groups_move_them_together() -> None:
    rng = np.random.default_rng(0)
    # Every slide holds pairs of all levels and shifts them alike: the macro mean is as uncertain
    # as the slides, which independent resampling of the levels would not see.
    slides = np.repeat(np.arange(20), 4)
    values = np.repeat(rng.normal(20, 3, 20), 4) + rng.normal(0, 0.1, 80)
    scores = pair_scores({"psnr": values}, LEVELS, [f"s{slide}" for slide in slides])
    made = result(scores)
    low, high = made.macro["psnr"].ci95
    overall_low, overall_high = made.metrics["psnr"].ci95
    assert high - low == pytest.approx(overall_high - overall_low, rel=0.1)


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(path, result(_scores()))
    path.write_text(path.read_text()[:-200])
    with pytest.raises(DataError, match=r"result\.json: not valid JSON"):
        read_result(path)


def test_an_edited_number_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(path, result(_scores()))
    content = json.loads(path.read_text())
    content["metrics"]["psnr"]["value"] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="edited after it was written"):
        read_result(path)


def test_a_newer_schema_is_refused_politely(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"schema": 2, "status": "measured"}))
    with pytest.raises(DataError, match=r"schema 2 is newer.*update"):
        read_result(path)


def test_an_older_schema_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    content = result(_scores()).to_json()
    for key in ("sha256", "status", "intervals", "pair_scores_sha256"):
        del content[key]
    path.write_text(json.dumps({**content, "schema": 0, "protocol": "i2i-1"}))
    migrated = read_result(path)
    assert migrated.status == "measured"
    assert migrated.protocol.id == "i2i-1"
    assert migrated.metrics == result(_scores()).metrics


@pytest.mark.parametrize("content", ["[]", "{}", '{"schema": "1"}', '{"schema": -1}'])
def test_what_is_no_result_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(DataError):
        read_result(path)


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    content = result(_scores()).to_json()
    del content["sha256"]
    path.write_text(json.dumps({**content, "scores": 1}))
    with pytest.raises(DataError, match="scores: Extra inputs"):
        read_result(path)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=6),
    st.text(st.characters(categories=["L", "N"], include_characters='"+, '), min_size=1),
)
@settings(max_examples=40, deadline=None)
def test_pair_scores_keep_every_digit_and_every_undefined_value(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], group: str
) -> None:
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    scores = pair_scores({"psnr": values}, [group] * len(values))
    write_pair_scores(path, replace(evaluation(_scores()), pair_columns=pair_columns(scores)))
    pd.testing.assert_frame_equal(read_pair_scores(path), scores, check_exact=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("psnr,ssim\n", "psnr,ssim\n00000,0,,1,2\n"), "00000 stands"),
        (lambda text: text.replace("00003,3+,,", "00003,3+,,x"), "pair 00003 is no number"),
        (lambda text: text.replace("00003,3+,,", "00003,3+,,nan,"), "scores.csv"),
        (lambda text: text.replace("ssim\n00000,0,,", "ssim\n00000,0,,nan"), "00000 is no number"),
        (lambda text: text[: text.index("00041,1+,,") + 10], r"\(00041\) has 4 fields"),
        (lambda text: text.replace("psnr,ssim", "psnr,psnr"), "'psnr' stands in it twice"),
        (lambda text: text.replace("cluster", "slide"), "no column 'cluster'"),
        (lambda text: text[: len(text) // 2] + ",,,,,,", "scores.csv"),
        (lambda text: "", "not a table"),
    ],
)
def test_a_damaged_table_of_pair_scores_is_named(tmp_path: Path, change, message: str) -> None:
    path = tmp_path / "scores.csv"
    write_pair_scores(path, evaluation(_scores()))
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        read_pair_scores(path)


def test_the_same_evaluation_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_result(tmp_path / name, result(_scores()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_build_result_refuses_an_unknown_field() -> None:
    with pytest.raises(ValueError, match="notes"):
        build_result(
            model={},
            dataset={},
            evaluation=evaluation(_scores()),
            cost={},
            seed=None,
            environment={},
            created="2026-01-01T00:00:00Z",
            notes="",
        )


def test_what_others_wrote_beside_the_known_keys_is_kept(tmp_path: Path) -> None:
    content = result(pair_scores({"psnr": np.arange(20.0)})).to_json()
    del content["sha256"]
    content["cost"] = {"train_seconds": 3, "energy_joules": None, "co2": {"kg": 1.5}}
    content["model"]["authors"] = ["A", "B"]
    content["sha256"] = sha256_json(content)
    (tmp_path / "result.json").write_text(json.dumps(content))
    read = read_result(tmp_path / "result.json")
    assert (read.cost.train_seconds, read.cost.peak_memory_mb) == (3, None)
    kept = read.to_json()
    assert json.dumps(kept, sort_keys=True) == json.dumps(content, sort_keys=True)


def test_a_part_that_says_nothing_is_false() -> None:
    made = result(pair_scores({"psnr": np.arange(20.0)}))
    assert not made.training
    assert made.intervals
    assert made.intervals.unit == "pair"


def test_a_key_of_another_type_is_named(tmp_path: Path) -> None:
    content = result(pair_scores({"psnr": np.arange(20.0)})).to_json()
    content["dataset"]["pairs"] = "many"
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"result\.json: not a result: dataset\.pairs = 'many'"):
        read_result(tmp_path / "result.json")


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace(",", ";").encode("utf-8-sig"),
        lambda text: ("sep=;\r\n" + text.replace(",", ";").replace("\n", "\r\n")).encode(),
        lambda text: text.replace(",", "\t").encode("utf-16"),
    ],
)
def test_scores_that_an_office_saved_again_are_the_same_scores(tmp_path, rewrite):
    table = pair_scores({"psnr": [20.5, 21.25]}, groups=["1+", None])
    file = tmp_path / "scores.csv"
    file.write_bytes(rewrite(pair_scores_csv(table)))
    assert pair_scores_csv(read_pair_scores(file)) == pair_scores_csv(table)
