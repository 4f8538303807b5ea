"""What is not read of a data set is counted and told; what can be read exactly is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from i2ibench.cli.app import run_app
from i2ibench.data.audit.audit_dataset import audit_dataset
from i2ibench.data.dataset import Dataset, open_dataset
from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import DataError
from i2ibench.results.pair_scores import read_pair_scores


def _picture(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def _save(path: Path, image: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


def _pairs(root: Path, *names: str, split: str = "test") -> None:
    for number, name in enumerate(names):
        for side in "AB":
            _save(root / side / split / name, _picture(number + 100 * (side == "B")))


def _told(root: Path, capsys: pytest.CaptureFixture[str], *line: str) -> str:
    code = run_app([*line, str(root)])
    err = " ".join(capsys.readouterr().err.split())
    assert code == 0, err
    return err


@pytest.mark.parametrize("suffix", [".ppm", ".pgm", ".pnm", ".PPM", ".bmp", ".dib", ".tif"])
def test_formats_without_loss_are_read_to_the_last_bit(tmp_path: Path, suffix: str) -> None:
    image = _picture(1)
    if suffix == ".pgm":
        image = np.repeat(image[:, :, :1], 3, axis=2)
    file = tmp_path / f"a{suffix}"
    stored = image[:, :, 0] if suffix == ".pgm" else image
    kind = {".pnm": "PPM", ".dib": "BMP"}.get(suffix)
    Image.fromarray(stored).save(file, format=kind)
    np.testing.assert_array_equal(read_image(ImageRef(file)), image)
    [pair] = Dataset.of_targets(tmp_path).split("test")
    assert pair.target.path == file


@pytest.mark.parametrize("head", [b"P6\n# drawn\n3 2\n255\n", b"P6 3 2 255 "])
def test_a_ppm_is_read_by_its_head_and_refused_where_it_ends_early(
    tmp_path: Path, head: bytes
) -> None:
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    file = tmp_path / "a.ppm"
    file.write_bytes(head + pixels.tobytes())
    np.testing.assert_array_equal(read_image(ImageRef(file)), pixels)
    for content, told in (
        (head + pixels.tobytes()[:-1], "truncated"),
        (head + pixels.tobytes() * 2, "more than one picture"),
        (head.replace(b"255", b"100") + pixels.tobytes(), "largest value is 100"),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError, match=told):
            read_image(ImageRef(file))


def test_a_gif_of_one_frame_is_read_and_one_of_several_is_refused(tmp_path: Path) -> None:
    first, second = (Image.fromarray(_picture(seed)).quantize(16) for seed in (1, 2))
    first.save(tmp_path / "a.gif")
    np.testing.assert_array_equal(
        read_image(ImageRef(tmp_path / "a.gif")), np.asarray(first.convert("RGB"))
    )
    first.save(tmp_path / "b.gif", save_all=True, append_images=[second])
    with pytest.raises(DataError, match="holds 2 pages"):
        read_image(ImageRef(tmp_path / "b.gif"))
    content = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(content[:-1])
    with pytest.raises(DataError, match="truncated"):
        read_image(ImageRef(tmp_path / "a.gif"))


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jif", ".JFIF", ".pjpeg", ".png", ".ppm"])
def test_jpeg_is_read_under_every_suffix_of_an_image(tmp_path: Path, suffix: str) -> None:
    for side in "AB":
        jpeg = _save(tmp_path / "made.jpg", _picture(3)).read_bytes()
        (tmp_path / "set" / side / "test").mkdir(parents=True)
        (tmp_path / "set" / side / "test" / f"a{suffix}").write_bytes(jpeg)
    [pair] = open_dataset(str(tmp_path / "set"))
    expected = cv2.imread(str(tmp_path / "made.jpg"))[:, :, ::-1]
    np.testing.assert_array_equal(read_image(pair.target), expected)


def test_all_pairs_are_scored_whatever_their_suffix(tmp_path: Path, capsys) -> None:
    names = ("a.png", "b.jfif", "c.jpe", "d.ppm", "e.gif", "f.bmp")
    root = tmp_path / "set"
    for number, name in enumerate(names):
        for side in "AB":
            kind = {".jfif": "JPEG", ".jpe": "JPEG"}.get(Path(name).suffix)
            _save(root / side / "test" / name, _picture(number), format=kind)
    made = tmp_path / "made"
    for pair in open_dataset(str(root)):
        _save(made / f"{pair.id}.png", read_image(pair.target) // 2)
    code = run_app(["evaluate", str(made), "-d", str(root), "--metrics", "psnr", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (code, result["dataset"]["pairs"]) == (0, 6)
    expected = [
        10 * np.log10(255**2 / np.mean((target - target // 2) ** 2.0))
        for target in (read_image(pair.target).astype(int) for pair in open_dataset(str(root)))
    ]
    assert result["metrics"]["psnr"]["value"] == pytest.approx(np.mean(expected), abs=1e-9)


def test_files_of_unknown_suffix_are_counted_and_told(tmp_path: Path, capsys) -> None:
    _pairs(tmp_path, "a.png")
    for name in ("b.heic", "c.heic", "d.svs", "e", "labels.txt", "boxes.json", "Thumbs.db"):
        (tmp_path / "A/test" / name).write_bytes(b"?")
    told = "A/test: 4 files of unknown suffix (.heic 2, .svs 1, no suffix 1) left out: b.heic"
    assert told in _told(tmp_path, capsys, "datasets")
    findings = [each.message for each in audit_dataset(Dataset.open(str(tmp_path))).warnings]
    assert any(told in message for message in findings)


def test_images_in_nested_folders_are_counted_at_any_depth(tmp_path: Path, capsys) -> None:
    _pairs(tmp_path, "a.png")
    for place in ("slide1/x.png", "slide1/y.png", "slide2/deep/z.png", ".cache/hidden.png"):
        _save(tmp_path / "B/test" / place, _picture(1))
    told = _told(tmp_path, capsys, "datasets")
    assert "slide1/x.png: images in nested folders are not read (3 below" in told


def test_images_in_a_linked_folder_are_counted_and_circles_are_not(tmp_path: Path, capsys) -> None:
    _pairs(tmp_path, "a.png")
    for name in ("x.png", "y.png"):
        _save(tmp_path / "elsewhere" / name, _picture(1))
    (tmp_path / "B/test/slide1").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "B/test/circle").symlink_to(tmp_path / "B")
    told = _told(tmp_path, capsys, "datasets")
    assert "slide1/x.png: images in nested folders are not read (2 below" in told


def test_a_folder_that_is_no_split_is_told(tmp_path: Path, capsys) -> None:
    _pairs(tmp_path, "a.png")
    _pairs(tmp_path, "b.png", "c.png", split="holdout")
    told = _told(tmp_path, capsys, "datasets")
    assert "A/holdout: 2 images left out" in told
    assert "B/holdout: 2 images left out" in told


def test_a_second_folder_of_the_same_split_is_told(tmp_path: Path, capsys) -> None:
    _pairs(tmp_path, "a.png")
    _pairs(tmp_path, "b.png", split="testing")
    assert "A/testing: 1 image left out" in _told(tmp_path, capsys, "datasets")


def test_what_a_folder_of_predictions_holds_besides_is_told(tmp_path: Path, capsys) -> None:
    _pairs(tmp_path / "set", "a.png")
    _save(tmp_path / "made/a.png", _picture(9))
    _save(tmp_path / "made/epoch1/a.png", _picture(9))
    (tmp_path / "made/a.heic").write_bytes(b"?")
    run_app(["evaluate", str(tmp_path / "made"), "-d", str(tmp_path / "set"), "--metrics", "psnr"])
    told = " ".join(capsys.readouterr().err.split())
    assert "made: 1 file of unknown suffix (.heic 1) left out" in told
    assert "epoch1/a.png: images in nested folders are not read" in told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_that_is_called_like_an_image_is_told_and_not_waited_for(tmp_path: Path) -> None:
    _pairs(tmp_path, "a.png")
    os.mkfifo(tmp_path / "A/test/b.png")
    with pytest.raises(DataError, match=r"b\.png: not a regular file"):
        open_dataset(str(tmp_path))


def _bytes_name(folder: Path, name: bytes) -> Path:
    path = folder / os.fsdecode(name)
    try:
        _save(folder / "copied.png", _picture(1)).rename(path)
    except OSError:  # a file system that takes Unicode alone
        pytest.skip("this file system refuses names that are not UTF-8")
    return path


@pytest.mark.parametrize("name", ["é.png".encode("latin-1"), "样本.png".encode("gbk")])
def test_a_name_that_is_not_utf8_is_one_line_in_every_verb(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: bytes
) -> None:
    root, made = tmp_path / "set", tmp_path / "made"
    _pairs(root, "a.png")
    _save(made / "a.png", _picture(9))
    _bytes_name(root / "A/test", name)
    shown = "".join(f"\\x{byte:02x}" for byte in name if byte > 127)
    for line in (
        ["datasets", str(root)],
        ["audit", str(root), "--output", str(tmp_path / "report")],
        ["evaluate", str(made), "-d", str(root), "--metrics", "psnr"],
        ["evaluate", str(root / "A/test"), "--targets", str(made), "--metrics", "psnr"],
        ["evaluate", str(made), "--targets", str(root / "A/test"), "--metrics", "psnr"],
    ):
        code = run_app(line)
        out, err = capsys.readouterr()
        assert code == 3, line
        assert "not UTF-8" in " ".join((out + err).split())
        assert shown[:8] in out + err
        assert "Traceback" not in err
    found = json.loads((tmp_path / "report/audit.json").read_text())["findings"]
    assert any("not UTF-8" in each["message"] for each in found)


def test_a_folder_whose_name_is_not_utf8_is_one_line(tmp_path: Path, capsys) -> None:
    folder = tmp_path / os.fsdecode(b"donn\xe9es")
    try:
        _pairs(folder, "a.png")
    except OSError:
        pytest.skip("this file system refuses names that are not UTF-8")
    for line in (["datasets"], ["audit"], ["evaluate", str(tmp_path), "--dataset"]):
        assert run_app([*line, str(folder)]) == 3
        assert "\\xe9es: its name is not UTF-8" in capsys.readouterr().err


def test_decomposed_names_are_partners_of_composed_ones_everywhere(tmp_path: Path, capsys) -> None:
    for number, letter in enumerate("éü"):
        _save(tmp_path / f"set/A/test/{letter}.png", _picture(number))
        _save(tmp_path / f"set/B/test/{letter}.png", _picture(number + 5))
        plain = {"é": "e\u0301", "ü": "u\u0308"}[letter]
        _save(tmp_path / f"made/{plain}.png", _picture(number + 9))
    (tmp_path / "set/clusters.csv").write_text("id,cluster\ne\u0301,s1\nu\u0308,s2\n")
    line = ["evaluate", str(tmp_path / "made"), "-d", str(tmp_path / "set"), "--metrics", "psnr"]
    code = run_app([*line, "--output", str(tmp_path / "scores"), "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    assert json.loads(out)["intervals"]["units"] == 2
    # A table whose ids an editor has decomposed is of the same pairs.
    table = tmp_path / "scores/scores.csv"
    table.write_text(table.read_text().replace("é", "e\u0301"))
    assert list(read_pair_scores(table)["id"]) == ["é", "ü"]
