"""Evaluation and translation in shards on a real Ray cluster equal those of one process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import DrawnFolder
from factories import TINY, write_blurred
from seeded_weights import write_inception, write_trunks

from i2ibench import registry
from i2ibench.metrics.interface import PairMetric, registered_metric
from i2ibench.runs import run as stages
from i2ibench.runs.evaluation_options import EvaluationOptions
from i2ibench.runs.options import Options
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.score_folders import evaluate
from i2ibench.translation.manifest import read_manifest

SMALL = {key: value for key, value in TINY.items() if key != "images.resize"}
SHARED = Path(__file__).resolve().parents[3] / "shared"
pytestmark = pytest.mark.ray
OURS = [n for n in registry.metrics.names() if registry.metrics.entry(n).provider == "i2ibench"]


@pytest.mark.filterwarnings("ignore")
def test_on_ray_every_metric_and_every_prediction_are_those_of_one_process(
    ray_address, tmp_path, monkeypatch
):
    from i2ibench.ray_cluster import RayCluster

    # One test: each worker of pytest-xdist that took a part of it would start a cluster.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path / "weights"))
    names = give_weights(tmp_path / "weights")
    DrawnFolder(tmp_path / "drawn").draw("train", 4, size=48).draw("test", 12, size=48)
    options = Options(
        model="pyramid", dataset="./drawn", protocol="i2i-1", device="cpu", settings=SMALL
    )
    stages.train(options, Reporter())
    shutil.copytree("runs", "one")
    with RayCluster(ray_address, tmp_path / "cache", threads=1, gpu=False) as cluster:
        made = stages.translate(options, Reporter(), executor=cluster, shards=2).predictions
        alone = stages.translate(
            Options(**{**vars_of(options), "output": "one"}), Reporter()
        ).predictions
        assert read_manifest(made).files == read_manifest(alone).files
        assert read_manifest(made).seconds > 0 and len([*made.glob("*.png")]) == 12

        DrawnFolder(tmp_path / "wide").draw("train", 8, size=176).draw("test", 8, size=176)
        found = {path.stem: path for path in (tmp_path / "wide" / "IHC" / "test").iterdir()}
        predictions = tmp_path / "blurred"
        write_blurred(found, predictions, 1.0)
        asked = {
            "dataset": "./wide",
            "protocol": "i2i-1",
            "metrics": ",".join(names),
            "device": "cpu",
            "allow_unverified_weights": True,
        }
        sharded = EvaluationOptions(**asked, shards=2, output="on-ray")
        result = evaluate(predictions, sharded, executor=cluster)
        expected = evaluate(predictions, EvaluationOptions(**asked, output="here"))
        check_equal(result, expected, names)
        assert (tmp_path / "on-ray/scores.csv").read_bytes() == (
            tmp_path / "here/scores.csv"
        ).read_bytes()


def give_weights(folder: Path) -> list[str]:
    """Write seeded weights, and the true squeeze ones where they are; return what has weights."""
    folder.mkdir()
    write_trunks(folder)
    write_inception(folder)
    squeeze = SHARED / "weights" / "lpips-squeeze" / "squeeze.backbone.pth"
    if not squeeze.exists():
        return [name for name in OURS if name != "lpips-squeeze"]
    (folder / squeeze.name).symlink_to(squeeze)
    return OURS


def vars_of(options: Options) -> dict:
    return {name: getattr(options, name) for name in ("model", "dataset", "protocol", "device")} | {
        "settings": dict(options.settings)
    }


def check_equal(result, expected, names) -> None:
    assert result.metrics.keys() == expected.metrics.keys() == {*names}
    valued = {name for name, record in expected.metrics.items() if record.value is not None}
    assert len(valued) > len(names) - 8, sorted({*names} - valued)
    for name, one in expected.metrics.items():
        other = result.metrics[name]
        assert (other.signature, other.n, other.unavailable) == (
            one.signature,
            one.n,
            one.unavailable,
        )
        if one.value is None or issubclass(registered_metric(name), PairMetric):
            assert other.value == one.value, name
        else:
            # Moments are merged: 1e-6; all else 1e-9.
            bound = 1e-6 if name.startswith("fid") else 1e-9
            assert other.value == pytest.approx(one.value, rel=bound, abs=1e-9), name
