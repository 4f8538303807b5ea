"""A package of somebody else brings one of each kind, and none has a lesser door than ours."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from factories import write_rgb

from i2ibench.registry import tomllib

SOURCE = Path(__file__).resolve().parent
WEIGHTS = """[ink-features]
title = "Features of ink"
metrics = ["ink-distance"]
licence = "CC0-1.0"

[[ink-features.files]]
name = "ink-features.pth"
sha256 = "{sha256}"
"""
TINY = ("--set", "training.epochs=2", "--set", "training.batch_size=2", "--set", "images.crop=24")


class Called(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


class Workplace:
    """A machine on which the plugin is installed: its folders, and a shell."""

    def __init__(self, root: Path) -> None:
        self.site, self.data, self.weights = root / "site", root / "data", root / "elsewhere.pth"
        self.runs, self.boards = root / "runs", root / "boards"
        self._root = root

    def call(self, *arguments: str | Path, plugin: bool = True, **more: str) -> Called:
        """Run ``i2ibench`` in a process of its own, with the plugin on its path or without."""
        environment = {
            **os.environ,
            "I2IBENCH_CACHE": str(self._root / "cache"),
            "I2IBENCH_DATA": str(self.data),
            "TORCH_HOME": str(self._root / "torch"),
            "PYTHONPATH": str(self.site) if plugin else "",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "300",
            **more,
        }
        code = "from i2ibench.cli import main; main()"
        line = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
        return Called(done.returncode, done.stdout, done.stderr)


def lay_out(site: Path, sha256: str) -> None:
    """Lay the package out as pip would, with weights of the given hash."""
    shutil.copytree(SOURCE / "inkbench", site / "inkbench", ignore=shutil.ignore_patterns("*.pyc"))
    (site / "inkbench/features/weights.toml").write_text(WEIGHTS.format(sha256=sha256))
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups: Mapping[str, Mapping[str, str]] = project["entry-points"]
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Workplace:
    """The plugin installed, its data set drawn, its weights somewhere else; nothing was run."""
    place = Workplace(tmp_path_factory.mktemp("plugin"))
    torch.manual_seed(7)
    torch.save(torch.nn.Conv2d(3, 4, 3).state_dict(), place.weights)
    lay_out(place.site, hashlib.sha256(place.weights.read_bytes()).hexdigest())
    draw = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 16)):
        for index in range(count):
            name = f"{index:03}_{split}_{index % 4 or ''}{'+' if index % 4 else '0'}.png"
            coarse = draw.integers(30, 160, (4, 4, 3), np.uint8)
            source = cv2.resize(coarse, (32, 32), interpolation=cv2.INTER_CUBIC)
            noise = draw.integers(-9, 10, source.shape)
            target = np.clip(source + np.array([60, 30, 10]) + noise, 0, 255).astype(np.uint8)
            write_rgb(place.data / "ward/HE" / split / name, source)
            write_rgb(place.data / "ward/IHC" / split / name, target)
    return place


@pytest.fixture(scope="module")
def scored(place: Workplace) -> Workplace:
    """The same after weights were added, and the plugin's model and one of ours were run."""
    assert place.call("weights", "add", "ink-features", place.weights).code == 0
    for line in (("tint", *TINY), ("copy",)):
        done = place.call(
            *("run", "--dataset", "ward", "--protocol", "ink-1", "--device", "cpu"),
            *("--output", place.runs, "--board", place.boards, "--model", *line),
        )
        assert done.code == 0, done.err
    return place


@pytest.fixture(scope="module")
def sources(place: Workplace) -> Path:
    """A folder of predictions: the sources themselves."""
    return place.data / "ward/HE/test"


def lines_of(place: Workplace, **how: bool) -> list[dict[str, str]]:
    board = place.call(
        "leaderboard", "show", "ward", "--format", "csv", "--board", place.boards, **how
    )
    assert board.code == 0, board.err
    return list(csv.DictReader(io.StringIO(board.out)))


def run_of(place: Workplace, model: str) -> Path:
    [folder] = (place.runs / "ward" / model).iterdir()
    return folder


@pytest.mark.parametrize(
    ("verb", "name"),
    [("models", "tint"), ("metrics", "ink-distance"), ("datasets", "ward"), ("protocols", "ink-1")],
)
def test_each_kind_is_listed_with_its_provider(place, verb, name):
    listed = {each["name"]: each for each in json.loads(place.call(verb, "--json").out)}
    assert listed[name]["provider"] == "inkbench"
    assert len(listed) > 5, "beside ours"


def test_its_weights_are_listed_and_examined_like_ours(place):
    listed = {
        each["name"]: each for each in json.loads(place.call("weights", "list", "--json").out)
    }
    assert (listed["ink-features"]["provider"], listed["dists"]["provider"]) == (
        "inkbench",
        "i2ibench",
    )
    assert listed["ink-features"]["metrics"] == ["ink-distance"]
    found = json.loads(place.call("doctor", "--json").out)
    assert "weights ink-features" in {each["subject"] for each in found}


