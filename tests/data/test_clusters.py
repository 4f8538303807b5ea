"""A table of clusters that does not join to every pair is told, and never passes for no table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2ibench.cli.app import run_app
from i2ibench.data.audit.audit_dataset import audit_dataset
from i2ibench.data.dataset import Dataset
from i2ibench.errors import DataError

IDS = [f"{number:03d}" for number in range(1, 9)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight pairs in the split test, two in train, and predictions of the test targets."""
    generator = np.random.default_rng(5)
    for name in IDS:
        image = generator.integers(0, 256, (8, 8, 3), np.uint8)
        for place in ("set/A/test", "set/B/test", "made"):
            _write(tmp_path / place / f"{name}.png", image ^ len(place))
    for name in ("t1", "t2"):
        for side in "AB":
            _write(tmp_path / f"set/{side}/train/{name}.png", image)
    return tmp_path / "set"


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def _rows(*ids: str, **more: str) -> str:
    extra = "".join(f",{value}" for value in more.values())
    lines = [f"{each},slide{index // 2}{extra}" for index, each in enumerate(ids)]
    return "\n".join([",".join(["id", "cluster", *more]), *lines, ""])


def _evaluate(root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object], str]:
    code = run_app(
        ["evaluate", str(root.parent / "made"), "-d", str(root), "--metrics", "psnr", "--json"]
    )
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, " ".join(err.split())


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(_rows(*IDS), id="right"),
        pytest.param(_rows(*(f"{each}.png" for each in IDS)), id="suffixes"),
        pytest.param(_rows(*IDS[:4], *(f"{each}.PNG" for each in IDS[4:])), id="half"),
        pytest.param(_rows(*IDS, split="Test"), id="split-spelt"),
        pytest.param(_rows(*IDS, "t1", "t2"), id="of-all-splits"),
    ],
)
def test_clusters_are_the_units_of_intervals(
    root: Path, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    (root / "clusters.csv").write_text(table)
    code, result, err = _evaluate(root, capsys)
    assert code == 0, err
    assert (result["intervals"]["unit"], result["intervals"]["units"]) == ("cluster", 4)
    assert "name no pair" not in err


@pytest.mark.parametrize(
    ("table", "told"),
    [
        pytest.param(_rows(*(str(int(each)) for each in IDS)), ["zeros", "8 of 8"], id="excel"),
        pytest.param(_rows(*IDS[:5]), ["3 of 8 pairs of split test have no row: 006"], id="half"),
        pytest.param(_rows(*IDS, split="eval"), ["8 rows of unknown split 'eval'"], id="split"),
        pytest.param(_rows(*IDS[:7], "0O8"), ["1 row of 8 name no pair", "0O8"], id="misspelt"),
        pytest.param(_rows(*IDS, split="train"), ["8 of 8 pairs of split test"], id="other-split"),
        pytest.param(
            _rows(*IDS) + "001,other\n", ["line 10: id '001' has the cluster"], id="twice"
        ),
        pytest.param(
            _rows(*IDS) + "001.png,other\n", ["001.png 'other'; keep one"], id="twice-as-file"
        ),
        pytest.param(_rows(*IDS[:7]) + "008,\n", ["line 9: its cluster is empty"], id="empty"),
    ],
)
def test_a_table_that_leaves_pairs_out_is_told_and_gives_no_interval_over_pairs(
    root: Path, capsys: pytest.CaptureFixture[str], table: str, told: list[str]
) -> None:
    (root / "clusters.csv").write_text(table)
    code, result, err = _evaluate(root, capsys)
    assert (code, result) == (3, {}), err
    for text in ["clusters.csv", *told]:
        assert text in err


def test_a_run_without_the_clusters_of_all_pairs_stops_before_anything_is_made(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "clusters.csv").write_text(_rows(*IDS[:5]))
    runs = root.parent / "runs"
    code = run_app(["run", "--model", "copy", "--dataset", str(root), "--output", str(runs)])
    assert (code, runs.exists()) == (3, False)
    assert "3 of 8 pairs of split test have no row" in " ".join(capsys.readouterr().err.split())


def test_rows_of_pairs_that_are_not_there_are_told_though_all_pairs_have_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "clusters.csv").write_text(_rows(*IDS, "900", "901"))
    code, result, err = _evaluate(root, capsys)
    assert code == 0
    assert result["intervals"]["unit"] == "cluster"
    assert "2 rows of 10 name no pair of split test: 900, 901" in err


