"""A foreign folder is scored by id, against a data set or a bare folder of targets."""

from __future__ import annotations

import json
import shutil

import cv2
import filelock
import numpy as np
import pytest
from factories import write_blurred
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from i2ibench.comparison.compare import compare
from i2ibench.comparison.methods import read_methods
from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.results.record_files import read_result
from i2ibench.runs import score_folders
from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.options import Options
from i2ibench.runs.python_interface import evaluate
from i2ibench.runs.run import run
from i2ibench.runs.score_folders import evaluate_side_by_side, evaluate_together
from i2ibench.runs.score_shard import evaluate_shard
from i2ibench.translation.manifest import Manifest, write_manifest

BOTH = ["psnr", "ssim"]


@pytest.fixture
def folders(tmp_path):
    """Targets a, b, c of 32 px and noisy predictions of them."""
    generator = np.random.default_rng(0)
    for name in "abc":
        target = generator.integers(0, 256, (32, 32, 3), np.uint8)
        noisy = np.clip(target + generator.normal(0, 20, target.shape), 0, 255).astype(np.uint8)
        for folder, image in (("targets", target), ("predictions", noisy)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), image)
    return tmp_path / "predictions", tmp_path / "targets"


def test_a_bare_folder_is_scored_as_scikit_image_does(folders, tmp_path):
    predictions, targets = folders
    result = evaluate(predictions, targets=targets, metrics=BOTH, output=tmp_path / "out")
    expected = {"psnr": [], "ssim": []}
    for path in sorted(predictions.iterdir()):
        made, real = cv2.imread(str(path)), cv2.imread(str(targets / path.name))
        expected["psnr"].append(peak_signal_noise_ratio(real, made))
        expected["ssim"].append(structural_similarity(real, made, channel_axis=2))
    for name, values in expected.items():
        assert result.metrics[name].value == pytest.approx(np.mean(values), abs=1e-10)
    stored = json.loads((tmp_path / "out/result.json").read_text())
    assert stored["metrics"]["psnr"]["value"] == result.metrics["psnr"].value
    assert len((tmp_path / "out/scores.csv").read_text().splitlines()) == 4


def test_real_thumbnails_are_scored_per_level(shared):
    root = shared / "data/bci_thumbnails"
    result = evaluate(
        root / "published_predictions/test", dataset=str(root), metrics=BOTH, device="cpu"
    )
    counts = {level: group.n for level, group in result.groups.items()}
    assert counts == {"0": 1, "1+": 4, "2+": 11, "3+": 8}
    assert result.dataset.group_name == "HER2"


def test_pairs_are_never_matched_by_position(folders):
    predictions, targets = folders
    (predictions / "a.png").rename(predictions / "d.png")
    with pytest.raises(DataError, match="a"):
        evaluate(predictions, targets=targets, metrics=BOTH)


def test_exactly_one_place_of_targets(folders):
    predictions, targets = folders
    with pytest.raises(UsageError, match="either"):
        evaluate(predictions)
    with pytest.raises(UsageError, match="either"):
        evaluate(predictions, targets=targets, dataset="bci")


OWN = """
id = "own-1"
title = "PSNR, and MAE"
[[metrics]]
name = "psnr"
[[metrics]]
name = "mae"
"""


def test_two_protocols_score_the_same_files_each_in_its_folder(folders, tmp_path):
    predictions, targets = folders
    (tmp_path / "own.toml").write_text(OWN)
    both = ["stain-1", str(tmp_path / "own.toml")]
    out = tmp_path / "out"
    first, second = evaluate_side_by_side(
        predictions, EvaluationOptions(protocol=both, targets=targets, output=out)
    )
    assert [first.protocol.id, second.protocol.id] == ["stain-1", "own-1"]
    assert first.metrics["psnr"] == second.metrics["psnr"]
    assert [*second.metrics] == ["psnr", "mae"] and "mae" not in first.metrics
    for result in (first, second):
        stored = json.loads((out / result.protocol.id / "result.json").read_text())
        assert stored["metrics"]["psnr"]["value"] == result.metrics["psnr"].value
        assert (out / result.protocol.id / "scores.csv").exists()
    assert not (out / "result.json").exists()


@pytest.mark.parametrize(
    ("protocols", "message"),
    [
        (["i2i-1", "bci-2022"], r"native size, bci-2022 at bicubic.*protocols --scores RUN"),
        (["i2i-1", "i2i-1"], "given twice"),
        (["i2i-1", "stain-1", "bci-2022-1024"], "one protocol or two, not 3"),
    ],
)
def test_protocols_that_cannot_share_predictions_are_refused(folders, protocols, message):
    predictions, targets = folders
    with pytest.raises(UsageError, match=message):
        evaluate_side_by_side(predictions, EvaluationOptions(protocol=protocols, targets=targets))


def test_what_scoring_cannot_show_of_two_protocols_is_said(folders):
    predictions, targets = folders
    both = ["i2i-1", "bci-2022-1024"]
    with pytest.warns(UserWarning, match=r"run the model differently \(normalisation, dropout"):
        evaluate_side_by_side(
            predictions, EvaluationOptions(protocol=both, targets=targets, metrics=["psnr"])
        )


