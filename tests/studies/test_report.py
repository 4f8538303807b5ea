"""Readers with known errors: the known agreement, accuracy and preferences come out."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest
from fuzzing import mutated_bytes, mutated_value
from scripted_reader import LEVELS, drawn_key, file_of, saved, scripted, shifted

from i2ibench.cli.app import run_app
from i2ibench.errors import DataError, UsageError
from i2ibench.files import sha256_json
from i2ibench.studies.answers import read_answers
from i2ibench.studies.draw import Design
from i2ibench.studies.key import Key, Preference, Rating, write_key
from i2ibench.studies.report import StudyReport, import_study

METHODS = ("poor", "fair", "good")
RANK = {None: 3, "good": 2, "fair": 1, "poor": 0}


def _odd(name: str, of: int = 2) -> bool:
    return int(name, 16) % of == 0


def first_reader(key: Key) -> dict:
    """Reads real images rightly, generated ones by ``poor`` one level too low; sees every fake."""

    def choice(name: str, item: Preference) -> str:
        better = "left" if RANK[item.left] > RANK[item.right] else "right"
        other = "right" if better == "left" else "left"
        return other if _odd(item.repeats or name, 5) != bool(item.repeats) else better

    return scripted(
        key,
        "A1",
        read=lambda name, item, level: shifted(level, -1 if item.maker == "poor" else 0),
        real=lambda name, item: item.maker is None,
        choice=choice,
    )


def second_reader(key: Key) -> dict:
    """Reads every other image one level too high; takes ``good`` for real; has no preference."""
    return scripted(
        key,
        "B2",
        read=lambda name, item, level: None if _odd(name, 11) else shifted(level, _odd(name)),
        real=lambda name, item: item.maker in (None, "good"),
        choice=lambda name, item: "neither",
    )


@pytest.fixture(scope="module")
def key() -> Key:
    return drawn_key(METHODS, Design(images=6, comparisons=4, repeats=0.2))


@pytest.fixture(scope="module")
def files(key: Key) -> list[dict]:
    return [first_reader(key), second_reader(key)]


@pytest.fixture(scope="module")
def report(key: Key, files: list[dict], tmp_path_factory: pytest.TempPathFactory) -> StudyReport:
    folder = tmp_path_factory.mktemp("study")
    write_key(folder / "key.json", key)
    return import_study(folder / "key.json", [saved(folder, each) for each in files])


def _levels(key: Key, file: dict, *, first: bool = True) -> dict[str, int]:
    return {
        name: LEVELS.index(said["level"])
        for name, said in file["answers"].items()
        if said.get("level") is not None and not (first and key.items[name].repeats)
    }


def test_accuracy_is_what_the_reader_was_told_to_reach(report: StudyReport, key: Key) -> None:
    by_reader = {each.name: each for each in report.readings["reader, real images"]}
    assert by_reader["A1"].accuracy.value == 1
    generated = {each.name: each for each in report.readings["reader, generated"]}
    # Of poor's images, 6 of each level, those of level 0 cannot be read lower.
    assert generated["A1"].accuracy.value == pytest.approx(54 / 72)
    assert generated["A1"].shift.value == pytest.approx(-18 / 72)
    low, high = generated["A1"].accuracy.ci95
    assert low < 54 / 72 < high < 1
    assert generated["A1"].counts[3] == (0, 0, 6, 12)


def test_an_accuracy_of_one_has_the_exact_interval(report: StudyReport) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    found = next(e for e in report.readings["reader, real images"] if e.name == "A1").accuracy
    expected = proportion.proportion_confint(24, 24, method="beta")
    assert found.ci95 == pytest.approx(expected, abs=1e-9)


def test_kappa_between_readers_is_that_of_scikit_learn(
    report: StudyReport, key: Key, files: list[dict]
) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    one, two = (_levels(key, each) for each in files)
    both = sorted(one.keys() & two.keys())
    a, b = [one[name] for name in both], [two[name] for name in both]
    [found] = report.between
    expected = metrics.cohen_kappa_score(a, b, weights="quadratic", labels=range(4))
    assert found.level_kappa.value == pytest.approx(expected, abs=1e-12)
    assert found.level_kappa.ci95[0] < expected < found.level_kappa.ci95[1]
    assert found.same_level.value == pytest.approx(metrics.accuracy_score(a, b))
    by_maker = {each.name: each for each in report.readings["maker"]}
    poor = [
        (LEVELS.index(key.pairs[key.items[name].pair].group), found[name])
        for found in (one, two)
        for name in found
        if key.items[name].maker == "poor"
    ]
    assert by_maker["poor"].kappa.value == pytest.approx(
        metrics.cohen_kappa_score(*zip(*poor, strict=True), weights="quadratic", labels=range(4))
    )


def test_alpha_is_that_of_all_answers_in_one_matrix(
    report: StudyReport, key: Key, files: list[dict]
) -> None:
    krippendorff = pytest.importorskip("krippendorff")
    of_readers = [_levels(key, each) for each in files]
    names = sorted({*of_readers[0], *of_readers[1]})
    matrix = [[found.get(name, np.nan) for name in names] for found in of_readers]
    expected = krippendorff.alpha(
        reliability_data=matrix, value_domain=range(4), level_of_measurement="ordinal"
    )
    assert report.alphas.level.value == pytest.approx(expected, abs=1e-12)
    assert report.alphas.level.ci95[0] < expected < report.alphas.level.ci95[1]


def test_the_table_of_real_and_generated_counts_who_is_taken_for_real(report: StudyReport) -> None:
    by_maker = {each.name: each for each in report.real_by_maker}
    assert by_maker["real images"].real_called_real.value == 1
    assert by_maker["good"].generated_called_real.value == 0.5
    assert by_maker["poor"].generated_called_real.value == 0
    assert 0 < by_maker["poor"].generated_called_real.ci95[1] < 0.2
    by_reader = {each.name: each for each in report.real_by_reader}
    assert by_reader["A1"].balanced_accuracy == 1
    assert by_reader["B2"].balanced_accuracy == pytest.approx((1 + 2 / 3) / 2)


def test_strengths_are_those_of_the_counted_choices(
    report: StudyReport, key: Key, files: list[dict]
) -> None:
    choix = pytest.importorskip("choix")
    makers = ["real images", *sorted(METHODS)]
    wins = np.zeros((4, 4))
    for file in files:
        for name, said in file["answers"].items():
            item = key.items[name]
            if isinstance(item, Rating) or item.repeats:
                continue
            i, j = (makers.index(side or "real images") for side in (item.left, item.right))
            share = {"left": 1, "right": 0, "neither": 0.5}[said["choice"]]
            wins[i, j] += share
            wins[j, i] += 1 - share
    expected = choix.ilsr_pairwise_dense(wins, alpha=0.0, tol=1e-12)
    found = [each.value for each in report.strengths.strength]
    assert report.strengths.makers == tuple(makers)
    assert found == pytest.approx(expected - expected.mean(), abs=1e-7)
    real, fair, good, poor = found
    assert real > good > fair > poor
    for each in report.strengths.strength:
        assert each.ci95[0] < each.value < each.ci95[1]


def test_readers_agree_with_themselves_as_they_were_told(report: StudyReport) -> None:
    within = {each.first: each for each in report.within}
    assert within["A1"].same_level.value == 1 and within["A1"].same_real.value == 1
    # The first reader turns every choice that is shown again around.
    assert within["A1"].same_choice.value == 0
    assert within["B2"].same_choice.value == 1
    assert within["A1"].same_level.n == round(0.2 * 96)


def test_metrics_that_rank_like_readers_are_told_from_those_that_do_not(
    report: StudyReport,
) -> None:
    found = {each.metric: each for each in report.metrics}
    right, wrong = found["psnr"], found["upside-down"]
    assert right.same_choice.value > 0.6 > 0.4 > wrong.same_choice.value
    assert right.same_choice.value + wrong.same_choice.value == pytest.approx(1)
    assert right.preference.ci95[0] > 0 > wrong.preference.ci95[1]
    assert right.looks_real.ci95[0] > 0 > wrong.looks_real.ci95[1]
    assert right.method_preference.value == 1 and wrong.method_preference.value == -1
    assert right.method_preference.n == 3


def test_a_rank_correlation_by_pair_is_scipys(report: StudyReport, key: Key, files: list) -> None:
    from scipy import stats

    x, y = [], []
    for file in files:
        for name, said in file["answers"].items():
            item = key.items[name]
            if isinstance(item, Preference) and not item.repeats and item.left and item.right:
                scores = key.metrics["psnr"].pairs
                x.append(scores[item.left][item.pair] - scores[item.right][item.pair])
                y.append({"left": 1, "right": 0, "neither": 0.5}[said["choice"]])
    found = next(each for each in report.metrics if each.metric == "psnr").preference
    assert found.value == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-12)
    assert found.n == len(x) == 2 * 3 * 4 * 4


def test_the_report_names_what_people_reach_and_where_it_is_read(report: StudyReport) -> None:
    text = report.to_markdown()
    for word in ("28.8 %", "Robbins", "Zaakouk", "Krippendorff", "poor", "psnr"):
        assert word in text
    content = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert content["between"][0]["level_kappa"]["value"] == report.between[0].level_kappa.value
    assert any("cannot be read" in each for each in report.notes)


def test_faulty_files_are_all_told_and_stop_the_import(
    key: Key, files: list[dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_key(tmp_path / "key.json", key)
    good = saved(tmp_path, files[0])
    some = dict(list(files[1]["answers"].items())[:3])
    wrong = {
        "torn.json": "{",
        "foreign.json": json.dumps(file_of("0" * 64, "C", some)),
        "strange.json": json.dumps(file_of(key.study, "D", {"nothing": next(iter(some.values()))})),
        "again.json": good.read_text(),
        "empty.json": json.dumps(file_of(key.study, "E", {})),
        "list.json": "[]",
        "named.json": json.dumps(file_of(key.study, "</script>", some)),
    }
    for name, text in wrong.items():
        (tmp_path / name).write_text(text)
    paths = [good, *(tmp_path / name for name in wrong)]
    assert run_app(["study", "import", str(tmp_path / "key.json"), *map(str, paths)]) == 3
    told = capsys.readouterr()
    assert not told.out
    for name in wrong:
        assert name in told.err
    lines = [line for line in told.err.splitlines() if line.startswith("error: /")]
    assert len(lines) == len(wrong)
    assert "another study" in told.err and "7 of 8 files" in told.err
    with pytest.raises(DataError, match="7 faults"):
        import_study(tmp_path / "key.json", paths)


def test_incomplete_answers_count_and_are_told(key: Key, files: list[dict], tmp_path: Path) -> None:
    write_key(tmp_path / "key.json", key)
    part = file_of(key.study, "P", dict(list(files[0]["answers"].items())[:7]))
    report = import_study(tmp_path / "key.json", saved(tmp_path, part))
    assert any(f"P 7 of {len(key.items)}" in note for note in report.notes)
    assert not report.readers[0].complete
    assert report.strengths.unavailable or report.strengths.makers == ()


def test_an_edited_key_opens_nothing(key: Key, files: list[dict], tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_key(path, key)
    content = json.loads(path.read_text())
    rating = next(each for each in content["items"].values() if each["kind"] == "rating")
    rating["maker"] = "good" if rating["maker"] is None else None
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="edited"):
        import_study(path, saved(tmp_path, files[0]))
    with pytest.raises(DataError, match="not the key"):
        import_study(saved(tmp_path, files[0]), saved(tmp_path, files[1]))
    with pytest.raises(UsageError, match="no answers"):
        import_study(path, [])


@pytest.mark.parametrize(
    "said",
    [
        {"level": "2+"},
        {"level": "4+", "real": True},
        {"level": "2+", "real": 1},
        {"choice": "left"},
        {"level": "2+", "real": True, "choice": "left"},
        {"level": "2+", "real": True, "place": -1},
        {"level": "2+", "real": True, "seconds": None},
    ],
)
def test_an_answer_that_the_item_does_not_ask_for_is_refused(
    key: Key, tmp_path: Path, said: dict
) -> None:
    rating = next(name for name, each in key.items.items() if isinstance(each, Rating))
    file = file_of(key.study, "F", {rating: {"place": 0, "seconds": 1.0, **said}})
    with pytest.raises(DataError, match=r"F\.json"):
        read_answers([saved(tmp_path, file)], key)


def test_texts_of_others_stay_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a|b<script>[x](http://e)\x1b[2J"
    key = drawn_key((hostile, "c", "d"), Design(images=2, comparisons=1, repeats=0))
    write_key(tmp_path / "key.json", key)
    path = saved(tmp_path, second_reader(key))
    line = ["study", "import", str(tmp_path / "key.json"), str(path)]
    assert run_app([*line, "--markdown", str(tmp_path / "report.md")]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "a\\|b&lt;script>" in text
    for shown in (text, capsys.readouterr().out):
        assert "\x1b[2J" not in shown


def test_any_edit_of_a_file_gives_a_report_or_one_line(
    key: Key, files: list[dict], tmp_path: Path
) -> None:
    some = dict(list(files[0]["answers"].items())[:4])
    content = file_of(key.study, "M", some)
    random = Random(0)
    good = saved(tmp_path, file_of(key.study, "N", some))
    for number in range(150):
        path = tmp_path / f"{number}.json"
        if number % 2:
            path.write_bytes(mutated_bytes(random, json.dumps(content).encode()))
        else:
            path.write_text(json.dumps(mutated_value(random, content)))
        try:
            read_answers([path], key)
        except DataError as fault:
            assert str(tmp_path) in str(fault) and "\n" not in str(fault)
        sealed = mutated_value(random, json.loads(key.text()))
        with suppress(ValueError, AttributeError):  # of what JSON has not, or a value of no kind
            sealed.pop("sha256", None)
            path.write_text(json.dumps({**sealed, "sha256": sha256_json(sealed)}))
        try:
            import_study(path, good)
        except DataError as fault:
            assert str(tmp_path) in str(fault) and "\n" not in str(fault)


def test_without_the_library_all_but_alpha_is_said(
    key: Key, files: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    write_key(tmp_path / "key.json", key)
    report = import_study(tmp_path / "key.json", [saved(tmp_path, each) for each in files])
    assert report.alphas.level.value is None and "i2ibench[study]" in report.alphas.unavailable
    assert report.between[0].level_kappa.value is not None
    assert "i2ibench[study]" in report.to_markdown()