def test_missing_weights_of_a_plugin_are_told_with_the_remedy(place, sources, tmp_path):
    empty = {"I2IBENCH_CACHE": str(tmp_path)}
    line = ("evaluate", sources, "--dataset", "ward", "--metrics", "ink-distance")
    done = place.call(*line, **empty)
    assert done.code == 4
    assert "i2ibench weights add ink-features FILE" in done.err
    # Nobody knows an address of them, and fetching says the same.
    done = place.call("weights", "fetch", "ink-features", **empty)
    assert (done.code, "weights add ink-features" in done.err) == (4, True)


def test_wrong_bytes_are_refused_and_signed_where_they_are_allowed(place, sources, tmp_path):
    torch.save(torch.nn.Conv2d(3, 4, 3).state_dict(), tmp_path / "ink-features.pth")
    mark = hashlib.sha256((tmp_path / "ink-features.pth").read_bytes()).hexdigest()[:8]
    here = {"I2IBENCH_CACHE": str(tmp_path / "cache"), "I2IBENCH_WEIGHTS": str(tmp_path)}
    line = ("evaluate", sources, "--dataset", "ward", "--metrics", "ink-distance", "--json")
    done = place.call(*line, **here)
    assert done.code == 4
    assert "is not the known ink-features.pth" in done.err and mark in done.err
    assert place.call("weights", "verify", "ink-features", **here).code == 5
    done = place.call(*line, "--allow-unverified-weights", **here)
    signature = json.loads(done.out)["metrics"]["ink-distance"]["signature"]
    assert f"weights:unverified-{mark}" in signature


def test_a_board_ranks_by_the_plugins_metric_alone(scored):
    shown = {(line["method"], line["metric"], line["set"]): line for line in lines_of(scored)}
    tint, copy = (shown[model, "ink-distance", "all"] for model in ("tint", "copy"))
    assert float(tint["value"]) < float(copy["value"]), "a learned colour is nearer"
    # Of one seed, so its claim is about these weights: better than the one other row.
    claim = [tint[f"weights_{key}"] for key in ("better_than", "worse_than", "compared_with")]
    assert (tint["kind"], claim) == ("one set of weights", ["1", "0", "1"])
    assert (copy["kind"], copy["rank_best"]) == ("method", ""), "nothing to rank among"
    assert shown["tint", "psnr", "all"]["weights_better_than"] == ""


def test_a_board_shows_title_and_digits_of_the_plugins_metric(scored):
    line = ("leaderboard", "show", "ward", "--board", scored.boards)
    page = scored.call(*line, "--format", "markdown").out
    header, _, *rows = page[page.index("| method") :].splitlines()
    assert [cell.split("<")[0].strip() for cell in header.split("|")[2:4]] == [
        "Ink distance ↓",
        "PSNR ↑",
    ]
    value = next(each for each in lines_of(scored) if each["metric"] == "ink-distance")["value"]
    assert f"| {float(value):.3f}<br>" in rows[0]
    assert "Compared, as sets of weights: Ink distance." in page
    assert "SSIM" in page[page.index("#### Further metrics") :]
    done = scored.call("leaderboard", "check", "ward", "--board", scored.boards)
    assert done.code == 0, done.err


def test_a_board_outlives_the_plugin(scored):
    with_it, without = (lines_of(scored, plugin=plugin) for plugin in (True, False))
    assert without == with_it
    line = ("leaderboard", "show", "ward", "--board", scored.boards, "--format", "latex")
    assert "ink-distance" in scored.call(*line, plugin=False).out


def test_verification_recomputes_the_plugins_metric(scored):
    done = scored.call("verify", run_of(scored, "tint"), "--json")
    assert done.code == 0, done.err
    record = json.loads((run_of(scored, "tint") / "result.json").read_text())
    assert record["protocol"]["main"] == ["ink-distance", "psnr"]
    # What code it was, of the model and of the metric: both are of one package here.
    model, metric = record["environment"]["plugins"]
    assert (model["kind"], model["name"]) == ("model", "tint")
    assert (metric["kind"], metric["name"]) == ("metric", "ink-distance")
    assert model["package"] == metric["package"] and model["version"] == metric["version"]
    assert len(model["sha256"]) == 64 and model["sha256"] == metric["sha256"]
    assert json.loads(done.out)["hashes"]["code of tint"] == "as recorded"
    # As of any network: sums run in another order on other hardware.
    assert json.loads(done.out)["relative_tolerances"]["ink-distance"] == pytest.approx(1e-4)


def test_the_plugins_network_gives_the_value_of_its_formula(scored, sources):
    line = ("evaluate", sources, "--dataset", "ward", "--protocol", "ink-1", "--json")
    alone = json.loads(scored.call(*line).out)["metrics"]["ink-distance"]["value"]
    state = torch.load(scored.weights, weights_only=True)
    values = []
    for path in sorted(sources.glob("*.png")):
        pair = [cv2.imread(str(side)) for side in (path, Path(str(path).replace("HE", "IHC")))]
        images = torch.tensor(np.stack(pair)[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
        made, real = torch.nn.functional.conv2d(images, state["weight"], state["bias"])
        values.append(float((made - real).abs().mean()))
    assert alone == pytest.approx(np.mean(values), rel=1e-5)
