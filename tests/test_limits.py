"""The limits that SECURITY.md states are those that hold."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from i2ibench import limits
from i2ibench.data.cards import read_card_file
from i2ibench.data.synthetic.drawing import SyntheticOptions
from i2ibench.errors import DataError, I2IBenchError, UsageError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.files import map_array, read_json, sha256_file
from i2ibench.results.pair_scores import read_pair_scores
from i2ibench.training.recipe import load_recipe
from i2ibench.training.torch_files import read_tensors

_UNITS = {"MiB": limits.MIB, "GiB": limits.GIB, "s": 1, "": 1}
_TEXT = (Path(__file__).parents[1] / "SECURITY.md").read_text(encoding="utf-8")


def test_every_limit_is_stated_as_it_holds() -> None:
    rows = re.findall(r"\| ([\d,]+) ?(MiB|GiB|s|) \| `(\w+)` \|", _TEXT)
    stated = {name: int(number.replace(",", "")) * _UNITS[unit] for number, unit, name in rows}
    held = {
        name: value
        for name, value in vars(limits).items()
        if name.isupper() and name not in {"KIB", "MIB", "GIB"}
    }
    assert stated == held


READERS: dict[str, Callable[[Path], Any]] = {
    "x.json": read_json,
    "x.toml": read_card_file,
    "protocol.toml": load_protocol,
    "recipe.toml": lambda path: load_recipe("pix2pix", "x", path, {}),
    "x.csv": read_pair_scores,
    "x.ckpt": read_tensors,
    "x.npy": map_array,
    "x.bin": sha256_file,
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_never_waited_for(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(I2IBenchError, match=re.escape(str(path))):
        READERS[name](path)


@pytest.mark.parametrize("name", ["x.json", "x.toml", "x.csv"])
def test_a_file_beyond_its_limit_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(max(limits.JSON_BYTES, limits.CSV_BYTES) + 1)  # sparse: takes no disk
    with pytest.raises(DataError, match=r"larger than the [\d,]+ MiB"):
        READERS[name](path)


@pytest.mark.parametrize("name", ["x.json", "x.toml"])
@pytest.mark.parametrize("depth", [limits.NESTING, 1_000, 100_000])
def test_what_is_nested_too_deep_is_one_line(tmp_path: Path, name: str, depth: int) -> None:
    path = tmp_path / name
    nested = "[" * depth + "]" * depth
    path.write_text(nested if name == "x.json" else f"a = {nested}", encoding="utf-8")
    if name == "x.json" and depth == limits.NESTING:
        assert read_json(path) is not None
        return
    with pytest.raises(DataError, match="nested"):
        READERS[name](path)


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": 1, "a": 2}', '"\\ud800"', "9" * 400],
)
def test_json_that_would_fail_later_fails_at_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.json: not valid JSON"):
        read_json(path)


def _rewritten(path: Path, method: int) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [(each.filename, archive.read(each)) for each in archive.infolist()]
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)


def test_a_checkpoint_that_would_grow_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"w": torch.zeros(1 << 20)}, path)
    _rewritten(path, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(DataError, match=r"x\.ckpt: .*compressed"):
        read_tensors(path)
    torch.save({"w": torch.zeros(9)}, path)
    _rewritten(path, zipfile.ZIP_STORED)
    assert read_tensors(path)["w"].shape == (9,)


def test_a_flipped_bit_never_loads_other_weights(tmp_path: Path) -> None:
    """Without a summary beside it, by the checksums in the file alone."""
    weights = torch.arange(500.0)
    torch.save({"format": "other", "w": weights, "b": torch.ones(30)}, tmp_path / "right.pth")
    right = (tmp_path / "right.pth").read_bytes()
    path = tmp_path / "flipped.pth"
    refused = 0
    for place in range(0, len(right), max(1, len(right) // 200)):
        changed = bytearray(right)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            found = read_tensors(path)
        except DataError as error:
            assert "flipped.pth" in str(error)
            refused += 1
        else:  # in what fills the gaps between members
            assert torch.equal(found["w"], weights) and torch.equal(found["b"], torch.ones(30))
    assert refused > 100


@pytest.mark.parametrize(
    "settings",
    [{"training.epochs": 1e11}, {"training.batch_size": 10**12}, {"images.crop": 1e9}],
)
def test_settings_have_bounds(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="less than or equal"):
        load_recipe("pix2pix", "x", None, settings)


@pytest.mark.parametrize("key", ["train", "val", "test", "size"])
def test_drawn_data_sets_have_bounds(key: str) -> None:
    with pytest.raises(UsageError, match="less than or equal"):
        SyntheticOptions.parse({key: 1e11})
