"""Names and paths lead to checked pairs, or to one line that says what to mend."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from i2ibench import registry
from i2ibench.data.cards import parse_card
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.images import write_png
from i2ibench.data.throughput import decode_throughput
from i2ibench.errors import DataError, MissingError, UsageError


def draw(path: Path, value: int = 0, size: tuple[int, int] = (16, 16)) -> None:
    write_png(path, np.full((size[1], size[0], 3), value, np.uint8))


@pytest.fixture
def bci(tmp_path: Path) -> Path:
    """Eight pairs in BCI form."""
    for index in range(8):
        for side, value in (("HE", index), ("IHC", 100 + index)):
            level = ("0", "1+", "2+", "3+")[index % 4]
            draw(tmp_path / "bci" / side / "test" / f"{index:05d}_test_{level}.png", value)
    return tmp_path / "bci"


def test_real_facades_open_in_both_directions(shared: Path) -> None:
    folder = str(shared / "data" / "facades")
    dataset = open_dataset(folder, "test", direction="BtoA")
    assert (dataset.name, len(dataset), dataset.direction) == ("facades", 106, "BtoA")
    assert dataset[0].source.box == (256, 0, 512, 256)
    assert len(open_dataset(folder, "train")) == 400
    assert Dataset.open(folder).splits == ("train", "test")


def test_real_bci_thumbnails_have_their_levels(shared: Path) -> None:
    dataset = open_dataset(str(shared / "data" / "bci_thumbnails"))
    assert dataset.group_name == "HER2"
    groups = Counter(pair.group for pair in dataset)
    assert groups == {"0": 1, "1+": 4, "2+": 11, "3+": 8}


def test_the_facades_card_reads_the_real_files(shared: Path) -> None:
    dataset = open_dataset("facades", data_root=shared / "data")
    assert (len(dataset), dataset.direction) == (106, "BtoA")
    assert dataset.pairs == open_dataset(str(shared / "data" / "facades"), direction="BtoA").pairs


@pytest.mark.parametrize("name", registry.datasets.names())
def test_every_shipped_card_is_valid_and_complete(name: str) -> None:
    card = parse_card(name, registry.datasets.get(name))
    assert card.title
    assert card.licence
    assert card.citation
    assert card.obtain
    assert card.layouts
    assert "test" in card.splits


def test_an_absent_data_set_says_how_to_get_it() -> None:
    with pytest.raises(MissingError, match=r"'bci' is not on this machine.*I2IBENCH_DATA/bci"):
        open_dataset("bci")
    with pytest.raises(MissingError, match="datasets facades --fetch"):
        _ = Dataset.open("facades").splits


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean bci"):
        open_dataset("bcii")
    with pytest.raises(UsageError, match="no such folder"):
        open_dataset("./nowhere")
    with pytest.raises(UsageError, match="unknown split 'tst'"):
        open_dataset("bci", "tst")


def test_the_environment_and_data_root_find_a_catalogue_set(
    bci: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root in (bci, bci.parent):
        assert len(open_dataset("bci", data_root=root)) == 8
    monkeypatch.setenv("I2IBENCH_DATA", str(bci.parent))
    assert len(open_dataset("bci")) == 8
    with pytest.raises(DataError, match=r"has no split 'train' .*found: test"):
        open_dataset("bci", "train")


def test_a_data_root_without_the_data_set_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not hold bci.*HE/\{split\}"):
        open_dataset("bci", data_root=tmp_path)


def test_limit_keeps_the_first_pairs(bci: Path) -> None:
    assert [pair.id for pair in open_dataset(str(bci), limit=2)] == [
        "00000_test_0",
        "00001_test_1+",
    ]
    assert open_dataset(str(bci), limit=2).group_order == ("0", "1+")
    with pytest.raises(UsageError, match="limit must be at least 1"):
        open_dataset(str(bci), limit=0)


def test_a_missing_partner_is_told_by_name_on_either_side(bci: Path) -> None:
    (bci / "IHC" / "test" / "00003_test_3+.png").unlink()
    with pytest.raises(DataError, match=r"00003_test_3\+\.png: no partner in .*IHC"):
        open_dataset(str(bci))
    draw(bci / "IHC" / "test" / "00003_test_3+.png")
    draw(bci / "IHC" / "test" / "00009_test_0.png")
    with pytest.raises(DataError, match=r"00009_test_0\.png: no partner in .*HE"):
        open_dataset(str(bci))


def test_sizes_that_differ_are_told_by_name(bci: Path) -> None:
    draw(bci / "IHC" / "test" / "00002_test_2+.png", size=(16, 20))
    with pytest.raises(DataError, match=r"00002_test_2\+\.png: is 16x20 px but its source .*16x16"):
        open_dataset(str(bci))


def test_an_id_twice_is_told_by_name(bci: Path) -> None:
    (bci / "HE" / "test" / "00002_test_2+.jpg").write_bytes(b"whatever")
    with pytest.raises(DataError, match=r"has the same id '00002_test_2\+'"):
        open_dataset(str(bci))


@pytest.mark.parametrize(
    "name", ["-rf", " lead", "a:b", "a?b", "a\\b", "line\nbreak", "x" * 199 + "é"]
)
def test_an_id_that_is_unsafe_as_a_file_name_is_refused(bci: Path, name: str) -> None:
    for side in ("HE", "IHC"):
        draw(bci / side / "test" / "00000_test_0.png")
        (bci / side / "test" / "00000_test_0.png").rename(bci / side / "test" / f"{name}.png")
    with pytest.raises(DataError, match="not safe as a file name"):
        open_dataset(str(bci))


def test_an_empty_split_is_an_error(bci: Path) -> None:
    for side in ("HE", "IHC"):
        for path in (bci / side / "test").iterdir():
            path.unlink()
    with pytest.raises(DataError, match="holds no pairs"):
        open_dataset("bci", data_root=bci)


def test_a_name_without_its_level_is_an_error(bci: Path) -> None:
    for side in ("HE", "IHC"):
        draw(bci / side / "test" / "00010_test.png")
    with pytest.raises(DataError, match=r"00010_test\.png: its name tells no HER2"):
        open_dataset("bci", data_root=bci)


def test_several_forms_of_one_set_are_an_error(bci: Path) -> None:
    draw(bci / "test" / "00000_test_0.png", size=(32, 16))
    with pytest.raises(DataError, match="several forms"):
        open_dataset("bci", data_root=bci)


CARD = """
title = "mine"
direction = "BtoA"
[[layouts]]
kind = "folders"
source = "left/{split}"
target = "right/{split}"
[groups]
name = "grade"
pattern = 'g(?P<group>\\\\d)$'
order = ["2", "1"]
[clusters]
name = "patient"
pattern = '^(?P<cluster>p\\\\d+)_'
"""


def test_a_card_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(CARD.replace("\\\\", "\\"))
    for name in ("p1_a_g1", "p2_b_g2"):
        draw(tmp_path / "left" / "test" / f"{name}.png", 1)
        draw(tmp_path / "right" / "test" / f"{name}.png", 2)
    dataset = open_dataset(str(tmp_path / "mine.toml"))
    assert dataset.name == "mine"
    assert dataset.direction == "BtoA"
    assert dataset[0].source.path.parent.parent.name == "right"
    assert (dataset.group_name, dataset.group_order) == ("grade", ("2", "1"))
    assert [pair.cluster for pair in dataset] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("title", "titel"), "card of data set 'mine': unknown key 'titel'; did you mean title"),
        (("(?P<group>", "("), r"groups\.pattern.*named group"),
        (("(?P<group>", "(?P<group"), r"groups\.pattern.*not a regular expression"),
        (('"folders"', '"folder"'), "layouts"),
    ],
)
def test_a_bad_card_is_one_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "mine.toml").write_text(CARD.replace("\\\\", "\\").replace(*change))
    with pytest.raises(UsageError, match=message):
        open_dataset(str(tmp_path / "mine.toml"))
    (tmp_path / "torn.toml").write_text("title = ")
    with pytest.raises(DataError, match=r"torn\.toml: not valid TOML"):
        open_dataset(str(tmp_path / "torn.toml"))


def test_clusters_csv_names_the_slides(bci: Path) -> None:
    (bci / "clusters.csv").write_text(
        "id,split,cluster\n00000_test_0,test,slide 7\n00000_test_0,train,other\n"
    )
    dataset = open_dataset(str(bci))
    assert dataset[0].cluster == "slide 7"
    assert dataset[1].cluster is None


def test_unknown_clusters_are_said_until_a_table_tells_them(bci: Path) -> None:
    layout = '[[layouts]]\nkind = "folders"\nsource = "HE/{split}"\ntarget = "IHC/{split}"\n'
    for text, number in (
        (f'title = "t"\nclusters = "unknown"\n{layout}', None),
        (f'title = "t"\n{layout}[clusters]\nname = "slide"\nunknown = true\nnumber = 51\n', 51),
    ):
        (bci / "mine.toml").write_text(text)
        pairs = open_dataset(str(bci / "mine.toml"))
        assert (pairs.hidden_clusters, pairs.cluster_number) == (True, number)
    (bci / "clusters.csv").write_text("id,cluster\n" + f"{pairs[0].id},slide 7\n")
    told = open_dataset(str(bci / "mine.toml"))
    assert (told.hidden_clusters, told.cluster_number) == (False, None)


def test_clusters_that_are_read_are_not_unknown(bci: Path) -> None:
    text = 'title = "t"\n[clusters]\nname = "slide"\npattern = "(?P<cluster>x)"\nunknown = true\n'
    (bci / "mine.toml").write_text(text)
    with pytest.raises(UsageError, match="not unknown"):
        open_dataset(str(bci / "mine.toml"))


def test_a_stain_is_read_in_the_direction_of_the_card_alone() -> None:
    assert Dataset.open("synthetic-64", draw=False).has_stain
    assert not Dataset.open("synthetic-64", direction="BtoA", draw=False).has_stain
    assert not Dataset.open("facades", draw=False).has_stain


def test_the_manifest_names_what_a_run_sees(bci: Path, tmp_path: Path) -> None:
    whole = manifest_sha256(open_dataset(str(bci)))
    assert whole == manifest_sha256(open_dataset(str(bci)))
    moved = tmp_path / "elsewhere"
    bci.rename(moved)
    assert whole == manifest_sha256(open_dataset(str(moved))), "place does not matter"
    others = {
        manifest_sha256(open_dataset(str(moved), direction="BtoA")),
        manifest_sha256(open_dataset(str(moved), limit=7)),
    }
    path = moved / "IHC" / "test" / "00000_test_0.png"
    draw(path, 99)
    others.add(manifest_sha256(open_dataset(str(moved))))
    assert whole not in others
    assert len(others) == 3


def test_a_change_of_equal_size_is_seen_though_hashes_are_cached(bci: Path) -> None:
    import os

    path = bci / "HE" / "test" / "00000_test_0.png"
    plain = [cv2.IMWRITE_PNG_COMPRESSION, 0]  # so that other pixels have as many bytes
    image = cv2.imread(str(path))
    cv2.imwrite(str(path), image, plain)
    old, before = path.stat(), manifest_sha256(open_dataset(str(bci)))
    cv2.imwrite(str(path), image ^ 1, plain)
    assert path.stat().st_size == old.st_size
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns + 1_000_000))
    assert manifest_sha256(open_dataset(str(bci))) != before


def test_a_torn_hash_cache_is_rebuilt(bci: Path, tmp_path: Path) -> None:
    import os

    for path in bci.rglob("*.png"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    before = manifest_sha256(open_dataset(str(bci)))
    stores = list((Path(os.environ["I2IBENCH_CACHE"]) / "file-hashes").iterdir())
    assert stores
    for store in stores:
        store.write_text('{"00000_test_0.png": [1')
    assert manifest_sha256(open_dataset(str(bci))) == before


def test_throughput_counts_pairs_a_second(bci: Path) -> None:
    ticks = iter(range(100))
    assert decode_throughput(open_dataset(str(bci)), 10, clock=lambda: next(ticks)) > 0


@example("~0")
@example("\0")
@given(st.text(min_size=1, max_size=30))
def test_any_text_is_a_name_or_one_clear_error(text: str) -> None:
    try:
        open_dataset(text)
    except (UsageError, DataError, MissingError) as error:
        assert "\n" not in str(error).replace(text, "")
