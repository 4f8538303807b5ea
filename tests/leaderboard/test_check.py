"""Ways to make a board or a record lie, each under a new seal, refused and named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories import pair_scores, result

from i2ibench.errors import DataError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.files import sha256_bytes, sha256_json
from i2ibench.leaderboard.board import build_board, check_board
from i2ibench.leaderboard.entries import add_entry
from i2ibench.results.consistency import contradictions
from i2ibench.results.origin import run_id
from i2ibench.results.record_files import read_result

Content = dict[str, Any]
TRAINED = {"epochs": 2, "decay_epochs": 2, "batch_size": 4, "steps": 8, "pairs": 8}


def _scores(shift: float = 0.0) -> pd.DataFrame:
    draw = np.random.default_rng(round(10 * shift))
    groups = ["0", "1+", "2+", "3+"] * 16
    psnr = draw.normal(20, 3, 64) + shift
    return pair_scores({"psnr": psnr, "ssim": draw.uniform(0.2, 0.9, 64)}, groups)


def _experiment(seed: int, scores: pd.DataFrame) -> Content:
    dataset = {"split": "test", "pairs": len(scores), "manifest_sha256": "a" * 64}
    return {
        "model": {"name": "own", "config": {}},
        "dataset": {"name": "drawn", "direction": "AtoB", "test": dataset, "train": {"pairs": 8}},
        "training": {key: TRAINED[key] for key in ("epochs", "decay_epochs", "batch_size")},
        "seed": seed,
        "protocol": {"id": "i2i-1", "sha256": "0" * 64},
    }


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board of two seeds of one trained method."""
    for seed in (0, 1):
        scores = _scores(seed)
        experiment = _experiment(seed, scores)
        made = result(
            scores,
            {"name": "own", "config": {}, "checkpoint_sha256": str(seed) * 64},
            training=TRAINED,
            seed=seed,
            run_id=run_id(experiment),
            experiment=experiment,
        )
        add_entry(tmp_path, made, pair_scores=scores)
    build_board(tmp_path, "drawn")
    return tmp_path


def _entries(board: Path) -> list[Path]:
    return sorted((board / "drawn").glob("*.json"))


def _lie(path: Path, edit: Callable[[Content], object]) -> None:
    """Change a record and seal it anew, as whoever lies would; the page follows, too."""
    content = json.loads(path.read_text())
    del content["sha256"]
    edit(content)
    path.write_text(json.dumps({**content, "sha256": sha256_json(content)}))
    build_board(path.parent.parent, "drawn")


def _lie_in_scores(path: Path, edit: Callable[[str], str]) -> None:
    """Change a table of scores, and the hash of it in the record."""
    csv = path.with_suffix(".csv")
    csv.write_text(edit(csv.read_text()))
    digest = sha256_bytes(csv.read_bytes())
    _lie(path, lambda content: content.update(pair_scores_sha256=digest))


def _reason(board: Path) -> str:
    with pytest.raises(DataError) as caught:
        check_board(board, "drawn")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_honest_board_passes(board: Path) -> None:
    check_board(board, "drawn")


def _shift_psnr(content: Content) -> None:
    content["metrics"]["psnr"]["value"] += 1
    content["metrics"]["psnr"]["ci95"] = [each + 1 for each in content["metrics"]["psnr"]["ci95"]]


