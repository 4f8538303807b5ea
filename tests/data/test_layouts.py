"""Every form in which paired data is distributed is read as it lies on disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.images import image_size, read_image, read_pair, write_png
from i2ibench.errors import DataError, UsageError

NAMES = ["[7941,48408]_patch_0_0", "a b+c", "染色 é", "00001_train_2+"]
SIZE = 16


def tile(value: int, size: int = SIZE) -> np.ndarray:
    """A picture that tells its ``value``."""
    return np.full((size, size, 3), value, np.uint8)


def draw(path: Path, *values: int) -> None:
    """Write panels of the given values in a row."""
    write_png(path, np.hstack([tile(value) for value in values]))


def values(root: Path | str, split: str = "test", **options: object) -> dict[str, tuple[int, int]]:
    """Return the value of source and target of each pair, by id."""
    found = {}
    for pair in open_dataset(str(root), split, **options):
        source, target = read_pair(pair)
        assert source.shape == target.shape == (SIZE, SIZE, 3)
        found[pair.id] = (int(source[0, 0, 0]), int(target[0, 0, 0]))
    return found


EXPECTED = {name: (10 + index, 200 + index) for index, name in enumerate(NAMES)}


def draw_folders(root: Path, source: str, target: str, splits: list[str]) -> None:
    for split in splits:
        for name, (first, second) in EXPECTED.items():
            draw(root / source.replace("SPLIT", split) / f"{name}.png", first)
            draw(root / target.replace("SPLIT", split) / f"{name}.png", second)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("HE/SPLIT", "IHC/SPLIT"),
        ("A/SPLIT", "B/SPLIT"),
        ("SPLIT/input", "SPLIT/label"),
        ("SPLIT/HE", "SPLIT/IHC"),
        ("SPLITA", "SPLITB"),
        ("SPLIT_A", "SPLIT_B"),
        ("visible/SPLIT", "infrared/SPLIT"),
        ("HE_20x/SPLIT", "IHC_20x/SPLIT"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_two_folders_round_trip(tmp_path: Path, source: str, target: str) -> None:
    draw_folders(tmp_path, source, target, ["train", "test"])
    assert Dataset.open(str(tmp_path)).splits == ("train", "test")
    for split in ("train", "test"):
        assert values(tmp_path, split) == EXPECTED
    reverse = {name: (second, first) for name, (first, second) in EXPECTED.items()}
    assert values(tmp_path, direction="BtoA") == reverse


@pytest.mark.parametrize("alias", ["val", "valid", "validation"])
def test_the_validation_split_has_several_names(tmp_path: Path, alias: str) -> None:
    draw_folders(tmp_path, "HE/SPLIT", "IHC/SPLIT", ["train", alias, "test"])
    assert Dataset.open(str(tmp_path)).splits == ("train", "val", "test")
    assert values(tmp_path, "val") == values(tmp_path, alias) == EXPECTED


def test_without_a_test_folder_the_validation_folder_is_the_test_split(tmp_path: Path) -> None:
    draw_folders(tmp_path, "SPLITA", "SPLITB", ["train", "val"])
    with pytest.warns(UserWarning, match="no folder 'test'; 'val' is the split that is scored"):
        assert Dataset.open(str(tmp_path)).splits == ("train", "test")
        assert values(tmp_path, "test") == EXPECTED


def test_unknown_sides_are_taken_by_alphabet_and_that_is_told(tmp_path: Path) -> None:
    draw_folders(tmp_path, "before/SPLIT", "later/SPLIT", ["test"])
    with pytest.warns(UserWarning, match=r"before/\{split\} as source and later/.*BtoA"):
        assert values(tmp_path) == EXPECTED


def test_capital_split_names_are_found(tmp_path: Path) -> None:
    draw_folders(tmp_path, "SPLIT/HE", "SPLIT/IHC", ["Train", "Test"])
    assert Dataset.open(str(tmp_path)).splits == ("train", "test")
    assert values(tmp_path, "train") == EXPECTED


def test_folders_without_splits_are_one_test_split(tmp_path: Path) -> None:
    draw_folders(tmp_path, "HE", "IHC", [""])
    assert Dataset.open(str(tmp_path)).splits == ("test",)
    assert values(tmp_path) == EXPECTED


def test_side_by_side_files(tmp_path: Path) -> None:
    for name, pair in EXPECTED.items():
        draw(tmp_path / "test" / f"{name}.png", *pair)
    assert values(tmp_path) == EXPECTED
    assert values(tmp_path, direction="BtoA")["a b+c"] == (201, 11)
    assert "side by side" in open_dataset(str(tmp_path)).layout


def test_side_by_side_files_without_splits(tmp_path: Path) -> None:
    for name, pair in EXPECTED.items():
        draw(tmp_path / f"{name}.png", *pair)
    assert values(tmp_path) == EXPECTED


def test_strips_need_to_know_their_panels(tmp_path: Path) -> None:
    for name in NAMES:
        draw(tmp_path / "train" / f"{name}.png", 1, 2, 3, 4, 5, 6)
    with pytest.raises(DataError, match=r"6 panels.*--direction 1to2"):
        open_dataset(str(tmp_path), "train")
    assert set(values(tmp_path, "train", direction="3to6").values()) == {(3, 6)}
    with pytest.raises(UsageError, match="unknown direction '3to9'"):
        open_dataset(str(tmp_path), "train", direction="3to9")


def test_deepliif_translates_any_panel_to_any_panel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I2IBENCH_DATA", str(tmp_path))
    for split in ("train", "val"):
        draw(tmp_path / "DeepLIIF" / split / "a.png", 1, 2, 3, 4, 5, 6)
    assert Dataset.open("deepliif").splits == ("train", "test")
    assert values("deepliif") == {"a": (1, 5)}
    assert values("deepliif", direction="BtoA") == {"a": (5, 1)}
    assert values("deepliif", direction="DAPItosegmentation") == {"a": (3, 6)}


@pytest.mark.parametrize("folder", [".", "images", "test_latest/images"])
def test_result_folders_of_other_tools(tmp_path: Path, folder: str) -> None:
    for name, (first, second) in EXPECTED.items():
        draw(tmp_path / folder / f"{name}_real_A.png", first)
        draw(tmp_path / folder / f"{name}_real_B.png", second)
        draw(tmp_path / folder / f"{name}_fake_B.png", 77)
    assert values(tmp_path) == EXPECTED


def test_cyclegan_names_that_end_in_their_side(tmp_path: Path) -> None:
    for index in range(3):
        draw(tmp_path / "trainA" / f"{index}_A.png", index)
        draw(tmp_path / "trainB" / f"{index}_B.png", 100 + index)
    assert values(tmp_path, "train") == {str(index): (index, 100 + index) for index in range(3)}


def test_different_suffixes_on_the_two_sides(tmp_path: Path) -> None:
    for name, (first, second) in EXPECTED.items():
        draw(tmp_path / "HE" / "test" / f"{name}.png", first)
        cv2.imwrite(str(tmp_path / "plain.bmp"), tile(second))
        (tmp_path / "IHC" / "test").mkdir(parents=True, exist_ok=True)
        (tmp_path / "plain.bmp").rename(tmp_path / "IHC" / "test" / f"{name}.BMP")
    assert values(tmp_path) == EXPECTED


def test_a_csv_of_pairs(tmp_path: Path) -> None:
    for name, (first, second) in EXPECTED.items():
        draw(tmp_path / "x" / f"{name}.png", first)
        draw(tmp_path / "y" / f"other {name}.png", second)
    quoted = [
        f'"x/{name}.png","y/other {name}.png","{name}",test,g{index % 2},slide 1'
        for index, name in enumerate(NAMES)
    ]
    table = tmp_path / "my pairs.csv"
    header = "source,target,id,split,group,cluster"
    table.write_text("\n".join([header, *quoted]), encoding="utf-8-sig")
    assert values(table) == EXPECTED
    dataset = open_dataset(str(table))
    assert dataset.name == "my pairs"
    assert dataset.group_order == ("g0", "g1")
    assert {pair.cluster for pair in dataset} == {"slide 1"}


def test_a_csv_with_only_source_and_target(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "b.png", 2)
    (tmp_path / "pairs.csv").write_text("Source;Target\na.png;b.png\n")
    assert values(tmp_path) == values(tmp_path / "pairs.csv") == {"a": (1, 2)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source,label\na.png,b.png\n", "lacks the column target"),
        ("source,target\na.png,absent.png\n", "line 2: absent.png: no such file"),
        ("source,target\na.png,b.png\na.png,b.png\n", "line 3: id 'a' stands twice"),
        ("source,target,id\na.png,b.png,../up\n", "not safe"),
        ("source,target\na.png,\n", "line 2: source or target is empty"),
    ],
)
def test_a_bad_csv_is_told_by_line(tmp_path: Path, text: str, message: str) -> None:
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "b.png", 2)
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        open_dataset(str(tmp_path / "pairs.csv"))


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    draw_folders(tmp_path, "HE/SPLIT", "IHC/SPLIT", ["test"])
    folder = tmp_path / "HE" / "test"
    for name in (".DS_Store", "Thumbs.db", "._00001_train_2+.png", "labels.txt", "boxes.json"):
        (folder / name).write_bytes(b"junk")
    (folder / "nested.png").mkdir()
    draw(folder / "nested" / "deep.png", 1)
    assert values(tmp_path) == EXPECTED


def test_linked_files_and_folders_are_followed(tmp_path: Path) -> None:
    draw_folders(tmp_path / "real", "HE/SPLIT", "IHC/SPLIT", ["test"])
    (tmp_path / "linked").symlink_to(tmp_path / "real", target_is_directory=True)
    assert values(tmp_path / "linked") == EXPECTED
    assert open_dataset(str(tmp_path / "linked")).name == "linked"
    extra = tmp_path / "real" / "HE" / "test" / "broken.png"
    extra.symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"broken\.png: a link that leads nowhere"):
        open_dataset(str(tmp_path / "linked"))


def test_names_composed_and_decomposed_are_partners(tmp_path: Path) -> None:
    draw(tmp_path / "HE" / "test" / "e\u0301.png", 1)
    draw(tmp_path / "IHC" / "test" / "\u00e9.png", 2)
    assert values(tmp_path) == {"\u00e9": (1, 2)}


def test_two_readings_are_an_error_that_lists_them(tmp_path: Path) -> None:
    draw_folders(tmp_path, "HE/SPLIT", "IHC/SPLIT", ["test"])
    for name, pair in EXPECTED.items():
        draw(tmp_path / "test" / f"{name}.png", *pair)
    with pytest.raises(DataError, match=r"2 ways: \(1\) two folders.*\(2\) side by side"):
        open_dataset(str(tmp_path))


def test_three_unknown_sides_are_ambiguous_but_known_ones_are_not(tmp_path: Path) -> None:
    for side in ("one", "two", "three"):
        draw(tmp_path / side / "test" / "a.png", 1)
    with pytest.raises(DataError, match="3 ways"):
        open_dataset(str(tmp_path))
    draw(tmp_path / "HE" / "test" / "a.png", 3)
    draw(tmp_path / "IHC" / "test" / "a.png", 4)
    assert values(tmp_path) == {"a": (3, 4)}


def test_an_unknown_form_says_what_is_known(tmp_path: Path) -> None:
    draw(tmp_path / "whatever" / "a.png", 1)
    with pytest.raises(DataError, match=r"no form of paired images.*whatever.*trainA"):
        open_dataset(str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no form of paired images"):
        open_dataset(str(tmp_path / "empty"))


@pytest.mark.parametrize(("width", "height"), [(60, 24), (24, 48), (30, 40)])
def test_images_that_are_no_row_of_squares_are_told_with_the_card_that_reads_them(
    tmp_path: Path, width: int, height: int
) -> None:
    path = tmp_path / "set/test/a.png"
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    told = rf"test/a\.png has {width} x {height} px, .*kind = \"strip\"; pairs one above"
    with pytest.raises(DataError, match=told):
        open_dataset(str(tmp_path / "set"))
    (tmp_path / "set/card.toml").write_text('title = "t"\n[[layouts]]\nkind = "strip"\n')
    [pair] = Dataset.open(str(tmp_path / "set/card.toml")).split("test")
    assert image_size(pair.target) == (width // 2, height)


def test_images_that_lie_too_deep_are_told(tmp_path: Path) -> None:
    for side in "AB":
        draw(tmp_path / side / "slide1/a.png", 1)
    with pytest.raises(DataError, match=r"deeper than they are read, as A/slide1/a\.png"):
        open_dataset(str(tmp_path))


def test_an_empty_side_is_told(tmp_path: Path) -> None:
    draw(tmp_path / "HE" / "test" / "a.png", 1)
    (tmp_path / "IHC" / "test").mkdir(parents=True)
    with pytest.raises(DataError, match=r"HE/test/a\.png: no partner in .*IHC/test"):
        open_dataset(str(tmp_path))
    (tmp_path / "HE" / "test" / "a.png").unlink()
    with pytest.raises(DataError, match="split 'test' holds no pairs"):
        open_dataset(str(tmp_path))


def test_a_strip_of_odd_width_is_told_by_name(tmp_path: Path) -> None:
    draw(tmp_path / "test" / "a.png", 1, 2)
    write_png(tmp_path / "test" / "odd.png", np.zeros((16, 33, 3), np.uint8))
    with pytest.raises(DataError, match=r"odd\.png: its width of 33 px"):
        open_dataset(str(tmp_path))


def test_bci_with_jpeg_content_under_png(tmp_path: Path) -> None:
    for side, value in (("HE", 50), ("IHC", 150)):
        folder = tmp_path / side / "test"
        folder.mkdir(parents=True)
        for index, level in enumerate(("0", "1+", "2+", "3+")):
            cv2.imwrite(str(folder / "a.jpg"), tile(value))
            (folder / "a.jpg").rename(folder / f"{index:05d}_test_{level}.png")
    dataset = open_dataset(str(tmp_path))
    assert dataset.group_name == "HER2"
    assert dataset.group_order == ("0", "1+", "2+", "3+")
    assert [pair.group for pair in dataset] == ["0", "1+", "2+", "3+"]
    assert int(read_image(dataset[0].target)[8, 8, 0]) == 150
