"""Parts of an evaluation that are missing, doubled, damaged or of something else are refused."""

from __future__ import annotations

import shutil
import zipfile

import cv2
import pytest
from factories import register_metric

from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.part_files import read_head
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.evaluation.sharded import evaluate_parts, write_shard
from i2ibench.evaluation.shards import Shard
from i2ibench.files import json_text, sha256_json
from i2ibench.metrics.by_pair import KeyedSetMetric
from i2ibench.metrics.interface import Score
from i2ibench.reading import parse_json

RULES = load_protocol("i2i-1")
NAMES = ["psnr", "swd", "distance-ratio", "variance-ratio"]


@pytest.fixture
def parts(draw, tmp_path):
    """Three parts of nine pairs, and what they were made of."""
    drawn, folder = draw(9), tmp_path / "parts"
    for number in (1, 2, 3):
        _write(drawn, folder, number)
    return drawn, folder


def _write(drawn, folder, number, count=3, metrics=NAMES):
    shard = Shard(number, count)
    scored = [(drawn.predictions, RULES)]
    write_shard(drawn.dataset, scored, shard, folder / shard.file_name, metrics=metrics)


def _merge(drawn, folder, metrics=NAMES):
    [found] = evaluate_parts(drawn.dataset, [(drawn.predictions, RULES)], folder, metrics=metrics)
    return found


def test_a_missing_part_is_named_with_the_command_that_makes_it(parts):
    drawn, folder = parts
    (folder / "shard-2-of-3.part").unlink()
    with pytest.raises(DataError, match=r"lacks shard 2 of 3; evaluate with --shard 2/3"):
        _merge(drawn, folder)
    with pytest.raises(DataError, match="holds no part"):
        (folder / "empty").mkdir()
        _merge(drawn, folder / "empty")


def test_a_doubled_part_is_named(parts):
    drawn, folder = parts
    shutil.copy(folder / "shard-2-of-3.part", folder / "shard-9.part")
    with pytest.raises(DataError, match=r"shard-9.part: is shard 2 of 3"):
        _merge(drawn, folder)


@pytest.mark.parametrize("foreign", ["metrics", "count", "predictions", "pairs"])
def test_a_part_of_another_evaluation_is_named(parts, foreign, draw):
    drawn, folder = parts
    if foreign == "metrics":
        with pytest.raises(DataError, match=r"shard-1-of-3.part: is a part of another evaluation"):
            _merge(drawn, folder, metrics=["psnr"])
    elif foreign == "count":
        _write(drawn, folder, 4, count=4)
        with pytest.raises(DataError, match=r"shard-4-of-4.part: is one of 4 parts"):
            _merge(drawn, folder)
    elif foreign == "predictions":
        path = drawn.predictions[drawn.dataset.pairs[4].id]
        cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
        with pytest.raises(DataError, match=r"shard-2-of-3.part: was made of other images"):
            _merge(drawn, folder)
    else:
        with pytest.raises(DataError, match="is a part of another evaluation"):
            _merge(draw(8), folder)


def _rewrite(path, change):
    """Write a part anew with a changed header whose own hash fits."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = parse_json(members["header.json"].decode())
    header.pop("sha256")
    change(header, members)
    members["header.json"] = json_text({**header, "sha256": sha256_json(header)}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _other_version(header, members):
    header["version"] = 2


def _other_score(header, members):
    members["0"] = bytes([members["0"][0] ^ 1]) + members["0"][1:]


def _object_array(header, members):
    header["arrays"][0]["dtype"] = "|O"


def _huge_array(header, members):
    header["arrays"][0]["shape"] = [1 << 60]


def _other_ids(header, members):
    header["sets"][0]["ids"][0] = "elsewhere"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_other_version, "a part of version 2"),
        (_other_score, "is not the one that was written"),
        (_object_array, "of type"),
        (_huge_array, "has not the size"),
        (_other_ids, "holds other pairs"),
    ],
)
def test_an_edited_part_is_named(parts, change, said):
    drawn, folder = parts
    _rewrite(folder / "shard-2-of-3.part", change)
    with pytest.raises(DataError, match=rf"shard-2-of-3.part: .*{said}"):
        _merge(drawn, folder)


def test_a_flipped_bit_is_found_or_changes_nothing_and_a_cut_is_found(parts):
    drawn, folder = parts
    path = folder / "shard-2-of-3.part"
    whole, content, found = _merge(drawn, folder).metrics, path.read_bytes(), 0
    for place in (0, 5, 40, 100, 20_000, len(content) // 2, -3_000, -200, -30, -4):
        changed = bytearray(content)
        changed[place] ^= 4
        path.write_bytes(changed)
        try:
            assert _merge(drawn, folder).metrics == whole  # of a field that nobody reads
        except DataError as error:
            assert path.name in str(error)
            found += 1
    assert found >= 6
    path.write_bytes(content[:-100])
    with pytest.raises(DataError, match=r"shard-2-of-3.part"):
        _merge(drawn, folder)


def test_what_is_no_part_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.part", "w") as archive:
        archive.writestr("header.json", "{}")
    with pytest.raises(DataError, match=r"x.part: not a part of an evaluation"):
        read_head(tmp_path / "x.part")


class Reds(KeyedSetMetric):
    """A plugin's metric that keeps a number of each pair, or what has no file form."""

    name = "reds"
    better = None
    kept = staticmethod(float)

    def signature(self):
        return self._signature()

    def describe(self, pair):
        return self.kept(pair.prediction[..., 0].mean())

    def compute(self, state):
        return Score(sum(float(each) for each in state.ordered()))


class Unwritable(Reds):
    name = "unwritable"
    kept = staticmethod(lambda value: _Number(value))


class _Number:
    def __init__(self, value):
        self.value = value

    def __float__(self):
        return self.value


def test_a_metric_of_a_plugin_has_parts_where_its_descriptions_have_a_form(
    draw, tmp_path, monkeypatch
):
    drawn = draw(6)
    for metric in (Reds, Unwritable):
        register_metric(monkeypatch, metric.name, metric)
    for number in (1, 2):
        _write(drawn, tmp_path, number, 2, ["reds"])
    whole = _merge(drawn, tmp_path, ["reds"]).metrics["reds"].value
    assert whole == pytest.approx(
        sum(cv2.imread(str(p))[..., 2].mean() for p in drawn.predictions.values())
    )
    with pytest.raises(UsageError, match=r"metric unwritable cannot write .* pack and unpack"):
        _write(drawn, tmp_path / "other", 1, 2, ["unwritable"])
    assert not [*(tmp_path / "other").glob("*")]


@pytest.mark.parametrize("text", ["2", "0/3", "4/3", "a/b", "1/0", "-1/3", ""])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="write NUMBER/COUNT"):
        Shard.of(text)


def test_shards_are_all_pairs_once(draw):
    pairs = draw(7).dataset
    for total in (1, 2, 3, 7):
        parts = [Shard(number, total).pairs_of(pairs).pairs for number in range(1, total + 1)]
        assert sum(parts, ()) == pairs.pairs
    with pytest.raises(UsageError, match="8 shards of 7 pairs"):
        [Shard(number, 8).pairs_of(pairs) for number in range(1, 9)]
