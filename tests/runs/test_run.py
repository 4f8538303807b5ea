"""A run heals what was deleted or changed, and never publishes what is not finished."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import filelock
import pytest
from factories import TINY
from kills import rows_differ, states_differ
from plugin_source import LEARNER

from i2ibench.errors import DataError, UsageError
from i2ibench.results.record_files import read_result, write_result
from i2ibench.results.verification import verify
from i2ibench.runs.options import Options
from i2ibench.runs.run import run, train, translate
from i2ibench.training.checkpoint import load_checkpoint


@pytest.fixture
def options(drawn, tmp_path) -> Options:
    drawn.draw("train", 5).draw("test", 4)
    return Options(
        model="varpyramid",
        dataset=str(drawn.root),
        settings=TINY,
        output=tmp_path / "runs",
        board=tmp_path / "boards",
    )


def test_what_was_deleted_or_changed_is_made_again(options):
    first = run(options)
    prediction = next((first.folder / "predictions").glob("*.png"))
    original = prediction.read_bytes()
    other = next(
        path for path in (first.folder / "predictions").glob("*.png") if path != prediction
    )
    prediction.write_bytes(other.read_bytes())
    (first.folder / "result.json").unlink()
    again = run(options)
    assert prediction.read_bytes() == original
    assert again.result.metrics == first.result.metrics
    (first.folder / "scores.csv").unlink()
    assert run(options).result.metrics == first.result.metrics
    assert (first.folder / "scores.csv").exists()


def test_the_same_run_elsewhere_is_the_same_entry(options, tmp_path):
    first = run(options)
    second = run(replace(options, output=tmp_path / "elsewhere"))
    assert second.result.metrics == first.result.metrics
    assert len(list((tmp_path / "boards/drawn").glob("*.json"))) == 1


def test_a_shipped_entry_of_the_same_run_stays_and_the_run_ends_well(options, tmp_path):
    first = run(options)
    (entry,) = (tmp_path / "boards/drawn").glob("*.json")
    shipped = first.result.model_copy(update={"seed": 99})
    write_result(entry, shipped)
    with pytest.warns(UserWarning, match="keeps its entry"):
        again = run(options)
    assert again.board is not None
    assert read_result(entry).seed == 99


def test_one_process_at_a_time_works_in_a_run_folder(options):
    folder = train(options)
    with (
        filelock.FileLock(folder.path / ".lock"),
        pytest.raises(UsageError, match="another process"),
    ):
        run(options)


def test_a_second_protocol_reuses_the_training(options):
    first = run(options)
    stages = []

    class Listener:
        def stage(self, text: str) -> None:
            stages.append(text)

        def training(self, *_: object) -> None:
            raise AssertionError("trained again")

        def progress(self, *_: object) -> None:
            pass

    second = run(replace(options, protocol="bci-2022-1024"), Listener())
    assert any("trained in the same way" in text for text in stages)
    assert second.result.model.checkpoint_sha256 and second.folder != first.folder
    assert (second.folder / "training.csv").read_bytes() == (
        first.folder / "training.csv"
    ).read_bytes()


@pytest.fixture
def choosing(options) -> Options:
    """Options that translate with the state that validated best."""
    wish = {"training.validation_fraction": 0.4, "training.keep_best": "ssim"}
    return replace(options, settings={**TINY, **wish})


def test_a_run_that_kept_its_best_state_is_confirmed(choosing):
    done = run(choosing)
    assert verify(done.folder, dataset=str(choosing.dataset), device="cpu").findings == ()
    best = done.folder / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes() + b" ")
    found = verify(done.folder, dataset=str(choosing.dataset), device="cpu")
    assert [each.subject for each in found.findings] == ["checkpoint"]


def test_a_best_state_that_was_deleted_is_missed_in_one_line_and_trained_again(choosing):
    first = run(choosing)
    checkpoints = first.folder / "checkpoints"
    (checkpoints / "best.ckpt").unlink()
    assert run(choosing).result == first.result  # a finished run has no need of it
    (first.folder / "result.json").unlink()
    for verb in (train, translate, run):
        with pytest.raises(DataError, match=r"best.ckpt: is missing.*remove .*last.ckpt and"):
            verb(choosing)
    (checkpoints / "last.ckpt").unlink()
    assert run(choosing).result.metrics == first.result.metrics


def test_a_best_state_that_was_deleted_is_taken_from_the_same_training_elsewhere(choosing):
    first = run(choosing)
    other = run(replace(choosing, protocol="bci-2022-1024"))
    best = first.folder / "checkpoints/best.ckpt"
    kept = best.read_bytes()
    best.unlink()
    (first.folder / "result.json").unlink()
    assert run(choosing).result.metrics == first.result.metrics
    assert best.read_bytes() == kept == (other.folder / "checkpoints/best.ckpt").read_bytes()


def test_the_val_split_is_looked_at_before_a_training_and_only_then(drawn, options):
    drawn.draw("val", 3)
    first = run(options)
    assert (first.folder / "validation.csv").exists()
    next((drawn.root / "IHC/val").iterdir()).unlink()
    assert run(options).result == first.result
    with pytest.raises(DataError, match="partner"):
        run(replace(options, seed=1, pixel_cache=True))
    assert len(list(options.output.rglob("training.csv"))) == 1


def test_kept_pixels_change_neither_the_run_nor_a_bit_of_it(options, tmp_path, monkeypatch):
    first = run(options)
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    kept = replace(options, pixel_cache=True, output=tmp_path / "elsewhere")
    second = run(kept)
    assert second.folder.name == first.folder.name
    assert len(list((tmp_path / "cache/pixels").glob("*/*.npy"))) == 2 * 5
    weights = [load_checkpoint(run.folder / "checkpoints/last.ckpt") for run in (first, second)]
    assert weights[0].training_id == weights[1].training_id
    assert states_differ(first.folder, second.folder) == []
    assert rows_differ(first.folder, second.folder) == []
    assert second.result.metrics == first.result.metrics


def test_a_foreign_folder_beside_it_disturbs_no_run(options):
    stray = options.output / "drawn/varpyramid/stray"
    (stray / "checkpoints").mkdir(parents=True)
    (stray / "experiment.json").write_text("{}")
    (stray / "checkpoints/last.ckpt").write_bytes(b"torn")
    assert run(options).result.status == "measured"


def test_settings_beside_a_checkpoint_are_refused(options):
    folder = train(options)
    with pytest.raises(UsageError, match="--checkpoint"):
        run(replace(options, checkpoint=folder.checkpoint))


def test_a_checkpoint_that_is_a_folder_is_one_line(options, tmp_path):
    with pytest.raises((DataError, OSError)):
        run(replace(options, settings={}, checkpoint=Path(tmp_path)))


def test_a_single_module_plugin_trains_through_the_same_door(options, tmp_path, monkeypatch):
    losses = 'return {"L1": (self.translate(batch.source) - batch.target).abs().mean()}'
    info = tmp_path / "site/plug-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[i2ibench.models]\nbias = plug_mod:Learner\n")
    (tmp_path / "site/plug_mod.py").write_text(LEARNER.format(losses=losses))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    from i2ibench import registry

    fresh = registry.Registry("model", "i2ibench.models")
    monkeypatch.setattr(registry, "models", fresh)
    budget = {"training.epochs": 2, "training.batch_size": 1, "images.crop": 24}
    outcome = run(replace(options, model="bias", settings=budget))
    assert outcome.result.model.parameters == 3
    assert outcome.result.training.steps == 10
