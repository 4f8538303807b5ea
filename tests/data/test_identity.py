"""A folder that is called like a catalogue data set stands for it only if it is that data set."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from i2ibench import registry
from i2ibench.cli.app import run_app
from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.errors import DataError, MissingError
from i2ibench.results.verification import verify
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve

TINY = {
    "title": "eight drawn pairs",
    "size": [32, 32],
    "layouts": [{"kind": "folders", "source": "HE/{split}", "target": "IHC/{split}"}],
    "splits": {"test": {"pairs": 8, "groups": {"3+": 2}}},
    "groups": {"name": "HER2", "pattern": r"_(?P<group>0|1\+|2\+|3\+)$"},
}


@pytest.fixture
def tiny(drawn, monkeypatch) -> Path:
    """The folder ``tiny``, which is the data set ``tiny`` of the catalogue."""
    fresh = registry.Registry("data set", "i2ibench.datasets", registry.read_card)
    fresh.register("tiny", TINY)
    monkeypatch.setattr(registry, "datasets", fresh)
    return drawn.draw("test", 8).root.rename(drawn.root.with_name("tiny"))


def test_a_folder_that_holds_what_the_card_states_is_the_data_set(tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_dataset(str(tiny)).name == "tiny"
        assert open_dataset(str(tiny.rename(tiny.with_name("Tiny")))).name == "tiny"


@pytest.mark.parametrize(
    ("spoil", "difference"),
    [
        (lambda d, _: d.draw("test", 9), "9 pairs in test, not 8"),
        (lambda d, _: d.draw("test", 8, size=24), "images of 24 x 24, not 32 x 32"),
        (lambda _, r: _rename_sides(r), "its form is another"),
        (lambda _, r: _regroup(r), r"1 pairs of HER2 3\+ in test, not 2"),
    ],
)
def test_a_folder_that_differs_gets_a_name_of_its_own_and_is_told_why(
    tiny, drawn, spoil, difference
):
    drawn.root = tiny
    spoil(drawn, tiny)
    with pytest.warns(UserWarning, match=rf"not it \({difference}\).*own-tiny"):
        assert open_dataset(str(tiny)).name == "own-tiny"


def test_a_table_a_card_and_a_folder_of_targets_are_no_catalogue_data_set_either(tiny):
    rows = [f"HE/test/{p.name},IHC/test/{p.name}" for p in sorted((tiny / "HE/test").iterdir())]
    (tiny / "bci.csv").write_text("\n".join(["source,target", *rows, ""]))
    card = 'title = "mine"\n[[layouts]]\nkind = "folders"\n'
    card += 'source = "HE/{split}"\ntarget = "IHC/{split}"\n'
    (tiny / "facades.toml").write_text(card)
    (tiny / "tiny.toml").write_text(card)
    with pytest.warns(UserWarning, match="is called like the catalogue's"):
        assert open_dataset(str(tiny / "bci.csv")).name == "own-bci"
        assert open_dataset(str(tiny / "facades.toml")).name == "own-facades"
        assert open_dataset(str(tiny / "tiny.toml")).name == "tiny", "a card over the same pairs"
        shutil.copytree(tiny / "IHC/test", tiny / "bci")
        assert Dataset.of_targets(tiny / "bci").name == "own-bci"


def test_a_drawn_data_set_is_in_no_folder_of_ones_own(tiny):
    with pytest.warns(UserWarning, match="which is drawn"):
        assert open_dataset(str(tiny.rename(tiny.with_name("synthetic")))).name == "own-synthetic"


def test_a_run_on_it_has_a_board_of_its_own_and_no_recipe_of_the_catalogues(
    drawn, tmp_path, capsys
):
    drawn.draw("train", 2).draw("test", 8)
    homemade = drawn.root.rename(tmp_path / "bci")
    places = ["--output", str(tmp_path / "runs"), "--board", str(tmp_path / "boards")]
    line = ["run", "--model", "copy", "--dataset", str(homemade), *places, "--json"]
    code = run_app(line)
    out, err = capsys.readouterr()
    assert code == 0, err
    assert json.loads(out)["dataset"]["name"] == "own-bci"
    assert " ".join(err.split()).count("2 pairs in train, not 3896") == 1, "told once"
    assert (tmp_path / "boards/own-bci.md").exists()
    assert not (tmp_path / "boards/bci.md").exists() and not (tmp_path / "boards/bci").exists()
    small = {"model.generator": "resnet_6blocks", "images.crop": 24, "images.resize": 28}
    options = Options(model="pix2pix", dataset=str(homemade), settings=small)
    as_bci = resolve(options).recipe
    other = homemade.rename(tmp_path / "other")
    assert as_bci == resolve(replace(options, dataset=str(other))).recipe


@pytest.mark.parametrize("by", ["data_root", "I2IBENCH_DATA"])
def test_fewer_pairs_than_the_card_states_are_not_that_data_set_when_asked_for_by_name(
    drawn, tmp_path, capsys, monkeypatch, by
):
    drawn.draw("train", 3).draw("test", 2)
    (tmp_path / "lake").mkdir()
    folder = drawn.root.rename(tmp_path / "lake/bci")
    places = ["--output", str(tmp_path / "runs"), "--board", str(tmp_path / "boards")]
    line = ["run", "--model", "copy", "--dataset", "bci", *places]
    if by == "data_root":
        line += ["--data-root", str(folder.parent)]
    else:
        monkeypatch.setenv(by, str(folder.parent))
    assert run_app(line) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert err.count("states of bci (3 pairs in train, not 3896)") == 1 and "own-bci" in err
    assert (tmp_path / "boards/own-bci.md").exists()
    assert not (tmp_path / "boards/bci.md").exists()


def test_what_lies_there_is_shown_beside_what_the_card_states(drawn, tmp_path, capsys):
    drawn.draw("train", 3).draw("test", 2)
    drawn.root.rename(tmp_path / "bci")
    assert run_app(["datasets", "bci", "--data-root", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    shown = " ".join(out.split())
    assert "train 3 of 3896 expected, test 2 of 977 expected" in shown and "own-bci" in shown
    assert "not 3896" in " ".join(err.split())


def test_a_data_set_asked_for_by_name_that_is_complete_keeps_its_name(tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Dataset.open("tiny", data_root=tiny.parent).name == "tiny"
        assert Dataset.open("tiny", data_root=tiny.parent, limit=2).name == "tiny"


def test_verify_asks_for_the_folder_of_such_a_result(drawn, tmp_path, capsys, monkeypatch):
    drawn.draw("test", 8)
    folder = drawn.root.rename(tmp_path / "bci")
    line = ["run", "--model", "copy", "--dataset", str(folder), "--output", str(tmp_path / "runs")]
    assert run_app([*line, "--board", str(tmp_path / "boards")]) == 0
    (result,) = tmp_path.glob("runs/own-bci/copy/*/result.json")
    with pytest.raises(MissingError, match=r"'own-bci' is not in the catalogue.*--dataset PATH"):
        verify(result)
    assert verify(result, dataset=str(folder), device="cpu").findings == ()
    # As results of before: named like the catalogue's, which may be here or not.
    record = json.loads(result.read_text())
    record["dataset"]["name"] = "bci"
    del record["sha256"]
    result.write_text(json.dumps(record))
    with pytest.raises(MissingError, match=r"'bci' is not on this machine.*--dataset PATH"):
        verify(result)
    for side in ("HE", "IHC"):
        shutil.copytree(folder / side, tmp_path / "data/bci" / side)
        next((tmp_path / "data/bci" / side / "test").iterdir()).rename(
            tmp_path / "data/bci" / side / "test" / "00099_test_0.png"
        )
    monkeypatch.setenv("I2IBENCH_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError, match=r"not hold the pairs.*--dataset PATH"):
        verify(result)


def _rename_sides(root: Path) -> None:
    for side, letter in (("HE", "A"), ("IHC", "B")):
        (root / side).rename(root / letter)


def _regroup(root: Path) -> None:
    for side in ("HE", "IHC"):
        path = root / side / "test" / "00003_test_3+.png"
        path.rename(path.with_name("00003_test_2+.png"))
