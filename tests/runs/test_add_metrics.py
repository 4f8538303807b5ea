"""Weights that come later complete a finished run; weights that go take nothing from it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from factories import times

from i2ibench.errors import DataError, MissingError
from i2ibench.evaluation import availability as arrivals
from i2ibench.files import sha256_file
from i2ibench.leaderboard.entries import read_entries
from i2ibench.metrics.networks import weights
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result, write_result
from i2ibench.results.verification import record_verified, verify
from i2ibench.runs import add_metrics as completion
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.runs.python_interface import evaluate
from i2ibench.runs.run import run

SQUEEZE = "squeeze.backbone.pth"


@pytest.fixture(autouse=True)
def _places(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture
def options(drawn, tmp_path) -> Options:
    drawn.draw("test", 16)
    places = {"output": tmp_path / "runs", "board": tmp_path / "boards"}
    return Options(model="copy", dataset=str(drawn.root), device="cpu", **places)


@pytest.fixture
def bring(shared, tmp_path):
    """A function that puts the true squeeze weights where they are looked for."""
    place = tmp_path / "weights" / SQUEEZE
    place.parent.mkdir()

    def put() -> Path:
        shutil.copyfile(shared / "weights/lpips-squeeze" / SQUEEZE, place)
        return place

    return put


def board_entry(options: Options) -> Result:
    (entry,) = read_entries(options.board, "drawn")
    return entry.result


def untouched(folder: Path) -> dict[str, int]:
    files = [*folder.glob("predictions/*"), folder / "experiment.json"]
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_the_same_command_adds_the_metric_whose_weights_have_come(options, bring):
    first = run(options)
    assert "weights fetch lpips-squeeze" in first.result.metrics["lpips-squeeze"].unavailable
    before, page = untouched(first.folder), (first.folder / "report/index.html").read_text()
    assert "lpips-squeeze|net:squeeze" not in page
    bring()
    second = run(options)
    added = second.result.metrics["lpips-squeeze"]
    assert added.value > 0 and "weights:b8a52dc0" in added.signature
    assert second.result.groups["3+"].metrics["lpips-squeeze"].value > 0
    assert second.result.metrics["lpips"] == first.result.metrics["lpips"], "still without weights"
    for name in ("psnr", "ssim", "swd", "variance-ratio"):
        assert second.result.metrics[name] == first.result.metrics[name]
        assert second.result.macro[name] == first.result.macro[name]
    assert untouched(first.folder) == before
    assert read_result(first.folder / "result.json") == second.result == board_entry(options)
    assert "lpips-squeeze" in (first.folder / "scores.csv").read_text().splitlines()[0]
    assert "lpips-squeeze|net:squeeze" in (first.folder / "report/index.html").read_text()
    assert f"{added.value:.4f}" in second.board.read_text()
    assert verify(first.folder, dataset=options.dataset, device="cpu").findings == ()


def test_a_completed_result_is_that_of_a_run_that_had_the_weights(options, bring, tmp_path):
    run(options)
    bring()
    completed = run(options)
    at_once = run(replace(options, output=tmp_path / "elsewhere", board=None))
    assert completed.result.metrics["lpips-squeeze"] == at_once.result.metrics["lpips-squeeze"]
    for part in ("groups", "intervals", "pair_scores_sha256", "model", "dataset", "protocol"):
        assert getattr(completed.result, part) == getattr(at_once.result, part), part
    (addition,) = completed.result.environment.added
    assert addition["metrics"] == ["lpips-squeeze"]
    assert addition["environment"]["packages"]["torch"]
    assert completed.result.cost.translate_seconds > 0


def test_where_no_weights_have_come_none_is_read_and_nothing_is_written(
    options, bring, monkeypatch
):
    first = run(options)
    files = times(first.folder)
    read = []

    def counted(path: Path) -> str:
        read.append(path)
        return sha256_file(path)

    monkeypatch.setattr(weights, "sha256_file", counted)
    assert run(options).result == first.result
    assert read == []
    place = bring()
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    assert run(options).result == first.result
    assert read == [place], "a wrong file is hashed"
    assert run(options).result == first.result
    assert read == [place], "and remembered while it stays as it is"
    assert files == times(first.folder)
    bring()
    assert run(options).result.metrics["lpips-squeeze"].value > 0


def test_looking_for_weights_loads_no_torch(options, bring):
    folder = run(options).folder
    bring()
    code = (
        "import sys; from i2ibench.evaluation.availability import arrived; "
        "from i2ibench.evaluation.protocol import load_protocol; "
        "from i2ibench.data.dataset import open_dataset; "
        "from i2ibench.results.record_files import read_result; "
        f"found = arrived(read_result(__import__('pathlib').Path({str(folder)!r}) / 'result.json')"
        f".metrics, load_protocol('i2i-1'), open_dataset({options.dataset!r})); "
        "print(found, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['lpips-squeeze'] False"


def test_images_too_small_for_a_metric_are_not_scored_again_and_again(
    drawn, options, bring, monkeypatch
):
    for side in ("HE", "IHC"):
        shutil.rmtree(drawn.root / side)
    drawn.draw("test", 8, size=24)
    bring()
    first = run(options)
    assert "at least 32 pixels" in first.result.metrics["lpips-squeeze"].unavailable
    monkeypatch.setattr(completion, "score", None)
    assert run(options).result == first.result


@pytest.mark.parametrize("torn", ["score", "write_result"])
def test_an_interrupt_loses_nothing_and_the_same_command_goes_on(options, bring, monkeypatch, torn):
    first = run(options)
    bring()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(completion, torn, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(options)
    assert read_result(first.folder / "result.json") == first.result == board_entry(options)
    again = run(options)
    assert again.result.metrics["lpips-squeeze"].value > 0
    assert board_entry(options) == again.result


def test_weights_that_vanish_after_an_interrupt_leave_the_run_as_it_was(
    options, bring, monkeypatch
):
    first = run(options)
    before = (first.folder / "scores.csv").read_bytes()
    place = bring()
    with monkeypatch.context() as patch:
        patch.setattr(completion, "write_result", None)
        with pytest.raises(TypeError):
            run(options)
    assert b"lpips-squeeze" in (first.folder / "scores.csv").read_bytes()
    place.unlink()
    assert run(options).result == first.result
    assert (first.folder / "scores.csv").read_bytes() == before
    scores = before.replace(b"lpips-squeeze", b"").replace(b"ssim", b"other")
    (first.folder / "scores.csv").write_bytes(scores)
    with pytest.raises(DataError, match="not those the result was made of"):
        run(options)
    assert (first.folder / "scores.csv").read_bytes() == scores, "an edit is told, not undone"


def test_changed_predictions_are_made_and_scored_again(options, bring):
    first = run(options)
    files = sorted((first.folder / "predictions").glob("*.png"))
    original = files[0].read_bytes()
    files[0].write_bytes(files[1].read_bytes())
    bring()
    again = run(options)
    assert files[0].read_bytes() == original
    assert again.result.metrics["psnr"] == first.result.metrics["psnr"]
    assert again.result.metrics["lpips-squeeze"].value > 0


def test_weights_that_went_away_take_nothing(options, bring):
    place = bring()
    first = run(options)
    place.unlink()
    assert run(options).result == first.result
    (first.folder / "scores.csv").unlink()
    with pytest.raises(MissingError, match=r"holds lpips-squeeze.*weights fetch lpips-squeeze"):
        run(options)
    assert read_result(first.folder / "result.json") == first.result == board_entry(options)
    bring()
    assert run(options).result.metrics == first.result.metrics


def test_an_entry_with_more_metrics_stays_beside_a_run_with_fewer(options, bring, tmp_path):
    place = bring()
    first = run(options)
    place.unlink()
    fewer = run(replace(options, output=tmp_path / "elsewhere"))
    assert fewer.result.metrics["lpips-squeeze"].value is None
    assert board_entry(options) == first.result


def test_a_verified_mark_does_not_cover_what_was_added(options, bring):
    first = run(options)
    entry = next((options.board / "drawn").glob("*.json"))
    marked = record_verified(verify(first.folder, dataset=options.dataset, device="cpu"))
    write_result(entry, marked)
    bring()
    with pytest.warns(UserWarning) as told:
        completed = run(options)
    assert completed.result.status == "measured" and completed.result.verified is None
    words = " ".join(str(each.message) for each in told)
    assert f"i2ibench verify {first.folder} --record" in words
    assert "the board keeps its entry" in words and "lacks lpips-squeeze" in words
    assert board_entry(options) == marked, "a board trades no verified numbers for others"
    again = record_verified(verify(first.folder, dataset=options.dataset, device="cpu"))
    run(options)
    assert board_entry(options) == again
    assert again.metrics["lpips-squeeze"].value > 0


def test_unverified_weights_count_when_they_are_allowed(options, bring, seeded_inception, tmp_path):
    bring()
    (tmp_path / "weights" / seeded_inception.name).symlink_to(seeded_inception)
    first = run(options)
    assert first.result.metrics["fid"].value is None
    assert run(options).result == first.result
    allowed = run(replace(options, allow_unverified_weights=True)).result
    assert "weights:unverified-" in allowed.metrics["fid"].signature
    assert allowed.metrics["kid-marginal"].value is not None
    assert allowed.metrics["lpips-squeeze"] == first.result.metrics["lpips-squeeze"]
    assert board_entry(options) == allowed
    assert run(options).result == allowed, "and are kept without the option"


def test_evaluate_does_not_write_fewer_values_over_more(options, bring, tmp_path):
    place = bring()
    predictions = run(options).folder / "predictions"
    output = tmp_path / "scored"
    evaluate(predictions, dataset=options.dataset, output=output)
    before = (output / "result.json").read_bytes()
    place.unlink()
    with pytest.raises(MissingError, match="holds lpips-squeeze, which would be lost"):
        evaluate(predictions, dataset=options.dataset, output=output)
    assert (output / "result.json").read_bytes() == before
    evaluate(predictions, dataset=options.dataset, output=output, metrics=["psnr"])
    assert [*json.loads((output / "result.json").read_text())["metrics"]] == ["psnr"]


def test_a_metric_whose_plugin_is_gone_can_not_arrive(options):
    plan = resolve(options)
    lost = {"other": run(options).result.metrics["fid"]}
    assert arrivals.arrived(lost, plan.protocol, plan.test) == []
