"""Tables as offices and Windows write them are read rightly, or refused in one line."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.tables import read_table
from i2ibench.errors import I2IBenchError

_LINES = [("x/a.png", "y/a.png"), ("x/b.png", "y/b.png")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pairs, one with a name beyond ASCII."""
    root = tmp_path_factory.mktemp("tables")
    for name in ("x/a", "y/a", "x/b", "y/b", "Größe/a", "y/c d"):
        path = root / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    return root


def _text(delimiter: str = ",", end: str = "\n", head: str = "") -> str:
    rows = [("source", "target"), *_LINES]
    return head + end.join(delimiter.join(row) for row in rows) + end


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_text().encode(), id="comma"),
        pytest.param(_text(";", "\r\n", "sep=;\r\n").encode("utf-8-sig"), id="sep"),
        pytest.param(_text("\t", "\r\n", '"sep=\t"\r\n').encode(), id="sep-quoted"),
        pytest.param(_text("|", "\n", "SEP=|\n").encode(), id="sep-bar"),
        pytest.param(_text("\t").encode("utf-16"), id="utf-16"),
        pytest.param(_text("\t").encode("utf-16-be"), id="utf-16-be-without-mark"),
        pytest.param(_text(end="\r").encode(), id="old-mac"),
        pytest.param(_text().replace("/", "\\").encode(), id="backslashes"),
        pytest.param(_text(",", ",\n").encode(), id="trailing-commas"),
        pytest.param((_text() + "\n,\n \n").encode(), id="empty-rows"),
        pytest.param(_text().replace("source", " Source ").encode(), id="capitals"),
        pytest.param(
            b'source,target,note\nx/a.png,y/a.png,"two,\nlines"\nx/b.png,y/b.png,\n', id="quoted"
        ),
        pytest.param(b"a note; here,source,target\n1,x/a.png,y/a.png\n2,x/b.png,y/b.png\n", id=";"),
    ],
)
def test_a_table_is_read_as_it_was_meant(folder: Path, content: bytes) -> None:
    file = folder / "t.csv"
    file.write_bytes(content)
    found = [(pair.source.path, pair.target.path) for pair in open_dataset(str(file))]
    assert found == [(folder / source, folder / target) for source, target in _LINES]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (_text(";").replace("x/a", "Größe/a").encode("cp1252"), r"line 2: not in UTF-8 \(byte 0xf"),
        (_text().encode().replace(b"x/b", b"x\0b"), "line 3: holds a NUL"),
        (b"source,target,split\nx/a.png,y/a.png\n", "line 2: has 2 fields and the header 3"),
        (b"source,target\nx/a.png,y/a.png,test\n", "line 2: has 3 fields and the header 2"),
        (b"source,target,Source\nx/a.png,y/a.png,b\n", "column 'source' stands in it twice"),
        (b"source,target,splits\nx/a.png,y/a.png,test\n", "'splits' is not read; did you mean spl"),
        (b"source,target,split\nx/a.png,y/a.png,eval\n", r"1 row of unknown split 'eval' \(line 2"),
        (b'source,target\n"x/a.png,y/a.png\n', "not a table"),
        (b"sep=:\nsource:target\n", "line 1: the separator ':'"),
        (b"", "lacks the column source and target; it has no header"),
        (b"source,target\n" + b"x" * 300 + b",y/a.png\n", "line 2: x+: no such file"),
        (b"source,target\nx/a.png,x/a.png\n", "line 2: source and target are one file, x/a.png"),
        (b"source,target\nx/a.png,x/../x/a.png\n", "line 2: source and target are one file"),
        (_text("\t").encode("utf-16")[:-1], "not in UTF-16-LE"),
    ],
)
def test_what_could_be_misread_is_refused_with_its_line(
    folder: Path, content: bytes, told: str
) -> None:
    file = folder / "t.csv"
    file.write_bytes(content)
    with pytest.raises(I2IBenchError, match=rf"t\.csv.*{told}") as caught:
        open_dataset(str(file))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_row_of_an_unknown_split_is_a_fault_beside_known_ones(folder: Path) -> None:
    file = folder / "t.csv"
    file.write_text(
        "source,target,split\nx/a.png,y/a.png,Test\nx/a.png,y/a.png,VALID\n"
        "x/b.png,y/b.png,eval\nx/b.png,y/b.png,holdout\n"
    )
    with pytest.raises(I2IBenchError, match=r"2 rows of unknown split 'eval', 'holdout' \(line 4"):
        open_dataset(str(file))


def test_splits_are_read_however_they_are_capitalised(folder: Path) -> None:
    file = folder / "t.csv"
    file.write_text("source,target,split\nx/a.png,y/a.png,TRAINING\nx/b.png,y/b.png,Testing\n")
    opened = Dataset.open(str(file))
    assert opened.splits == ("train", "test")
    assert [pair.id for pair in opened.split("test")] == ["b"]


def test_rows_without_a_group_beside_others_are_told(folder: Path) -> None:
    file = folder / "t.csv"
    file.write_text("source,target,group\nx/a.png,y/a.png,1+\nx/b.png,y/b.png,\n")
    with pytest.warns(UserWarning, match="1 of 2 pairs have no group"):
        open_dataset(str(file))


def test_a_table_that_is_no_file_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to("/dev/zero")
    with pytest.raises(I2IBenchError, match=r"t\.csv: is a pipe, a socket or a device"):
        read_table(tmp_path / "t.csv", ("id",))


_FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_NEAR_TABLES = st.lists(
    st.sampled_from(
        [
            *rb"""source target id cluster split x/a.png y/a.png sep= , ; " \ .. test""".split(),
            *(b"\t", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b" "),
        ]
    ),
    max_size=24,
).map(b"".join)
_NEAR_CARDS = st.lists(
    st.sampled_from(
        [
            *b"""title = "x" [[layouts]] kind "strip" [splits.test] size [1,2] panels ["A"] 1
            groups {} [ ] clusters "unknown" file "table" pattern "(?P<group>x)" """.split(),
            *(b"\n", b"\xff", b" "),
        ]
    ),
    max_size=24,
).map(b"".join)


@_FUZZ
@given(st.one_of(st.binary(max_size=64), _NEAR_TABLES))
@example(b"source,target\n\x1c")
@example(b"source,target\n" + b'"' + b"a" * 140_000 + b'"')
def test_any_bytes_are_a_table_of_pairs_or_one_line_that_names_it(
    folder: Path, content: bytes
) -> None:
    file = folder / "fuzzed.csv"
    file.write_bytes(content)
    _value_or_line(file)


@_FUZZ
@given(st.one_of(st.binary(max_size=64), _NEAR_TABLES))
def test_any_bytes_are_clusters_or_one_line_that_names_them(folder: Path, content: bytes) -> None:
    root = folder / "set"
    for side in ("HE", "IHC"):
        (root / side).mkdir(parents=True, exist_ok=True)
        (root / side / "a.png").write_bytes((folder / "x/a.png").read_bytes())
    (root / "clusters.csv").write_bytes(content)
    _value_or_line(root, "clusters.csv")


@_FUZZ
@given(st.one_of(st.binary(max_size=64), _NEAR_CARDS))
def test_any_bytes_are_a_card_or_one_line_that_names_it(folder: Path, content: bytes) -> None:
    file = folder / "fuzzed.toml"
    file.write_bytes(content)
    _value_or_line(file, "fuzzed")


def _value_or_line(path: Path, named: str | None = None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = Dataset.open(str(path))
            for split in opened.splits:
                opened.split(split)
        except I2IBenchError as error:
            message = str(error)
            assert (named or path.name) in message
            assert "\n" not in message
