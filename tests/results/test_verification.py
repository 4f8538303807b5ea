"""Verification finds what was changed after a result was written, and names it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import CREATED

from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError, MissingError, UsageError
from i2ibench.evaluation import begin_pass
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.files import sha256_file, sha256_json
from i2ibench.models.policy import InferencePolicy
from i2ibench.results.build_record import build_result
from i2ibench.results.pair_scores import write_pair_scores
from i2ibench.results.record import MetricRecord, ProtocolRecord
from i2ibench.results.record_files import read_result, write_result
from i2ibench.results.verification import Verification, record_verified, verify
from i2ibench.translation.manifest import Manifest, read_manifest, write_manifest

METRICS = ["psnr", "ssim", "mae", "swd"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set and a run, scored with metrics that need no weights.

    Predictions are the targets, blurred.
    """
    root = tmp_path_factory.mktemp("finished")
    rng = np.random.default_rng(0)
    for index in range(16):
        name = f"{index:05d}_test_{('0', '1+', '2+', '3+')[index % 4]}.png"
        source = cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (64, 64))
        write_png(root / "drawn" / "HE" / "test" / name, source)
        write_png(root / "drawn" / "IHC" / "test" / name, 255 - source)
    pairs = open_dataset(str(root / "drawn"), "test")
    folder = root / "run"
    for pair in pairs:
        blurred = cv2.GaussianBlur(read_image(pair.target), (9, 9), 0)
        write_png(folder / "predictions" / f"{pair.id}.png", blurred)
    files = {pair.id: sha256_file(folder / "predictions" / f"{pair.id}.png") for pair in pairs}
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"weights")
    weights = sha256_file(folder / "checkpoints" / "last.ckpt")
    write_manifest(
        folder / "predictions",
        Manifest(
            model="blur",
            checkpoint_sha256=weights,
            protocol="i2i-1",
            preparation={},
            inference=InferencePolicy(),
            precision="fp32",
        ).finished(files, 1.0),
    )
    found = evaluate(
        pairs,
        find_predictions(folder / "predictions", pairs),
        protocol=load_protocol("i2i-1"),
        metrics=METRICS,
        device="cpu",
        workers=1,
    )
    write_pair_scores(folder / "scores.csv", found)
    result = build_result(
        model={"name": "blur", "checkpoint_sha256": weights},
        dataset={
            "name": "drawn",
            "split": "test",
            "direction": "AtoB",
            "pairs": len(pairs),
            "manifest_sha256": manifest_sha256(pairs),
        },
        evaluation=found,
        cost={},
        seed=0,
        environment={},
        created=CREATED,
    )
    write_result(folder / "result.json", result)
    return root


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run, beside a copy of its data set, to tamper with."""
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy" / "run"


def _verify(run: Path) -> Verification:
    return verify(run, dataset=str(run.parent / "drawn"), device="cpu")


def _subjects(run: Path) -> set[str]:
    return {finding.subject for finding in _verify(run).findings}


def test_an_untouched_run_is_confirmed_and_can_be_recorded(run: Path) -> None:
    found = _verify(run)
    assert found.findings == ()
    assert found.error() is None
    assert found.tolerances == {"psnr": 1e-9, "ssim": 1e-9, "mae": 1e-9, "swd": 1e-6}
    record_verified(found)
    marked = read_result(run / "result.json")
    assert marked.status == "verified"
    assert marked.verified is not None
    assert marked.verified.environment.packages["numpy"]
    assert _verify(run).findings == (), "a verified record can be verified again"


def test_one_changed_pixel_is_named_by_its_pair(run: Path) -> None:
    path = run / "predictions" / "00007_test_3+.png"
    image = read_image(ImageRef(path))
    image[5, 6, 1] ^= 1
    write_png(path, image)
    subjects = _subjects(run)
    assert "prediction 00007_test_3+" in subjects
    assert "psnr of pair 00007_test_3+" in subjects
    assert "psnr of 3+" in subjects
    assert not any("00006" in subject for subject in subjects)


def test_one_edited_score_of_a_pair_is_named(run: Path) -> None:
    path = run / "scores.csv"
    lines = path.read_text().splitlines()
    fields = lines[4].split(",")
    fields[3] = repr(float(fields[3]) + 1e-6)
    path.write_text("\n".join([*lines[:4], ",".join(fields), *lines[5:]]) + "\n")
    assert _subjects(run) == {"psnr of pair 00003_test_3+", "scores.csv"}


@pytest.mark.parametrize(
    ("edit", "subject"),
    [
        (lambda c: c["metrics"]["ssim"].update(value=0.99), "ssim"),
        (lambda c: c["metrics"]["swd"].update(signature="swd|other|v:1"), "swd"),
        (lambda c: c["groups"]["1+"]["metrics"]["psnr"].update(value=50.0), "psnr of 1+"),
        (lambda c: c["metrics"]["psnr"].update(ci95=[0.0, 99.0]), "psnr"),
        (lambda c: c["macro"]["mae"].update(value=0.0), "mae of macro mean"),
        (lambda c: c["dataset"].update(manifest_sha256="f" * 64), "data"),
        (lambda c: c["protocol"].update(sha256="f" * 64), "protocol"),
        (lambda c: c["protocol"].update(main=["ssim"]), "protocol"),
    ],
)
def test_an_edited_record_is_named(run: Path, edit, subject: str) -> None:
    path = run / "result.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    assert _subjects(run) == {"record", subject}


def test_swapped_weights_are_named(run: Path) -> None:
    (run / "checkpoints" / "last.ckpt").write_bytes(b"other weights")
    assert _subjects(run) == {"checkpoint"}


def test_predictions_of_other_weights_are_named(run: Path) -> None:
    manifest = read_manifest(run / "predictions")
    other = manifest.model_copy(update={"checkpoint_sha256": "f" * 64})
    write_manifest(run / "predictions", other)
    assert _subjects(run) == {"predictions"}


def test_a_changed_target_is_noticed(run: Path) -> None:
    path = run.parent / "drawn" / "IHC" / "test" / "00002_test_2+.png"
    image = read_image(ImageRef(path))
    image[0, 0] = 255 - image[0, 0]
    write_png(path, image)
    assert {"data", "psnr of pair 00002_test_2+"} <= _subjects(run)


@pytest.mark.parametrize(
    "file",
    [
        "drawn/HE/test/00002_test_2+.png",
        "drawn/IHC/test/00002_test_2+.png",
        "run/predictions/00002_test_2+.png",
        "run/checkpoints/last.ckpt",
        "run/scores.csv",
    ],
)
def test_one_changed_byte_is_found_though_size_and_time_are_as_they_were(
    run: Path, file: str
) -> None:
    path = run.parent / file
    long_ago = 1_600_000_000 * 10**9
    for each in (*(run.parent / "drawn").rglob("*.png"), path):
        os.utime(each, ns=(long_ago, long_ago))
    pairs = open_dataset(str(run.parent / "drawn"), "test")
    recorded = manifest_sha256(pairs)  # and the cache knows every file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(long_ago, long_ago))
    assert manifest_sha256(pairs) == recorded, "a run trusts size and time, as documented"
    try:
        assert _verify(run).error() is not None
    except DataError as error:  # it can no longer be decoded
        assert path.name in str(error) or path.stem in str(error)
    if path.parent.parent.parent.name == "drawn":
        try:
            assert manifest_sha256(pairs) != recorded, "the cache has been put right"
        except DataError as error:  # it no longer takes the file for what it was
            assert path.name in str(error)


def test_verification_takes_no_feature_from_the_cache(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begin_pass, "FeatureStore", None)  # calling it would fail
    assert _verify(run).findings == ()


def test_weights_that_are_missing_are_told_once_and_refute_nothing(run: Path) -> None:
    path = run / "result.json"
    made = read_result(path)
    lpips = MetricRecord(value=0.1, n=16, signature="lpips-squeeze|v:1", better="lower")
    groups = {
        name: group.model_copy(update={"metrics": {**group.metrics, "lpips-squeeze": lpips}})
        for name, group in made.groups.items()
    }
    metrics = {**made.metrics, "lpips-squeeze": lpips}
    changed = made.model_copy(update={"metrics": metrics, "groups": groups})
    protocol = run.parent / "small.toml"
    names = "".join(f'[[metrics]]\nname = "{name}"\n' for name in metrics)
    protocol.write_text(f'id = "small-1"\ntitle = "small"\n{names}')
    record = ProtocolRecord(id="small-1", sha256=load_protocol(protocol).sha256)
    write_result(path, changed.model_copy(update={"protocol": record}))
    found = verify(run, dataset=str(run.parent / "drawn"), protocol=str(protocol), device="cpu")
    assert [finding.subject for finding in found.findings] == ["lpips-squeeze"]
    assert isinstance(found.error(), MissingError)
    assert "weights fetch lpips-squeeze" in str(found.error())


def test_what_cannot_be_verified_says_what_is_missing(run: Path) -> None:
    with pytest.raises(MissingError, match="--dataset PATH"):
        verify(run)
    shutil.rmtree(run / "predictions")
    with pytest.raises(DataError, match="--predictions"):
        _verify(run)


def test_a_refuted_result_cannot_be_recorded_as_verified(run: Path) -> None:
    (run / "checkpoints" / "last.ckpt").write_bytes(b"other weights")
    with pytest.raises(UsageError, match="not confirmed"):
        record_verified(_verify(run))
    assert read_result(run / "result.json").status == "measured"


def _with_intervals(run: Path, **statement: object) -> Path:
    """Rewrite the record, sealed anew, with another statement of how its intervals were made."""
    path = run / "result.json"
    record = read_result(path)
    changed = record.intervals.model_copy(update=statement)
    write_result(path, record.model_copy(update={"intervals": changed}))
    return path


def test_intervals_of_a_method_unknown_here_are_left_alone_and_told(run: Path) -> None:
    _with_intervals(run, method="percentile bootstrap of 2019")
    found = _verify(run)
    assert found.error() is None
    told = next(line for line in found.not_checked if "interval" in line)
    assert "NOT recomputed" in told and "percentile bootstrap of 2019" in told


@pytest.mark.parametrize("statement", [{"resamples": 10**12}, {"level": 0.5}, {"seed": None}])
def test_a_statement_that_cannot_be_followed_is_not(run: Path, statement: dict) -> None:
    _with_intervals(run, **statement)
    found = _verify(run)
    assert found.error() is None
    assert any("NOT recomputed" in line for line in found.not_checked)


def test_intervals_are_recomputed_with_the_recorded_seed_and_resamples(run: Path) -> None:
    path = _with_intervals(run, seed=7, resamples=500)
    # The intervals in the record are those of seed 0 and 2,000 resamples.
    assert any(
        finding.subject.startswith("psnr") and "interval" in finding.detail
        for finding in _verify(run).findings
    )
    record = read_result(path)
    pairs = open_dataset(str(run.parent / "drawn"), "test")
    predictions = find_predictions(run / "predictions", pairs)
    again = evaluate(pairs, predictions, protocol=load_protocol("i2i-1"), metrics=METRICS)
    remade = build_result(
        model=record.model,
        dataset=record.dataset,
        evaluation=again,
        intervals=record.intervals,
        cost=record.cost,
        seed=record.seed,
        environment=record.environment,
        created=record.created,
    )
    assert (remade.intervals.seed, remade.intervals.resamples) == (7, 500)
    write_result(path, remade)
    found = _verify(run)
    assert found.error() is None
    assert any("intervals recomputed" in line for line in found.checked)


def _edit_sealed(run: Path, edit) -> None:
    """Change a record and seal it anew, as whoever lies would."""
    path = run / "result.json"
    content = json.loads(path.read_text())
    del content["sha256"]
    edit(content)
    path.write_text(json.dumps({**content, "sha256": sha256_json(content)}))


@pytest.mark.parametrize(
    ("edit", "subject"),
    [
        (lambda c: c["metrics"]["ssim"].update(value=None), "ssim"),
        (lambda c: c["metrics"]["ssim"].update(value=None, unavailable="no weights"), "ssim"),
        (lambda c: c["metrics"]["psnr"].update(notes=["of high-risk patients"]), "psnr"),
        (lambda c: c.pop("pair_scores_sha256"), "scores per pair"),
        (lambda c: c.update(pair_scores_sha256="f" * 64), "scores.csv"),
        (lambda c: c["dataset"].pop("manifest_sha256"), "data"),
    ],
)
def test_what_was_removed_or_added_under_a_new_seal_is_named(run: Path, edit, subject) -> None:
    _edit_sealed(run, edit)
    assert _subjects(run) == {subject}


def test_a_removed_seal_is_named(run: Path) -> None:
    path = run / "result.json"
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))
    assert _subjects(run) == {"record"}


def test_it_says_what_was_looked_at_and_what_was_not(run: Path) -> None:
    (run / "scores.csv").unlink()
    (run / "checkpoints" / "last.ckpt").unlink()
    found = _verify(run)
    assert found.findings == ()
    assert set(found.metrics.values()) == {"recomputed"}
    assert found.hashes["predictions"] == found.hashes["data"] == "as recorded"
    assert found.hashes["checkpoint"].startswith("not looked at")
    assert any(line.startswith("scores per pair not looked at") for line in found.not_checked)
    assert any(f"{len(METRICS)} metrics recomputed" in line for line in found.checked)
