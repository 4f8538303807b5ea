"""Every card reads the files of its data set as they are named on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.images import read_pair

# Card: (files of one pair of the scored split, id, group, cluster), as published.
PUBLISHED = {
    "bci": (["BCI_dataset/{HE,IHC}/test/00000_test_1+.png"], "00000_test_1+", "1+", None),
    "bci-challenge": (
        ["bci-challenge/test/{HE,IHC}/00012_train_3+.png"],
        "00012_train_3+",  # the word in the name may disagree with the folder
        "3+",
        None,
    ),
    "mist-her2": (
        ["MIST/HER2/TrainValAB/val{A,B}/14M2102785_23_16.jpg"],
        "14M2102785_23_16",
        None,
        "14M2102785",
    ),
    "mist-er": (["MIST/ER/TrainValAB/val{A,B}/1_2_3.jpg"], "1_2_3", None, "1"),
    "mist-pr": (["MIST/PR/TrainValAB/val{A,B}/1_2_3.jpg"], "1_2_3", None, "1"),
    "mist-ki67": (["mist-ki67/val{A,B}/1_2_3.jpg"], "1_2_3", None, "1"),
    "her2match": (["HER2match/{HE_20x,IHC_20x}/test/a_1.jpg"], "a_1", None, None),
    "hemit": (
        ["HEMIT/test/{input,label}/[7941,48408]_patch_0_0.tif"],
        "[7941,48408]_patch_0_0",
        None,
        "[7941,48408]",
    ),
    "deepliif": (["DeepLIIF/val/a.png 6"], "a", None, None),
    "llvip": (["LLVIP/{visible,infrared}/test/190001.jpg"], "190001", None, None),
    "facades": (["facades/test/1.jpg 2"], "1", None, None),
    "cityscapes": (["cityscapes/val/1.jpg 2"], "1", None, None),
    "maps": (["maps/val/1.jpg 2"], "1", None, None),
    "edges2shoes": (["edges2shoes/val/1_AB.jpg 2"], "1_AB", None, None),
    "edges2handbags": (["edges2handbags/val/1_AB.jpg 2"], "1_AB", None, None),
}
SIDE = 16


def draw(root: Path, pattern: str) -> None:
    """Write what ``a/{x,y}/b.png`` or ``a/b.png PANELS`` names; panel n has the value 20 n."""
    file, _, panels = pattern.partition(" ")
    before, brace, rest = file.partition("{")
    if brace and "[" not in before:
        sides, _, after = rest.partition("}")
        files = [f"{before}{side}{after}" for side in sides.split(",")]
        values = [[20], [40]]
    else:
        files, values = [file], [[20 * (n + 1) for n in range(int(panels))]]
    for name, row in zip(files, values, strict=True):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.hstack([np.full((SIDE, SIDE, 3), value, np.uint8) for value in row])
        cv2.imwrite(str(path), image)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_card_reads_its_published_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, identifier, group, cluster = PUBLISHED[name]
    for pattern in files:
        draw(tmp_path, pattern)
    monkeypatch.setenv("I2IBENCH_DATA", str(tmp_path))
    assert Dataset.open(name).splits == ("test",)
    (pair,) = open_dataset(name)
    assert (pair.id, pair.group, pair.cluster) == (identifier, group, cluster)
    source, target = (int(image.mean().round()) for image in read_pair(pair))
    expected = {
        "facades": (40, 20),
        "cityscapes": (40, 20),
        "maps": (40, 20),
        "deepliif": (20, 100),
    }
    assert (source, target) == expected.get(name, (20, 40))


def test_a_package_brings_cards_of_its_own(tmp_path: Path) -> None:
    package, info = tmp_path / "their_cards", tmp_path / "their_cards-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "theirs.toml").write_text('title = "Theirs"\n[[layouts]]\nkind = "strip"\n')
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-cards\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[i2ibench.datasets]\ntheirs = their_cards\nbroken = their_cards\n"
    )
    draw(tmp_path, "data/theirs/test/1.png 2")
    code = (
        "from i2ibench.data.dataset import open_dataset; print(len(open_dataset('theirs')));"
        "from i2ibench.data.describe import list_datasets;"
        "print([d['provider'] for d in list_datasets() if d['name'] == 'theirs'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "I2IBENCH_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["1", "['their-cards']"]
    assert "'broken' of their-cards has no readable broken.toml" in done.stderr
