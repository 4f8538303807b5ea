"""Any bytes in any file of a user give a value or one line that names the file."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from factories import pair_scores, result
from fuzzing import each_mutation, mutated_bytes, mutated_value

from i2ibench import registry
from i2ibench.campaigns.campaign_file import parse_campaign, read_campaign
from i2ibench.campaigns.run_status import read_status
from i2ibench.campaigns.step_times import StepTimes
from i2ibench.data.archives import unpack
from i2ibench.data.cards import parse_card, read_card_file
from i2ibench.errors import I2IBenchError
from i2ibench.evaluation.accumulate import Accumulation
from i2ibench.evaluation.metric_choice import ChosenMetrics
from i2ibench.evaluation.pair_values import PairValues
from i2ibench.evaluation.part_files import read_head, read_part, write_part
from i2ibench.evaluation.protocol import _parse as parse_protocol
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.files import map_array, read_json, sha256_json, write_array
from i2ibench.leaderboard.board import read_board, render_page
from i2ibench.leaderboard.entries import add_file
from i2ibench.leaderboard.exports import csv_board, latex_board
from i2ibench.leaderboard.plain_tables import board_tables
from i2ibench.leaderboard.site_facts import read_site_facts
from i2ibench.metrics.diversity import DistanceRatio
from i2ibench.metrics.networks.network_loading import load_state
from i2ibench.metrics.networks.weights import WeightsFile
from i2ibench.metrics.pixel import PSNR
from i2ibench.results.pair_scores import pair_scores_csv, read_pair_scores
from i2ibench.results.record_files import read_result
from i2ibench.results.score_tables import read_score_table
from i2ibench.training.checkpoint import Checkpoint, load_if_ours, save_checkpoint
from i2ibench.training.checkpoint_summary import read_summary
from i2ibench.training.history import History
from i2ibench.training.recipe import Recipe, load_recipe
from i2ibench.translation.manifest import read_manifest
from i2ibench.translation.spread import Spread, read_spread

_SCORES = pair_scores({"psnr": [20.0, 21.5, 23.0], "ssim": [0.5, 0.6, 0.7]}, ["0", "1+", "0"])
_RECORD = result(_SCORES, environment={"device": "cuda", "gpu": "G", "torch_threads": 2}).to_json()
_MANIFEST = {
    "files": {"00000": "a" * 64},
    "model": "copy",
    "checkpoint_sha256": None,
    "protocol": "i2i-1",
    "preparation": {},
    "inference": {},
    "precision": "fp32",
}
_SUMMARY = {"schema": 1, "sha256": "a" * 64, "size": 3, "step": 1, "total_steps": 2, "seconds": 1.0}
_REPORTED = {
    "schema": 1,
    "status": "reported",
    "dataset": "board",
    "entries": [{"method": "m", "metrics": {"psnr": 1.0}, "source": "s", "pairs": 3}],
}
_CARD = """
title = "t"
direction = "AtoB"
size = [64, 64]
notes = ["n"]
[[layouts]]
kind = "folders"
source = "HE/{split}"
target = "IHC/{split}"
[splits.test]
pairs = 3
groups = {"0" = 1}
[groups]
name = "HER2"
pattern = '_(?P<group>0|1\\+)$'
order = ["0", "1+"]
[clusters]
name = "slide"
pattern = '^(?P<cluster>[^_]+)'
[download]
url = "https://example.org/a.zip"
"""
_RECIPE = """
[model]
generator = "unet_256"
ngf = 64
[training]
epochs = 3
decay_epochs = 2
validation_fraction = 0.1
[images]
crop = 24
resize = 32
"""
_CAMPAIGN = """
version = 1
name = "mine"
datasets = ["synthetic"]
models = ["pyramid", "varpyramid"]
seeds = [0, 1]
protocols = ["stain-2"]
keep_best = "ssim"
precision = "fp32"
[budget]
track = "equal-images"
images = 300
[set]
"training.batch_size" = 2
[[vary]]
model = "varpyramid"
"model.variance_weight" = [25, 100]
[[also]]
models = ["copy"]
seeds = [3]
"""
_STATUS = {
    "schema": 1,
    "state": "working",
    "attempt": 1,
    "host": "h",
    "pid": 3,
    "started": "t",
    "updated": "t",
    "step": 3,
    "total": 4,
    "losses": {"G": 1.5},
    "seconds_left": 2.5,
}
_TIMES = {"schema": 1, "times": {"a": {"what": "w", "seconds": 0.5, "steps": 3}}}
_PROTOCOL = """
id = "mine-1"
title = "t"
main = ["psnr"]
[preparation]
[inference]
[[metrics]]
name = "psnr"
[[metrics]]
name = "ssim"
[metrics.settings]
window = "uniform7"
[endpoints]
primary = ["psnr"]
margins = {psnr = 0.1}
"""


def _tensors() -> bytes:
    content = io.BytesIO()
    torch.save({"w": torch.arange(20.0), "b": torch.zeros(2, 3)}, content)
    return content.getvalue()


def _checkpoint(folder: Path) -> bytes:
    place = folder / "made.ckpt"
    save_checkpoint(place, Checkpoint("m", {"a": 1}, "id", 1, 2, 3.0, {"w": torch.ones(9)}, {}))
    return place.read_bytes()


def _tar(mode: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name in ("a/x.txt", "b.txt"):
            info = tarfile.TarInfo(name)
            info.size = 500
            archive.addfile(info, io.BytesIO(bytes(range(250)) * 2))
    return content.getvalue()


def _zip(method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name in ("a/x.txt", "b.txt"):
            archive.writestr(name, bytes(range(250)) * 2)
    return content.getvalue()


def _array(folder: Path) -> bytes:
    write_array(folder / "made.npy", np.arange(12.0).reshape(3, 4))
    return (folder / "made.npy").read_bytes()


def _spread(folder: Path) -> bytes:
    draws = iter(np.full((5, 7, 3), level, np.uint8) for level in (9, 30))
    Spread(folder, 2).keep("made", next(draws), lambda: next(draws))
    return (folder / "made.png").read_bytes()


def _weights(path: Path) -> Any:
    return load_state(WeightsFile(path, "a" * 64, False, "m"))


_CHOSEN = ChosenMetrics(
    {"psnr": PSNR(), "distance-ratio": DistanceRatio()}, {}, frozenset(), frozenset()
)


def _part(folder: Path) -> bytes:
    values, metric = PairValues(["psnr"]), DistanceRatio()
    state = metric.new_state()
    for pair_id in "abc":
        values.add(pair_id, {"psnr": 20.0})
        metric.update(state, pair_id, (np.ones(4, np.float32), np.ones(4, np.float32)))
    found = Accumulation(values, {"distance-ratio": {None: state}}, {None: 3})
    path = folder / "made.part"
    facts = {"question": "q", "images": "i", "seconds": 1.0}
    write_part(path, [found], [_CHOSEN], shard=(1, 1), **facts)
    content = path.read_bytes()
    path.unlink()
    return content


def _unpack(path: Path) -> None:
    target = path.parent / "unpacked"
    try:
        unpack(path, target)
    finally:
        assert not (path.parent / "outside").exists()
        shutil.rmtree(target, ignore_errors=True)


def _continued(path: Path) -> None:
    with History(path, 2):
        pass


def _card(path: Path) -> Any:
    return parse_card(path.stem, read_card_file(path))


# Name of the file, its right content, and what reads it.
READERS: dict[str, tuple[str, Callable[[Path], bytes], Callable[[Path], Any]]] = {
    "result": ("result.json", lambda _: json.dumps(_RECORD).encode(), read_result),
    "experiment": ("experiment.json", lambda _: json.dumps(_RECORD).encode(), read_json),
    "manifest": (
        "manifest.json",
        lambda _: json.dumps(_MANIFEST).encode(),
        lambda path: read_manifest(path.parent),
    ),
    "summary": (
        "last.ckpt.json",
        lambda _: json.dumps(_SUMMARY).encode(),
        lambda path: read_summary(path.with_suffix("")),
    ),
    "reported": (
        "reported.json",
        lambda _: json.dumps(_REPORTED).encode(),
        lambda path: add_file(path.parent / "boards", path, overwrite=True),
    ),
    "scores": ("scores.csv", lambda _: pair_scores_csv(_SCORES).encode(), read_pair_scores),
    "table": (
        "table.csv",
        lambda _: b"id,level,method,psnr\na,0,m,1.5\nb,1+,m,2.5\n",
        read_score_table,
    ),
    "curves": (
        "training.csv",
        lambda _: b"step,epoch,learning_rate,seconds,l\n1,1,0.1,1.0,2\n2,1,0.1,1.0,3\n",
        _continued,
    ),
    "card": (
        "mine.toml",
        lambda _: _CARD.encode(),
        lambda p: parse_card("mine", read_card_file(p)),
    ),
    "site": (
        "site.toml",
        lambda _: b'title = "t"\naddress = "https://a.b/c"\ndoi = "10.1234/x"\nauthors = ["a"]\n',
        lambda p: read_site_facts(p.parent),
    ),
    "recipe": ("r.toml", lambda _: _RECIPE.encode(), lambda p: load_recipe("pix2pix", "x", p, {})),
    "protocol": ("p.toml", lambda _: _PROTOCOL.encode(), load_protocol),
    "campaign": ("mine.toml", lambda _: _CAMPAIGN.encode(), read_campaign),
    "status": ("status.json", lambda _: json.dumps(_STATUS).encode(), read_status),
    "times": ("mine.times.json", lambda _: json.dumps(_TIMES).encode(), StepTimes),
    "checkpoint": ("last.ckpt", _checkpoint, load_if_ours),
    "weights": ("w.pth", lambda _: _tensors(), _weights),
    "array": ("a.npy", _array, map_array),
    "part": ("x.part", _part, lambda path: read_part(read_head(path), [_CHOSEN])),
    "spread": ("a.png", _spread, read_spread),
    "tar": ("a.tar", lambda _: _tar("w:"), _unpack),
    "tar.gz": ("a.tar.gz", lambda _: _tar("w:gz"), _unpack),
    "tar.xz": ("a.tar.xz", lambda _: _tar("w:xz"), _unpack),
    "tar.bz2": ("a.tar.bz2", lambda _: _tar("w:bz2"), _unpack),
    "zip": ("a.zip", lambda _: _zip(zipfile.ZIP_DEFLATED), _unpack),
    "stored zip": ("a.zip", lambda _: _zip(zipfile.ZIP_STORED), _unpack),
}


def _read(path: Path, read: Callable[[Path], Any]) -> None:
    """Read a file; whatever is wrong with it must be one line that names it."""
    try:
        read(path)
    except I2IBenchError as error:
        assert path.stem.split(".")[0] in str(error)
        assert "\n" not in str(error).strip()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", READERS)
def test_any_bytes_give_a_value_or_a_line(tmp_path: Path, reader: str) -> None:
    name, make, read = READERS[reader]
    right = make(tmp_path)
    path = tmp_path / name
    if reader == "summary":
        path.with_suffix("").write_bytes(b"abc")
    path.write_bytes(right)
    read(path)

    def holds(draw: Random) -> None:
        path.write_bytes(mutated_bytes(draw, right))
        _read(path, read)

    each_mutation(holds)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", ["result", "manifest", "summary", "reported", "status", "times"])
def test_any_values_give_a_value_or_a_line(tmp_path: Path, reader: str) -> None:
    name, make, read = READERS[reader]
    right = json.loads(make(tmp_path))
    path = tmp_path / name
    if reader == "summary":
        path.with_suffix("").write_bytes(b"abc")

    def holds(draw: Random) -> None:
        path.write_text(json.dumps(mutated_value(draw, right)), encoding="utf-8")
        _read(path, read)

    each_mutation(holds)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", ["card", "recipe", "protocol", "campaign"])
def test_any_settings_give_a_value_or_a_line(tmp_path: Path, reader: str) -> None:
    name, make, _ = READERS[reader]
    right = registry.tomllib.loads(make(tmp_path).decode())

    def holds(draw: Random) -> None:
        value = mutated_value(draw, right)
        try:
            if reader == "card":
                parse_card("mine", value)
            elif reader == "campaign":
                parse_campaign(value, name)
            elif reader == "protocol":
                sha256_json(parse_protocol(value, name).model_dump(mode="json"))
            else:
                sha256_json(_recipe(value).model_dump(mode="json"))
        except I2IBenchError as error:
            assert "\n" not in str(error).strip()

    each_mutation(holds)


def _recipe(value: dict[str, Any]) -> Recipe:
    tables = {name: table for name, table in value.items() if isinstance(table, dict)}
    flat = {f"{name}.{key}": each for name, table in tables.items() for key, each in table.items()}
    return load_recipe("pix2pix", "x", None, flat)


@pytest.mark.filterwarnings("ignore")
def test_a_sealed_entry_of_any_values_is_shown_or_refused(tmp_path: Path) -> None:
    """An entry can be edited and sealed again; the pages of its board are made, or a line."""
    folder = tmp_path / "board"
    folder.mkdir()
    content = {key: value for key, value in _RECORD.items() if key != "sha256"}
    content["dataset"] = {**content["dataset"], "name": "board"}
    content.pop("pair_scores_sha256", None)
    other = tmp_path / "board" / "other.json"
    other.write_text(json.dumps({**content, "sha256": sha256_json(content)}))

    def holds(draw: Random) -> None:
        value = mutated_value(draw, content)
        path = folder / "entry.json"
        try:
            sealed = {**value, "sha256": sha256_json(value)}
        except ValueError:
            return  # no JSON
        path.write_text(json.dumps(sealed), encoding="utf-8")
        try:
            board = read_board(tmp_path, "board")
            for form in (render_page, csv_board, latex_board, lambda each: [*board_tables(each)]):
                form(board)
        except I2IBenchError as error:
            assert "entry.json" in str(error)
            assert "\n" not in str(error).strip()

    each_mutation(holds)
