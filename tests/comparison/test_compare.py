"""Comparisons: right numbers, and refusals that say what differs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import factories
import numpy as np
import pandas as pd
import pytest
from factories import pair_scores, result
from scipy import stats

from i2ibench.cli.app import run_app
from i2ibench.comparison.compare import compare
from i2ibench.comparison.methods import read_methods
from i2ibench.comparison.tables import comparison_tables
from i2ibench.errors import DataError, UsageError
from i2ibench.results.evaluation_intervals import level_codes
from i2ibench.results.pair_scores import pair_scores_csv
from i2ibench.results.record_files import write_result
from i2ibench.statistics.seeds_and_units import method_difference

LEVELS = ["0", "1+", "2+", "3+"] * 20


def _run(folder: Path, model: str, shift: float, **fields) -> Path:
    """Write a run folder whose scores are those of all runs, moved by ``shift`` and noise."""
    common = np.random.default_rng(0).normal(20, 3, 80)
    noise = np.random.default_rng(len(model)).normal(0, 0.5, 80)
    scores = pair_scores({"psnr": common + noise + shift, "ssim": common / 40}, LEVELS)
    scores = fields.pop("change", lambda table: table)(scores)
    write_result(folder / model / "result.json", result(scores, model, **fields))
    (folder / model / "scores.csv").write_text(pair_scores_csv(scores))
    return folder / model


def test_a_comparison_says_what_scipy_and_numpy_say(tmp_path: Path) -> None:
    runs = [_run(tmp_path, "better", 1), _run(tmp_path, "worse", 0)]
    comparison = compare(read_methods(runs))
    first, second = (pd.read_csv(run / "scores.csv")["psnr"] for run in runs)
    found = next(each for each in comparison.sets[""] if each.metric == "psnr")
    assert found.difference == pytest.approx((first - second).mean(), rel=1e-12)
    # Of one level it is the paired t test; over levels of one size, that of their means' mean.
    group = pd.read_csv(runs[0] / "scores.csv", dtype=str)["group"]
    apart = [(first - second)[group == level] for level in ("0", "1+", "2+", "3+")]
    expected = stats.ttest_1samp(apart[3], 0)
    interval = expected.confidence_interval(0.95)
    of_level = next(each for each in comparison.sets["3+"] if each.metric == "psnr")
    assert of_level.ci95 == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert of_level.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    parts = np.array([each.var(ddof=1) / len(each) / 16 for each in apart])
    freedom = parts.sum() ** 2 / (parts**2 / 19).sum()
    half = stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum())
    assert found.ci95 == pytest.approx((found.difference - half, found.difference + half), rel=1e-9)
    assert found.signed_rank_p == stats.wilcoxon(first - second).pvalue
    assert found.improvement == np.mean(first > second)
    assert found.improvement_ci95[0] < found.improvement < found.improvement_ci95[1]
    assert found.proven
    # Equal scores on every pair: no difference, by any measure.
    same = next(each for each in comparison.sets[""] if each.metric == "ssim")
    assert (same.difference, same.p_value, same.effect, same.improvement) == (0, 1, 0, 0.5)
    assert not same.proven
    assert list(comparison.sets) == ["", "0", "1+", "2+", "3+"]
    assert comparison.sets["3+"][0].n == 20


def test_holm_runs_over_all_tests_of_one_set(tmp_path: Path) -> None:
    runs = [_run(tmp_path, name, shift) for name, shift in (("a", 0), ("bb", 0.1), ("ccc", 0.3))]
    found = compare(read_methods(runs)).sets[""]
    assert len(found) == 6
    ordered = sorted(found, key=lambda each: each.p_value)
    assert ordered[0].p_holm == min(1, 6 * ordered[0].p_value)
    assert all(each.p_holm >= each.p_value for each in found)


def test_the_pairs_that_differ_most_are_named(tmp_path: Path) -> None:
    def spoil(scores: pd.DataFrame) -> pd.DataFrame:
        scores.loc[17, "psnr"] = 1.0
        return scores

    runs = [_run(tmp_path, "good", 0), _run(tmp_path, "spoilt", 0, change=spoil)]
    extremes = [e for e in compare(read_methods(runs)).extremes if e.metric == "psnr"]
    assert extremes[0].pair == "00017"
    assert extremes[0].scores[1] == 1.0


def test_pairs_are_matched_by_id_not_by_position(tmp_path: Path) -> None:
    def shuffle(scores: pd.DataFrame) -> pd.DataFrame:
        return scores.sample(frac=1, random_state=1).reset_index(drop=True)

    runs = [_run(tmp_path, "one", 0), _run(tmp_path, "two", 1)]
    shuffled = [runs[0], _run(tmp_path / "again", "two", 1, change=shuffle)]
    straight = compare(read_methods(runs)).sets
    assert compare(read_methods(shuffled)).sets == straight


def test_other_pairs_are_refused_and_named(tmp_path: Path) -> None:
    runs = [
        _run(tmp_path, "whole", 0),
        _run(tmp_path, "part", 0, change=lambda scores: scores.iloc[:78].reset_index(drop=True)),
    ]
    with pytest.raises(DataError, match=r"2 pairs only in whole \(00078, 00079\)"):
        compare(read_methods(runs))


def test_other_data_are_refused(tmp_path: Path) -> None:
    dataset = {"name": "drawn", "split": "test", "pairs": 80, "manifest_sha256": "b" * 64}
    runs = [_run(tmp_path, "here", 0), _run(tmp_path, "there", 0, dataset=dataset)]
    with pytest.raises(DataError, match=r"the hash of the data is aaaa.* and bbbb"):
        compare(read_methods(runs))


def test_other_signatures_are_refused_with_both(tmp_path: Path, monkeypatch) -> None:
    first = _run(tmp_path, "rgb", 0)
    monkeypatch.setitem(factories.SIGNATURES, "psnr", "psnr|luma|v:1")
    second = _run(tmp_path, "luma", 0)
    with pytest.raises(DataError, match=r"psnr means different things.*psnr\|rgb.*psnr\|luma"):
        compare(read_methods([first, second]))
    # What is defined alike can still be compared.
    assert compare(read_methods([first, second]), ["ssim"]).signatures.keys() == {"ssim"}


def test_one_method_or_the_same_twice_is_no_comparison(tmp_path: Path) -> None:
    run = _run(tmp_path, "alone", 0)
    with pytest.raises(UsageError, match="at least two"):
        compare(read_methods([run]))
    with pytest.raises(UsageError, match="one and the same"):
        compare(read_methods([run, run]))


def test_an_unknown_metric_is_told_with_the_nearest(tmp_path: Path) -> None:
    runs = [_run(tmp_path, "one", 0), _run(tmp_path, "two", 0)]
    with pytest.raises(UsageError, match="did you mean psnr"):
        compare(read_methods(runs), ["pnsr"])


def test_a_published_table_of_many_methods_is_read(tmp_path: Path, shared: Path) -> None:
    methods = read_methods([shared / "reported" / "bcistainer_per_pair.csv"])
    assert len(methods) == 8
    comparison = compare(methods[:3], ["psnr"], extremes=1)
    table = pd.read_csv(shared / "reported" / "bcistainer_per_pair.csv").pivot(
        index="id", columns="method", values="psnr"
    )
    difference = table["BCIStainer exp1"] - table["BCIStainer exp2"]
    found = comparison.sets[""][1]
    assert found.difference == pytest.approx(difference.mean(), rel=1e-12)
    of_level = difference[difference.index.str.endswith("3+")]
    expected = stats.ttest_1samp(of_level, 0)
    assert comparison.sets["3+"][1].p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.signed_rank_p == stats.wilcoxon(difference, zero_method="zsplit").pvalue
    assert not found.about_methods
    assert set(comparison.sets) == {"", "0", "1+", "2+", "3+"}


def test_scores_of_a_foreign_table_are_not_compared_with_ours(tmp_path: Path) -> None:
    run = _run(tmp_path, "ours", 0)
    foreign = tmp_path / "theirs.csv"
    foreign.write_text((run / "scores.csv").read_text())
    with pytest.raises(DataError, match="psnr means different things"):
        compare(read_methods([run, foreign]))


def test_infinite_scores_of_both_are_no_difference(tmp_path: Path) -> None:
    def perfect(scores: pd.DataFrame) -> pd.DataFrame:
        scores.loc[3, "psnr"] = np.inf
        return scores

    runs = [_run(tmp_path, name, 0, change=perfect) for name in ("one", "three")]
    comparison = compare(read_methods(runs), ["psnr"])
    assert np.isfinite(comparison.sets[""][0].difference)
    assert "inf" not in str([e for e in comparison.extremes if e.pair == "00003"])


def test_a_method_that_reproduces_every_target_leads_without_end(tmp_path: Path) -> None:
    methods = read_methods([_run(tmp_path, name, 0) for name in ("one", "three", "other")])
    perfect, as_perfect = (
        replace(method, scores=method.scores.assign(psnr=np.inf)) for method in methods[:2]
    )
    found = compare([perfect, methods[2]], ["psnr"]).sets[""][0]
    assert (found.means[0], found.difference) == (np.inf, np.inf)
    assert found.proven
    found = compare([perfect, as_perfect], ["psnr"]).sets[""][0]
    assert found.difference == 0
    assert not found.proven


def test_tables_have_a_row_a_test_and_numbers_for_methods(tmp_path: Path) -> None:
    runs = [_run(tmp_path, "better", 1), _run(tmp_path, "worse", 0)]
    titles, headers, rows = zip(*comparison_tables(compare(read_methods(runs))), strict=True)
    assert titles[:2] == ("methods", "all 80 pairs")
    assert all(
        len(row) == len(header) for header, part in zip(headers, rows, strict=True) for row in part
    )
    psnr = next(row for row in rows[1] if row[0] == "psnr")
    assert psnr[1] == "1 - 2"
    assert psnr[-1] == "1"


def test_run_folders_that_are_not_finished_are_left_out_and_named(tmp_path: Path) -> None:
    runs = [_run(tmp_path, "better", 1), _run(tmp_path, "worse", 0)]
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "experiment.json").write_text("{}")
    with pytest.warns(UserWarning, match=r"not finished: \S*begun"):
        methods = read_methods([*runs, begun])
    assert [each.label for each in methods] == ["better", "worse"]
    with pytest.raises(DataError, match=r"begun: not finished; the command"):
        read_methods([begun])


def test_in_a_terminal_of_80_columns_no_name_of_a_metric_is_broken(tmp_path: Path, capsys) -> None:
    def widened(table: pd.DataFrame) -> pd.DataFrame:
        names = [f"dab-metric-number-{number}" for number in range(20)]
        return table.assign(**dict.fromkeys(names, table["psnr"]))

    runs = [str(_run(tmp_path, name, 1, change=widened)) for name in ("one", "two")]
    assert run_app(["compare", *runs]) == 0
    out = capsys.readouterr().out
    assert out.count("dab-metric-number-19") >= 2 and "1 one" in out and "(a: 1, b: 2)" in out
    assert "a - b" not in out.split("pairs that differ most")[0]


def _seeds(folder: Path, model: str, shift: float, count: int) -> list[Path]:
    """Runs of one trained method, each seed a little apart."""
    return [
        _run(
            folder / str(seed),
            model,
            shift + 0.1 * np.random.default_rng([len(model), seed]).normal(),
            seed=seed,
            run_id=f"{model}{seed}",
            training={"epochs": 5},
        )
        for seed in range(count)
    ]


def test_runs_of_one_method_are_its_seeds(tmp_path: Path) -> None:
    methods = read_methods([*_seeds(tmp_path, "net", 1, 3), *_seeds(tmp_path, "other", 0, 2)])
    assert [(m.label, len(m.seed_tables), m.is_method) for m in methods] == [
        ("net", 3, True),
        ("other", 2, True),
    ]
    comparison = compare(methods, ["psnr"])
    found = comparison.sets[""][0]
    levels = level_codes(methods[0].scores)
    expected = method_difference(*(m.seed_scores("psnr") for m in methods), None, levels)
    assert (found.p_value, found.ci95) == (expected.p_value, expected.interval)
    assert found.about_methods
    assert comparison.seeds == {"net": 3, "other": 2}


def test_a_claim_of_single_seeds_is_about_their_weights(tmp_path: Path) -> None:
    single = [*_seeds(tmp_path, "net", 1, 1), *_seeds(tmp_path, "other", 0, 1)]
    comparison = compare(read_methods(single))
    assert not comparison.sets[""][0].about_methods
    _, _, rows = list(comparison_tables(comparison))[1]
    assert rows[0][-1] == "1 (these weights)"
    assert any("One set of weights: net, other" in note for note in comparison.notes)


def test_two_seeds_of_one_method_are_never_two_methods(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seed alone are one method"):
        compare(read_methods(_seeds(tmp_path, "net", 0, 2)))


def test_undefined_pairs_are_left_out_and_counted(tmp_path: Path) -> None:
    methods = read_methods([_run(tmp_path, name, i) for i, name in enumerate(("one", "other"))])
    holes = methods[1].scores.copy()
    holes.loc[:9, "psnr"] = np.nan
    torn = [methods[0], replace(methods[1], scores=holes)]
    found = compare(torn, ["psnr"]).sets[""][0]
    first, second = (method.scores["psnr"][10:] for method in methods)
    assert (found.n, found.units) == (70, 70)
    assert found.difference == pytest.approx((first - second).mean(), rel=1e-12)
    assert found.signed_rank_p == stats.wilcoxon(first - second).pvalue


def test_within_a_margin_methods_are_equal(tmp_path: Path) -> None:
    methods = read_methods([_run(tmp_path, name, 0) for name in ("one", "other")])
    found = compare(methods, ["psnr"], margins={"psnr": 0.5}).sets[""][0]
    assert found.equal
    assert found.margin == 0.5
    assert not compare(methods, ["psnr"], margins={"psnr": 0.01}).sets[""][0].equal
    assert not compare(methods, ["psnr"]).sets[""][0].equal
    with pytest.raises(UsageError, match="did you mean psnr"):
        compare(methods, ["psnr"], margins={"pnsr": 0.5})
    with pytest.raises(UsageError, match="above 0"):
        compare(methods, ["psnr"], margins={"psnr": -1.0})


def test_margins_of_the_protocol_hold_unless_others_are_given(tmp_path: Path) -> None:
    methods = [
        replace(method, margins={"psnr": 2.0, "fid": 1.0})
        for method in read_methods([_run(tmp_path, "better", 1), _run(tmp_path, "worse", 0)])
    ]
    found = compare(methods).sets[""]
    assert {each.metric: each.margin for each in found} == {"psnr": 2.0, "ssim": None}
    assert next(each for each in found if each.metric == "psnr").equal
    given = compare(methods, margins={"psnr": 0.5}).sets[""]
    assert next(each for each in given if each.metric == "psnr").margin == 0.5
    other = [methods[0], replace(methods[1], margins={})]
    assert {each.margin for each in compare(other).sets[""]} == {None}


def test_a_metric_undefined_in_a_group_says_how_many_pairs_are_left(tmp_path: Path) -> None:
    def undefined(scores: pd.DataFrame) -> pd.DataFrame:
        scores.loc[scores["group"] == "0", "psnr"] = np.nan
        return scores

    methods = read_methods([_run(tmp_path, name, shift) for name, shift in (("a", 1), ("b", 0))])
    comparison = compare([replace(each, scores=undefined(each.scores)) for each in methods])
    tables = {title: rows for title, _, rows in comparison_tables(comparison)}
    assert tables["all 80 pairs"][0][0] == "psnr (60 pairs)"
    [row] = [row for row in tables["group 0, 20 pairs"] if row[0].startswith("psnr")]
    assert row[0] == "psnr (0 pairs)" and row[2] == "–"
    assert json.dumps(comparison.to_json(), allow_nan=False)
