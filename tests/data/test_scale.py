"""The scale of 16-bit files belongs to their set: found over all files, or declared, and said."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

import i2ibench
from i2ibench.data.audit.audit_dataset import audit_dataset
from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image
from i2ibench.data.scale import find_scale
from i2ibench.errors import DataError


def drawn(seed: int, largest: int, smallest: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random((24, 24, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 1)
    unit = (smooth - smooth.min()) / np.ptp(smooth)
    return np.rint(smallest + unit * (largest - smallest)).astype(np.uint16)


def write_set(root: Path, largest: dict[str, list[int]], suffix: str = ".tif") -> Path:
    """Write pairs whose 16-bit targets end at the given values, with 8-bit sources."""
    for split, ends in largest.items():
        for side in "AB":
            (root / side / split).mkdir(parents=True)
        for number, end in enumerate(ends):
            image = drawn(number, end)
            cv2.imwrite(str(root / "B" / split / f"{number}{suffix}"), image)
            cv2.imwrite(str(root / "A" / split / f"{number}.png"), (image % 251).astype(np.uint8))
    return root


def psnr(first: np.ndarray, second: np.ndarray, full: int) -> float:
    error = np.mean((first.astype(float) - second.astype(float)) ** 2)
    return float(10 * np.log10(full**2 / error))


@pytest.mark.parametrize(
    ("bits", "suffix"), [(14, ".tif"), (12, ".png"), (10, ".tif"), (8, ".png")]
)
def test_a_set_is_scored_on_its_own_scale(bits: int, suffix: str, tmp_path: Path) -> None:
    full = 2**bits - 1
    values, folders = {}, (tmp_path / "t", tmp_path / "p")
    for index, folder in enumerate(folders):
        folder.mkdir()
        for number in range(2):
            image = drawn(10 * index + number, full - 3)
            values[index, number] = image
            cv2.imwrite(str(folder / f"{number}{suffix}"), image)
    with pytest.warns(UserWarning, match=f"read as {bits}-bit"):
        result = i2ibench.evaluate(folders[1], targets=folders[0], metrics=["psnr"])
    expected = np.mean([psnr(values[0, n], values[1, n], full) for n in range(2)])
    assert result.metrics["psnr"].value == pytest.approx(expected, abs=0.05)
    assert result.dataset.bits == {"source": bits, "target": bits}


def test_a_dark_tile_in_a_set_of_full_scale_is_read_like_the_others(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", {"test": [65535, 900]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dark = Dataset.open(root).split("test")[1]
    expected = np.round(cv2.imread(str(dark.target.path), -1)[:, :, ::-1] / 257)
    np.testing.assert_array_equal(read_image(dark.target), expected.astype(np.uint8))


def test_the_scale_is_found_over_all_splits_and_needs_no_limit(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", {"train": [3000, 15000], "test": [2000]})
    with pytest.warns(UserWarning, match="targets of set: .* end at 15000 are read as 14-bit"):
        test = Dataset.open(root, limit=1).split("test")
    assert test[0].target.bits == 14


def test_a_card_declares_the_scale_and_nothing_is_guessed(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", {"test": [15000]})
    layout = '[[layouts]]\nkind = "folders"\nsource = "A/{split}"\ntarget = "B/{split}"\n'
    for declared, bits in (("bits = 16", 16), ("bits = {target = 14}", 14)):
        card = root / f"set{bits}.toml"
        card.write_text(f'title = "t"\n{declared}\n{layout}')
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pair = Dataset.open(card, data_root=root).split("test")[0]
        assert pair.target.bits == bits
        levels = cv2.imread(str(pair.target.path), -1)[:, :, ::-1] * (255 / (2**bits - 1))
        np.testing.assert_array_equal(read_image(pair.target), np.round(levels).astype(np.uint8))


def test_a_reversed_direction_takes_the_scale_along(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", {"test": [15000]})
    card = root / "set.toml"
    card.write_text(
        'title = "t"\nbits = {target = 15}\n'
        '[[layouts]]\nkind = "folders"\nsource = "A/{split}"\ntarget = "B/{split}"\n'
    )
    pair = Dataset.open(card, data_root=root, direction="BtoA").split("test")[0]
    assert pair.source.bits == 15
    assert pair.target.bits is None


def test_only_another_scale_than_16_bits_changes_the_hash_of_the_data(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", {"test": [15000]})
    layout = '[[layouts]]\nkind = "folders"\nsource = "A/{split}"\ntarget = "B/{split}"\n'
    hashes = []
    for bits in (16, 15, 14):
        card = root / "set.toml"
        card.write_text(f'title = "t"\nbits = {bits}\n{layout}')
        hashes.append(manifest_sha256(Dataset.open(card, data_root=root).split("test")))
    assert len(set(hashes)) == 3
    wide = write_set(tmp_path / "wide", {"test": [65535]})
    found = Dataset.open(wide).split("test")
    plain = type(found)(
        **{name: getattr(found, name) for name in ("name", "split")},
        pairs=tuple(
            type(pair)(pair.id, pair.source, type(pair.target)(pair.target.path)) for pair in found
        ),
    )
    assert manifest_sha256(plain) == manifest_sha256(found)


def test_predictions_above_the_scale_of_their_targets_are_refused(tmp_path: Path) -> None:
    for name, end in (("t", 15000), ("p", 40000)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "0.tif"), drawn(0, end))
    with (
        pytest.warns(UserWarning, match="14-bit"),
        pytest.raises(DataError, match=r"p/0\.tif: holds values up to 40000, .* ends at 16383"),
    ):
        i2ibench.evaluate(tmp_path / "p", targets=tmp_path / "t", metrics=["psnr"])


def test_16_bit_predictions_of_8_bit_targets_have_16_bits_or_are_refused(tmp_path: Path) -> None:
    targets, good, bad = (tmp_path / name for name in ("t", "good", "bad"))
    for folder, scale in ((targets, 1), (good, 257), (bad, 16)):
        folder.mkdir()
        for number, end in enumerate((255, 12)):  # the second is dark
            image = drawn(number, end) * scale
            cv2.imwrite(
                str(folder / f"{number}.png"), image.astype(np.uint8 if scale == 1 else np.uint16)
            )
    result = i2ibench.evaluate(good, targets=targets, metrics=["psnr"])
    assert result.metrics["psnr"].value == np.inf or result.metrics["psnr"].value is None
    with pytest.raises(DataError, match="bad: 16-bit predictions whose values end at 4080"):
        i2ibench.evaluate(bad, targets=targets, metrics=["psnr"])


def test_an_audit_reports_a_guessed_scale(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", {"train": [15000], "test": [9000]})
    findings = [
        each for each in audit_dataset(Dataset.open(root)).findings if each.check == "scale"
    ]
    [finding] = findings
    assert finding.severity == "warning"
    assert "targets: 16-bit files whose values end at 15000" in finding.message


def test_a_damaged_file_does_not_hide_the_scale_of_the_others(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", {"test": [15000, 16000, 3000]})
    files = sorted((root / "B" / "test").iterdir())
    files[0].write_bytes(files[0].read_bytes()[:-300])
    for _ in range(2):  # also from what was kept
        scale = find_scale(files)
        assert scale is not None
        assert (scale.bits, scale.largest) == (14, 16000)


@pytest.mark.parametrize(("targets", "made"), [(16, 14), (16, 12), (14, 12), (12, 10)])
def test_predictions_of_a_lower_scale_than_their_targets_are_told(
    targets: int, made: int, tmp_path: Path
) -> None:
    for folder, bits in (("t", targets), ("p", made)):
        (tmp_path / folder).mkdir()
        for number in range(2):
            image = drawn(number, 2**bits - 1)
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), image)
    with pytest.warns(UserWarning, match=f"values end at {2**made - 1}, as {made}-bit ones do"):
        i2ibench.evaluate(tmp_path / "p", targets=tmp_path / "t", metrics=["psnr"])


def test_one_dark_prediction_among_others_is_no_lower_scale(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    for folder in ("t", "p"):
        (tmp_path / folder).mkdir()
        for number, end in enumerate((300, 65000)):
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), drawn(number, end))
    i2ibench.evaluate(tmp_path / "p", targets=tmp_path / "t", metrics=["psnr"])
    assert not [each for each in recwarn if "bit ones do" in str(each.message)]