def test_an_audit_finds_leftovers_of_both_sides(root: Path) -> None:
    (root / "clusters.csv").write_text(_rows(*IDS[:6], "900", split="test"))
    report = audit_dataset(Dataset.open(str(root)))
    told = [finding.message for finding in report.warnings if finding.check == "clusters"]
    assert any("1 row of 7 name no pair of split test: 900" in message for message in told)
    assert any("2 of 8 pairs of split test have no row: 007, 008" in each for each in told)


def test_a_split_without_rows_can_be_trained_on_but_not_scored(root: Path) -> None:
    (root / "clusters.csv").write_text(_rows(*IDS))
    train = Dataset.open(str(root)).split("train")
    assert len(train) == 2
    with pytest.raises(DataError, match="2 of 2 pairs of split train have no row"):
        train.check_scorable()


def test_a_column_of_clusters_with_gaps_cannot_be_scored(root: Path) -> None:
    lines = [f"A/test/{each}.png,B/test/{each}.png,{'s' if each < '005' else ''}" for each in IDS]
    (root / "pairs.csv").write_text("\n".join(["source,target,cluster", *lines]))
    with pytest.warns(UserWarning, match="4 of 8 pairs of split test have no cluster: 005"):
        pairs = Dataset.open(str(root)).split("test")
    with pytest.raises(DataError, match="have no cluster"):
        pairs.check_scorable()


def test_a_pattern_that_some_names_do_not_fit_cannot_be_scored(root: Path) -> None:
    (root / "mine.toml").write_text(
        'title = "t"\n[[layouts]]\nkind = "folders"\nsource = "A/{split}"\ntarget = "B/{split}"\n'
        '[clusters]\nname = "slide"\npattern = "^(?P<cluster>00[1-4])"\n'
    )
    with pytest.warns(UserWarning, match="4 of 8 pairs of split test have no slide: 005"):
        pairs = Dataset.open(str(root / "mine.toml")).split("test")
    assert pairs.cluster_fault


def test_clusters_of_bare_targets_are_read(root: Path) -> None:
    folder = root / "B/test"
    (folder / "clusters.csv").write_text(_rows(*IDS))
    assert {pair.cluster for pair in Dataset.of_targets(folder).split("test")} == {
        f"slide{index}" for index in range(4)
    }


@pytest.mark.parametrize(
    "name",
    [
        "clusters.xlsx",
        "clusters (1).csv",
        "clusters.csv.txt",
        "Cluster.csv",
        "A/clusters.csv",
        "B/test/clusters.csv",
    ],
)
def test_a_table_that_is_not_read_is_told(root: Path, name: str) -> None:
    (root / name).write_text(_rows(*IDS))
    with pytest.warns(UserWarning, match=re.escape(f"{root / name}: is not read; save it as")):
        Dataset.open(str(root)).split("test")


def test_a_table_beside_the_one_that_is_read_is_nobodys_business(
    root: Path, recwarn: pytest.WarningsRecorder
) -> None:
    (root / "clusters.csv").write_text(_rows(*IDS))
    (root / "A/clusters.csv").write_text(_rows(*IDS))
    assert Dataset.open(str(root)).split("test")[0].cluster == "slide0"
    assert not [each for each in recwarn if "is not read" in str(each.message)]


def test_the_tables_name_may_be_capitalised(root: Path) -> None:
    (root / "Clusters.CSV").write_text(_rows(*IDS))
    assert Dataset.open(str(root)).split("test")[0].cluster == "slide0"