@pytest.fixture
def two_models(folders, tmp_path):
    """The outputs of two models in the layout of pytorch-CycleGAN-and-pix2pix, and targets."""
    predictions, targets = folders
    made = []
    for name, sigma in (("a_pix2pix", 0.5), ("b_pix2pix", 2)):
        folder = tmp_path / "results" / name / "test_latest" / "images"
        files = {path.stem: path for path in predictions.iterdir()}
        write_blurred(files, folder, sigma, mark="_fake_B")
        made.append(folder)
    return made, targets


def test_models_scored_together_have_their_own_results_and_can_be_compared(two_models, tmp_path):
    made, targets = two_models
    out = tmp_path / "out"
    together = evaluate_together(made, EvaluationOptions(targets=targets, metrics=BOTH, output=out))
    assert [result.model.name for result in together] == ["a_pix2pix", "b_pix2pix"]
    for folder, result in zip(made, together, strict=True):
        alone = evaluate(folder, targets=targets, metrics=BOTH)
        assert result.metrics == alone.metrics and result.dataset == alone.dataset
        stored = read_result(out / result.model.name / "result.json")
        assert stored.metrics == alone.metrics
    methods = read_methods([out / "a_pix2pix", out / "b_pix2pix"])
    found = compare(methods).sets[""]
    assert [each.metric for each in found] == BOTH and found[0].difference > 0


def test_models_are_called_as_asked_or_by_what_tells_their_folders_apart(two_models, tmp_path):
    made, targets = two_models
    options = {"targets": targets, "metrics": ["psnr"]}

    def names(folders, given=None):
        found = evaluate_together(folders, EvaluationOptions(name=given, **options))
        return [result.model.name for result in found]

    assert names(made, ["pix2pix", "ours"]) == ["pix2pix", "ours"]
    flat = tmp_path / "predictions"
    assert names([flat, made[0]]) == ["predictions", "images"]
    inner = shutil.copytree(flat, tmp_path / "results" / "images")
    assert names([made[0], inner]) == ["a_pix2pix-test_latest-images", "images"]
    for given, message in (
        (["one"], "1 names for 2 folders"),
        (["one", "one"], "two models are called 'one'; tell them apart with --name"),
        (["Caf\u00e9", "cafe\u0301"], "two models are called"),  # one file on some systems
    ):
        with pytest.raises(UsageError, match=message):
            names(made, given)
    assert names(made, ["12:30", "../two"]) == ["12:30", "../two"]
    with pytest.raises(UsageError, match=r"'12:30' cannot be the name of a folder.*--name"):
        evaluate_together(
            made, EvaluationOptions(name=["12:30", "b"], output=tmp_path / "out", **options)
        )
    link = tmp_path / "ours"
    link.symlink_to(made[0])
    assert names([link, flat]) == ["ours", "predictions"]
    with pytest.raises(UsageError, match="is given twice"):
        names([made[0], made[0].parent / ".." / "test_latest" / "images"])


def test_a_model_without_all_predictions_stops_all_before_anything_is_written(two_models, tmp_path):
    made, targets = two_models
    (made[1] / "b_fake_B.png").unlink()
    with pytest.raises(DataError, match=r"b_pix2pix.*1 of 3 pairs have no prediction: b"):
        evaluate_together(
            made, EvaluationOptions(targets=targets, metrics=BOTH, output=tmp_path / "out")
        )
    assert not (tmp_path / "out").exists()


def test_results_of_runs_and_predictions_are_never_written_over(drawn, tmp_path):
    """Two seeds of one model are called by their run ids, the names of the runs' folders."""
    drawn.draw("test", 2)
    places = {"output": tmp_path / "runs", "board": None}
    runs = [
        run(Options(model="copy", dataset=str(drawn.root), device="cpu", seed=seed, **places))
        for seed in (0, 1)
    ]
    before = [(each.folder / "result.json").read_bytes() for each in runs]
    made = [each.folder / "predictions" for each in runs]
    options = {"dataset": str(drawn.root), "metrics": ["psnr"]}
    with pytest.raises(UsageError, match="holds the result of a run, which would be lost"):
        evaluate_together(made, EvaluationOptions(output=runs[0].folder.parent, **options))
    (runs[0].folder / "experiment.json").unlink()
    for output in (runs[0].folder, made[0]):
        with pytest.raises(UsageError, match="give another"):
            evaluate(made[0], output=output, **options)
    assert [(each.folder / "result.json").read_bytes() for each in runs] == before
    assert not (made[0] / "scores.csv").exists()
    out = tmp_path / "out"
    for _ in range(2):  # results of folders are replaced
        evaluate_together(made, EvaluationOptions(output=out, **options))
    assert {path.name for path in out.iterdir()} == {each.folder.name for each in runs}