LIES: dict[str, tuple[Callable[[Content], object], str]] = {
    "a better mean, its interval moved along": (_shift_psnr, "psnr: value"),
    "a value outside its interval": (
        lambda c: c["metrics"]["psnr"].update(value=99.0),
        "outside its interval",
    ),
    "a narrower interval": (
        lambda c: c["metrics"]["psnr"].update(
            ci95=[c["metrics"]["psnr"]["value"] - 1e-3, c["metrics"]["psnr"]["value"] + 1e-3]
        ),
        "psnr: interval",
    ),
    "a better level": (
        lambda c: c["groups"]["3+"]["metrics"]["psnr"].update(value=50.0, ci95=None),
        "psnr of 3+",
    ),
    "a better macro mean": (
        lambda c: c["macro"]["ssim"].update(value=0.99, ci95=None),
        "ssim of macro mean",
    ),
    "fewer pairs in a level": (lambda c: c["groups"]["0"].update(n=15), "group 0"),
    "another number of pairs": (lambda c: c["metrics"]["psnr"].update(n=640), "psnr: pairs"),
    "a direction turned round": (
        lambda c: c["metrics"]["psnr"].update(better="lower"),
        "psnr: direction",
    ),
    "verified by nobody": (lambda c: c.update(status="verified"), "status"),
    "verified in part": (
        lambda c: c.update(status="verified", verified={"relative_tolerances": {"psnr": 1e-9}}),
        "ssim has a value that was not recomputed",
    ),
    "reproduced in part": (
        lambda c: c.update(
            status="reproduced",
            verified={"relative_tolerances": {"psnr": 1e-9, "ssim": 1e-9}},
            reproduced={"pairs": 3},
        ),
        "3 of 64 pairs reproduced",
    ),
    "another seed": (lambda c: c.update(seed=7), "seed: 7 recorded"),
    "a longer training": (lambda c: c["training"].update(epochs=200), "training.epochs"),
    "steps that no epochs make": (lambda c: c["training"].update(steps=9), "training.steps"),
    "a training that took no time": (
        lambda c: c["cost"].update(train_seconds=0.0),
        "cost.train_seconds",
    ),
    "a negative cost": (lambda c: c["cost"].update(train_seconds=-5.0), "cost.train_seconds"),
    "another experiment": (
        lambda c: c["experiment"].update(seed=0, precision="bf16"),
        "run id",
    ),
    "no hash of the scores": (lambda c: c.pop("pair_scores_sha256"), "scores per pair"),
    "a metric without scores": (
        lambda c: c["metrics"].update(
            mae={"value": 3.0, "n": 64, "signature": "mae|v:1", "better": "lower", "unit": "x"}
        ),
        "mae: a value without scores per pair",
    ),
    "a metric under another's name": (
        lambda c: c["metrics"]["psnr"].update(signature="ssim|rgb|v:1"),
        "another metric's",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_of_a_record_is_refused_and_named(board: Path, lie: str) -> None:
    edit, named = LIES[lie]
    path = _entries(board)[1]
    _lie(path, edit)
    reason = _reason(board)
    assert named in reason
    assert path.name in reason


def test_an_oracle_that_calls_itself_a_method_is_refused() -> None:
    scores = _scores()
    model = {"name": "blurred-target", "config": {}, "parameters": 0, "uses_target": False}
    found = [*contradictions(result(scores, model), scores)]
    assert [each.subject for each in found] == ["uses_target"]


def test_scores_edited_together_with_their_hash_contradict_the_means(board: Path) -> None:
    path = _entries(board)[0]
    value = path.with_suffix(".csv").read_text().splitlines()[1].split(",")[3]
    _lie_in_scores(path, lambda text: text.replace(value, repr(float(value) + 5)))
    assert "psnr: value" in _reason(board)


@pytest.mark.parametrize("text", ["inf", "", "-inf"])
def test_a_score_that_its_metric_never_gives_is_refused(board: Path, text: str) -> None:
    path = _entries(board)[0]
    value = path.with_suffix(".csv").read_text().splitlines()[1].split(",")[4]
    _lie_in_scores(path, lambda table: table.replace(value, text))
    assert "ssim of pair 00000" in _reason(board)


def test_a_deleted_table_of_scores_is_named(board: Path) -> None:
    path = _entries(board)[0]
    path.with_suffix(".csv").unlink()
    build_board(board, "drawn")
    assert f"{path.name}: scores per pair" in _reason(board)


def test_the_scores_of_another_entry_are_refused(board: Path) -> None:
    first, second = _entries(board)
    second.with_suffix(".csv").write_bytes(first.with_suffix(".csv").read_bytes())
    with pytest.raises(DataError, match="not those the result was made of"):
        check_board(board, "drawn")


def test_the_same_seed_twice_is_refused(board: Path) -> None:
    path = _entries(board)[0]
    known = read_result(path)
    copy = known.model_copy(update={"run_id": None, "experiment": None})
    scores = pd.read_csv(path.with_suffix(".csv"), dtype={"id": str, "group": str})
    scores["cluster"] = None
    add_entry(board, copy, pair_scores=scores)
    build_board(board, "drawn")
    assert f"seed: {known.seed} of this method" in _reason(board)


def test_the_same_predictions_under_two_names_are_refused(board: Path) -> None:
    scores = _scores(0)
    add_entry(board, result(scores, {"name": "theirs"}, seed=None), pair_scores=scores)
    build_board(board, "drawn")
    assert "predictions: those of" in _reason(board)


def test_an_entry_under_another_name_is_refused(board: Path) -> None:
    path = _entries(board)[0]
    for suffix in (".json", ".csv"):
        file = path.with_suffix(suffix)
        file.rename(file.with_name(f"famous{suffix}"))
    build_board(board, "drawn")
    assert "famous.json" in _reason(board)


@pytest.mark.parametrize("name", ["{} (1)", "{} copy", "aaa", "zzz"])
@pytest.mark.parametrize("with_scores", [True, False])
def test_a_copy_of_an_entry_is_told_and_is_no_further_seed(
    board: Path, name: str, with_scores: bool
) -> None:
    page = build_board(board, "drawn").read_text()
    entry = next((board / "drawn").glob("*.json"))
    for suffix in (".json", ".csv") if with_scores else (".json",):
        copy = entry.with_name(name.format(entry.stem) + suffix)
        copy.write_bytes(entry.with_suffix(suffix).read_bytes())
    with pytest.warns(UserWarning, match="again and is not counted"):
        assert build_board(board, "drawn").read_text() == page
    with pytest.raises(DataError, match="holds the entry that is called"):
        check_board(board, "drawn")


@pytest.mark.parametrize("page", ["drawn.md", "README.md"])
def test_a_page_that_is_no_text_is_named(board: Path, page: str) -> None:
    (board / page).write_bytes(b"\xff\xfe\x00")
    assert f"{page}: not what a board writes (no UTF-8" in _reason(board)
    build_board(board, "drawn")
    check_board(board, "drawn")


def test_a_result_that_contradicts_itself_is_not_added(tmp_path: Path) -> None:
    scores = _scores()
    made = result(scores)
    psnr = made.metrics["psnr"].model_copy(update={"value": 40.0, "ci95": None})
    lying = made.model_copy(update={"metrics": {**made.metrics, "psnr": psnr}})
    with pytest.raises(DataError, match="psnr"):
        add_entry(tmp_path, lying, pair_scores=scores)
    assert not list(tmp_path.rglob("*.json"))


def test_nothing_is_said_of_a_cost_that_is_one() -> None:
    scores = _scores()
    assert not [*contradictions(result(scores, cost={"train_seconds": 1.5}), scores)]
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps(result(scores, cost={"train_seconds": math.inf}).to_json(), allow_nan=False)


MORE_LIES: dict[str, tuple[Callable[[Content], object], str]] = {
    "a level removed": (lambda c: c["groups"].pop("0"), "groups"),
    "a metric removed from a level": (lambda c: c["groups"]["0"]["metrics"].pop("psnr"), "psnr"),
    "another direction": (lambda c: c["dataset"].update(direction="BtoA"), "direction"),
    "the first pairs alone": (lambda c: c["dataset"].update(limit=64), "limit"),
    "a made-up key of the training": (lambda c: c["training"].update(note="x"), "training.note"),
    "endpoints that the protocol does not say": (
        lambda c: c["protocol"].update(id="stain-2", sha256=STAIN_2, main=["psnr"]),
        "protocol",
    ),
    "reproduced with every grey level off": (
        lambda c: c.update(
            status="reproduced",
            verified={"relative_tolerances": {"psnr": 1e-9, "ssim": 1e-9}},
            reproduced={"pairs": 64, "equal": 0, "largest_difference": 255},
        ),
        "255 grey levels",
    ),
    "verified within anything": (
        lambda c: c.update(
            status="verified", verified={"relative_tolerances": {"psnr": 1e9, "ssim": 1e-9}}
        ),
        "psnr verified within",
    ),
    "a chosen step beyond the last": (
        lambda c: c["training"].update(chosen_step=99),
        "training.chosen_step",
    ),
    "weights without a hash": (lambda c: c["model"].update(checkpoint_sha256=None), "checkpoint"),
    "an interval by magic": (lambda c: c["intervals"].update(method="magic"), "magic"),
    "no hash of the data": (lambda c: c["dataset"].update(manifest_sha256=None), "data"),
    "a null where scores are": (
        lambda c: c["metrics"]["ssim"].update(
            value=None, ci95=None, signature="", unavailable="no weights"
        ),
        "ssim",
    ),
    "an experiment that is no table": (lambda c: c.update(experiment={"model": "own"}), "run id"),
}
STAIN_2 = load_protocol("stain-2").sha256


@pytest.mark.parametrize("lie", MORE_LIES)
def test_a_lie_that_was_found_by_an_attack_is_refused_and_named(board: Path, lie: str) -> None:
    edit, named = MORE_LIES[lie]
    _lie(_entries(board)[1], edit)
    assert named in _reason(board)


def test_a_run_without_its_experiment_is_refused() -> None:
    scores = _scores()
    made = result(scores, run_id="abc", created="2026-12-01T00:00:00Z")
    assert [each.subject for each in contradictions(made, scores)] == ["experiment"]


def test_an_oracle_that_leaves_out_what_it_is_is_refused() -> None:
    scores = _scores()
    model = {"name": "blurred-target", "config": {"unknown": 1}, "parameters": 0}
    found = [*contradictions(result(scores, model), scores)]
    assert [each.subject for each in found] == ["uses_target"]


def test_scores_outside_the_range_of_their_metric_are_refused() -> None:
    scores = _scores()
    scores.loc[3, "ssim"] = 3.0
    subjects = {each.subject for each in contradictions(result(scores), scores)}
    assert "ssim of pair 00003" in subjects


@pytest.mark.parametrize("change", ["order", "rounding", "one column"])
def test_a_copy_of_predictions_in_disguise_is_refused(board: Path, change: str) -> None:
    scores = _scores(0)
    if change == "order":
        scores = scores.iloc[::-1].reset_index(drop=True)
    elif change == "rounding":
        scores["psnr"] *= 1 + 1e-12
        scores["ssim"] *= 1 - 1e-12
    else:
        scores.loc[0, "ssim"] += 1e-3
    add_entry(board, result(scores, {"name": "theirs"}, seed=None), pair_scores=scores)
    build_board(board, "drawn")
    assert "predictions: those of" in _reason(board)


def test_a_pair_in_another_level_than_in_the_other_entries_is_refused(board: Path) -> None:
    scores = _scores(5)
    scores["group"] = scores["group"].replace({"0": "3+"})
    scores.loc[:3, "group"] = ["0", "1+", "2+", "3+"]
    add_entry(board, result(scores, {"name": "theirs"}, seed=None), pair_scores=scores)
    build_board(board, "drawn")
    assert "another group" in _reason(board)


def test_readings_that_are_no_group_are_refused_at_once() -> None:
    scores = pair_scores({"group-read": np.arange(32) % 4.0, "group-error": np.zeros(32)})
    scores.loc[0, "group-read"] = 1e9
    assert "group-read" in {each.subject for each in contradictions(result(scores), scores)}
