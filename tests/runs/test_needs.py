"""Every verb asks for what it needs, and all faulty images are told before anything is trained."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import TINY
from PIL import Image

from i2ibench.cli.app import run_app
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError, UsageError
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.runs.run import run, train, translate


@pytest.fixture
def options(drawn, tmp_path) -> Options:
    drawn.draw("train", 5).draw("test", 4)
    return Options(
        model="varpyramid",
        dataset=str(drawn.root),
        settings=TINY,
        output=tmp_path / "runs",
        board=tmp_path / "boards",
    )


def test_a_training_needs_no_test_split_and_a_later_run_takes_its_weights(options, tmp_path):
    root = Path(options.dataset)
    for side in ("HE", "IHC"):
        shutil.move(root / side / "test", tmp_path / side)
    folder = train(options)
    assert folder.checkpoint.exists()
    with pytest.raises(DataError, match="has no split 'test'"):
        run(options)
    for side in ("HE", "IHC"):
        shutil.move(tmp_path / side, root / side / "test")
    written = folder.checkpoint.read_bytes()
    assert (run(options).folder / "checkpoints" / "last.ckpt").read_bytes() == written


def test_a_translation_needs_no_targets(options, tmp_path):
    with_targets = run(options).folder
    root = Path(options.dataset)
    shutil.rmtree(root / "IHC" / "test")
    # Trained weights are found by the training, whose pairs are still there.
    alone = translate(options)
    assert alone.path != with_targets
    for path in sorted((with_targets / "predictions").glob("*.png")):
        assert (alone.predictions / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(DataError):
        run(options)


def test_a_bare_folder_of_sources_is_translated_with_a_checkpoint(options, tmp_path, capsys):
    folder = run(options).folder
    sources = tmp_path / "slides" / "HE"
    shutil.copytree(Path(options.dataset) / "HE" / "test", sources)
    weights = str(folder / "checkpoints" / "last.ckpt")
    for place in (sources, sources.parent):
        out = tmp_path / f"out-{place.name}"
        words = ["--model", "varpyramid", "--checkpoint", weights, "--output", str(out)]
        assert run_app(["translate", "--dataset", str(place), *words]) == 0
        made = sorted(out.rglob("predictions/*.png"))
        assert [path.name for path in made] == sorted(path.name for path in sources.iterdir())
        assert all((folder / "predictions" / p.name).read_bytes() == p.read_bytes() for p in made)


def test_sources_alone_are_refused_where_pairs_are_needed(options, tmp_path):
    sources = tmp_path / "slides"
    shutil.copytree(Path(options.dataset) / "HE" / "test", sources)
    alone = replace(options, dataset=str(sources))
    with pytest.raises(UsageError, match="sources alone, and no pairs to train varpyramid"):
        translate(alone)
    with pytest.raises(DataError):
        run(alone)
    with pytest.raises(UsageError, match="blurred-target reads targets"):
        translate(replace(alone, model="blurred-target", settings={}))
    copied = translate(replace(alone, model="copy", settings={}))
    for path in sources.iterdir():
        found = read_image(ImageRef(copied.predictions / path.name))
        np.testing.assert_array_equal(found, read_image(ImageRef(path)))


def faulty(root: Path) -> dict[str, str]:
    """Spoil five images of three splits; return what is to be told of each."""
    files = {split: sorted((root / "HE" / split).iterdir()) for split in ("train", "val", "test")}
    cmyk, pages, smaller, cut = *files["train"][:3], files["val"][0]
    image = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    image.convert("CMYK").save(cmyk, "TIFF")
    image.save(pages, "TIFF", save_all=True, append_images=[image])
    cv2.imwrite(str(smaller), np.zeros((20, 20, 3), np.uint8))
    cut.write_bytes(b"no image")
    cv2.imwrite(str(files["test"][0].with_suffix(".tif")), np.zeros((32, 32), np.float32))
    files["test"][0].unlink()
    return {
        cmyk.name: "colour mode CMYK",
        pages.name: "holds 2 pages",
        smaller.name: "is 32x32 px but its source",
        cut.name: "is not an image",
        f"{files['test'][0].stem}.tif": "floating point",
    }


def test_faulty_images_of_all_splits_are_told_at_once_before_anything_is_trained(options, drawn):
    drawn.draw("val", 2)
    told = faulty(drawn.root)
    for verb in (run, train):
        with pytest.raises(DataError, match="has 5 faults") as refused:
            verb(options)
        for name, what in told.items():
            assert name in str(refused.value)
            assert what in str(refused.value)
    assert not options.output.exists()


def test_many_faults_are_counted(options, drawn):
    drawn.draw("train", 30)
    for path in (drawn.root / "HE" / "train").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"has 30 faults: .*\(10\) .*; and 20 more$"):
        resolve(options)


def test_all_damaged_pixels_are_told_at_once(options, drawn):
    spoilt = sorted((drawn.root / "IHC" / "train").iterdir())[:3]
    for path in spoilt:
        content = bytearray(path.read_bytes())
        content[content.index(b"IDAT") + 9] ^= 4
        path.write_bytes(content)
    with pytest.raises(DataError, match="has 3 faults") as refused:
        train(options)
    assert all(path.name in str(refused.value) for path in spoilt)


def test_images_smaller_than_the_crop_are_told_together(options, drawn):
    small = {**TINY, "images.crop": 48}
    del small["images.resize"]
    cv2.imwrite(str(drawn.root / "HE" / "train" / "big_3+.png"), np.zeros((64, 64, 3), np.uint8))
    cv2.imwrite(str(drawn.root / "IHC" / "train" / "big_3+.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(DataError, match=r"5 images of train are smaller than images\.crop = 48"):
        resolve(replace(options, settings=small))