def test_outputs_that_cannot_be_written_are_told_before_anything_is_scored(
    two_models, tmp_path, monkeypatch
):
    made, targets = two_models
    monkeypatch.setattr("i2ibench.runs.score_folders.evaluate_predictions", None)
    out = tmp_path / "out"
    out.mkdir()
    (out / "b_pix2pix").write_text("")
    options = {"targets": targets, "metrics": BOTH, "output": out}
    with pytest.raises(DataError, match="b_pix2pix is no folder; give another --output"):
        evaluate_together(made, EvaluationOptions(**options))
    (out / "b_pix2pix").unlink()
    (out / "b_pix2pix" / "result.json").mkdir(parents=True)
    with pytest.raises(DataError, match=r"b_pix2pix/result.json is a folder"):
        evaluate_together(made, EvaluationOptions(**options))
    assert not (out / "a_pix2pix").exists()
    with pytest.raises(UsageError, match="no predictions to score"):
        evaluate_together([], EvaluationOptions(targets=targets))


def test_predictions_of_ours_are_scored_under_their_own_preparation_alone(tmp_path):
    """At 256 px the sizes fit, while bci-2022 shows another section of the target."""
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for folder in ("targets", "predictions"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), image)
    predictions = tmp_path / "predictions"
    rules = load_protocol("i2i-1")
    manifest = Manifest(
        model="copy",
        checkpoint_sha256=None,
        protocol=rules.id,
        preparation=rules.preparation.model_dump(mode="json"),
        inference=rules.inference,
        precision="fp32",
    )
    write_manifest(predictions, manifest)
    chosen = {"targets": tmp_path / "targets", "metrics": ["psnr"]}
    with pytest.raises(DataError, match=r"made under i2i-1.*translate again"):
        evaluate(predictions, protocol="bci-2022", **chosen)
    with pytest.warns(UserWarning, match="the model was run as i2i-1 says"):
        evaluate(predictions, protocol="bci-2022-1024", **chosen)


def test_two_evaluations_into_one_folder_take_turns_to_write(folders, tmp_path, monkeypatch):
    predictions, targets = folders
    output = tmp_path / "out"
    output.mkdir()
    monkeypatch.setattr(score_folders, "_PATIENCE", 0.0)
    with (
        filelock.FileLock(output / ".lock"),
        pytest.raises(UsageError, match="another process"),
    ):
        evaluate(predictions, targets=targets, metrics=BOTH, output=output)
    assert not (output / "scores.csv").exists()
    evaluate(predictions, targets=targets, metrics=BOTH, output=output)
    assert (output / "result.json").exists()


def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "shards"


def test_shards_in_processes_give_the_result_of_one_pass(folders, tmp_path, monkeypatch):
    predictions, targets = folders
    left = _cache(tmp_path, monkeypatch)
    write_blurred({p.stem: p for p in predictions.iterdir()}, tmp_path / "blurred", 2.0)
    both, told = [predictions, tmp_path / "blurred"], []
    options = {"targets": targets, "metrics": [*BOTH, "swd"]}
    whole = evaluate_together(both, EvaluationOptions(**options, output=tmp_path / "whole"))
    sharded = evaluate_together(
        both,
        EvaluationOptions(**options, shards=2, output=tmp_path / "sharded"),
        lambda done, total: told.append((done, total)),
    )
    for one, other in zip(whole, sharded, strict=True):
        assert other.metrics == one.metrics
        scores = [tmp_path / kind / one.model.name / "scores.csv" for kind in ("whole", "sharded")]
        assert scores[0].read_bytes() == scores[1].read_bytes()
    assert told[-1] == (3, 3)
    assert [*left.iterdir()] == [], "the parts are removed"


def test_an_error_of_a_shard_is_told_as_if_there_were_none(folders, tmp_path, monkeypatch):
    predictions, targets = folders
    left = _cache(tmp_path, monkeypatch)
    content = (predictions / "c.png").read_bytes()
    (predictions / "c.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"c\.png"):
        evaluate(predictions, targets=targets, metrics=BOTH, shards=2)
    assert [*left.iterdir()] == []


def test_a_shard_alone_writes_a_part_that_the_same_call_merges(folders, tmp_path, monkeypatch):
    predictions, targets = folders
    _cache(tmp_path, monkeypatch)
    parts = tmp_path / "parts"
    options = {"targets": targets, "metrics": BOTH, "device": "cpu"}
    for number in (2, 1):
        alone = EvaluationOptions(**options, output=parts)
        assert evaluate_shard([predictions], alone, f"{number}/2").parent == parts
    merged = evaluate(predictions, **options, merge=parts)
    assert merged.metrics == evaluate(predictions, **options).metrics
    for wrong, said in (
        ({"output": None}, "as --output"),
        ({"output": parts, "merge": parts}, "neither --shards nor --merge"),
    ):
        with pytest.raises(UsageError, match=said):
            evaluate_shard([predictions], EvaluationOptions(**options, **wrong), "1/2")
    with pytest.raises(UsageError, match="give one of them"):
        EvaluationOptions(**options, merge=parts, shards=2)
