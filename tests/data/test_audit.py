"""Each fault planted in a copy of the synthetic set is found and named by file."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from i2ibench.data.audit.audit_dataset import audit_dataset
from i2ibench.data.audit.findings import AuditReport
from i2ibench.data.audit.offsets import CONFIDENT, estimate_shift
from i2ibench.data.dataset import Dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.data.pairs import ImageRef
from i2ibench.data.synthetic.drawing import SyntheticOptions, draw_pair, list_synthetic
from i2ibench.data.synthetic.generate import ensure_generated, generate

OPTIONS = SyntheticOptions(size=96, train=16, test=16, pairs_per_slide=2)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A fresh copy of a small synthetic set."""
    shutil.copytree(ensure_generated(OPTIONS), tmp_path / "set")
    return tmp_path / "set"


def image(path: Path) -> np.ndarray:
    return read_image(ImageRef(path))


def found(report: AuditReport, check: str) -> list[str]:
    return [finding.message for finding in report.findings if finding.check == check]


def test_a_clean_set_passes_silently(copy: Path) -> None:
    report = audit_dataset(Dataset.open(str(copy)))
    assert report.findings == ()
    assert {split: facts["pairs"] for split, facts in report.facts.items()} == {
        "train": 16,
        "test": 16,
    }
    assert report.facts["train"]["groups"] == {"0": 4, "1+": 4, "2+": 4, "3+": 4}
    assert report.facts["train"]["clusters"] == 8


def _missing_partner(root: Path) -> None:
    (root / "IHC/test/00003_test_3+.png").unlink()


def _truncated(root: Path) -> None:
    path = root / "HE/train/00001_train_1+.png"
    path.write_bytes(path.read_bytes()[:5000])


def _wrong_size(root: Path) -> None:
    path = root / "IHC/train/00002_train_2+.png"
    write_png(path, image(path)[:90])


def _jpeg_under_png(root: Path) -> None:
    path = root / "HE/test/00004_test_0.png"
    Image.fromarray(image(path)).save(path, format="JPEG", quality=97)


def _grey(root: Path) -> None:
    path = root / "HE/test/00005_test_1+.png"
    Image.fromarray(image(path)).convert("L").save(path)


def _16_bit(root: Path) -> None:
    path = root / "HE/test/00006_test_2+.png"
    cv2.imwrite(str(path), image(path)[:, :, ::-1].astype(np.uint16) * 257)


def _leak(root: Path) -> None:
    for side in ("HE", "IHC"):
        source = root / side / "train/00007_train_3+.png"
        shutil.copy(source, root / side / "test/00099_test_3+.png")


def _twin(root: Path) -> None:
    for side in ("HE", "IHC"):
        source = root / side / "train/00007_train_3+.png"
        shutil.copy(source, root / side / "train/00098_train_3+.png")


def _near_twin(root: Path) -> None:
    path = root / "HE/train/00000_train_0.png"
    noisy = image(path).astype(int) + np.random.default_rng(0).integers(-6, 7, image(path).shape)
    brighter = np.clip(noisy * 0.95 + 8, 0, 255).astype(np.uint8)
    write_png(root / "HE/test/00097_test_0.png", brighter)
    shutil.copy(root / "IHC/test/00000_test_0.png", root / "IHC/test/00097_test_0.png")


def _slide_in_both(root: Path) -> None:
    table = root / "clusters.csv"
    table.write_text(table.read_text().replace("test-000", "train-000"))


def _displaced(root: Path) -> None:
    path = root / "IHC/test/00003_test_3+.png"
    write_png(path, np.roll(image(path), (5, 9), (0, 1)))


def _blank(root: Path) -> None:
    write_png(root / "IHC/test/00008_test_0.png", np.full((96, 96, 3), 240, np.uint8))


def _drift(root: Path) -> None:
    for path in (root / "HE/test").iterdir():
        write_png(path, (image(path) * 0.6).astype(np.uint8))


def _copy_of_source(root: Path) -> None:
    shutil.copy(root / "HE/test/00009_test_1+.png", root / "IHC/test/00009_test_1+.png")


def _id_twice(root: Path) -> None:
    shutil.copy(root / "HE/test/00010_test_2+.png", root / "HE/test/00010_test_2+.jpg")


def _nested(root: Path) -> None:
    (root / "HE/test/more").mkdir()
    shutil.copy(root / "HE/test/00010_test_2+.png", root / "HE/test/more/x.png")


def _no_level(root: Path) -> None:
    for side in ("HE", "IHC"):
        (root / side / "train/00015_train_3+.png").rename(root / side / "train/00015_train.png")


@pytest.mark.parametrize(
    ("plant", "check", "severity", "told"),
    [
        (_missing_partner, "pairing", "error", "HE/test/00003_test_3+.png: no partner"),
        (_truncated, "unreadable", "error", "HE/train/00001_train_1+.png: is truncated"),
        (_wrong_size, "sizes", "error", "IHC/train/00002_train_2+.png is 96x90 px"),
        (_jpeg_under_png, "format", "warning", "JPEG content under .png: HE/test/00004_test_0.png"),
        (_grey, "mode", "warning", "HE/test/00005_test_1+.png"),
        (_16_bit, "mode", "warning", "16-bit images"),
        (_leak, "duplicates", "error", "HE/test/00099_test_3+.png has the same pixels as HE/train"),
        (_twin, "duplicates", "warning", "HE/train/00098_train_3+.png has the same pixels as"),
        (_near_twin, "duplicates", "warning", "HE/test/00097_test_0.png is nearly the same"),
        (_slide_in_both, "clusters", "warning", "slide train-000 has pairs in test and train"),
        (_displaced, "alignment", "warning", "IHC/test/00003_test_3+.png"),
        (_blank, "blank", "warning", "blank tiles: IHC/test/00008_test_0.png"),
        (_drift, "drift", "warning", "source colours of test differ from those of train"),
        (_copy_of_source, "copies", "error", "IHC/test/00009_test_1+.png is the same picture"),
        (_id_twice, "pairing", "error", "00010_test_2+.png: has the same id"),
        (_nested, "pairing", "warning", "HE/test/more/x.png: images in nested folders"),
    ],
)
def test_a_planted_fault_is_found(
    copy: Path, plant: Callable[[Path], None], check: str, severity: str, told: str
) -> None:
    plant(copy)
    card = (
        '[[layouts]]\nkind = "folders"\nsource = "HE/{split}"\ntarget = "IHC/{split}"\n'
        '[clusters]\nname = "slide"\n'
    )
    (copy / "set.toml").write_text('title = "t"\n' + card)
    report = audit_dataset(Dataset.open(str(copy / "set.toml")))
    findings = [finding for finding in report.findings if finding.check == check]
    assert any(told in finding.message for finding in findings), report.findings
    assert {finding.severity for finding in findings} == {severity}
    assert bool(report.errors) == (severity == "error")


def test_a_plain_folder_with_many_faults_is_still_recognised(copy: Path) -> None:
    for plant in (_missing_partner, _truncated, _id_twice, _no_level):
        plant(copy)
    (copy / "HE/train/00000_train.png").symlink_to(copy / "nowhere.png")
    report = audit_dataset(Dataset.open(str(copy)))
    told = " ".join(finding.message for finding in report.errors)
    for name in (
        "00003_test_3+",
        "00001_train_1+",
        "00010_test_2+",
        "00015_train",
        "00000_train.png",
    ):
        assert name in told


def test_counts_are_held_against_the_card(copy: Path) -> None:
    (copy / "set.toml").write_text(
        'title = "t"\nsize = [64, 64]\n[splits.test]\npairs = 15\ngroups = { "0" = 4, "3+" = 9 }\n'
        '[[layouts]]\nkind = "folders"\nsource = "HE/{split}"\ntarget = "IHC/{split}"\n'
        "[groups]\nname = \"HER2\"\npattern = '_(?P<group>0|1\\+|2\\+|3\\+)$'\n"
    )
    report = audit_dataset(Dataset.open(str(copy / "set.toml")))
    assert found(report, "counts") == [
        "split test holds 16 pairs, the card says 15",
        "group 3+ of split test holds 4 pairs, the card says 9",
    ]
    assert found(report, "sizes") == ["images are 96x96 px, the card says 64x64"]


def test_a_name_without_its_level_is_found(copy: Path) -> None:
    (copy / "set.toml").write_text(
        'title = "t"\n[[layouts]]\nkind = "folders"\nsource = "HE/{split}"\n'
        'target = "IHC/{split}"\n[groups]\nname = "HER2"\npattern = \'_(?P<group>\\d\\+?)$\'\n'
    )
    _no_level(copy)
    assert (
        "tells no HER2" in found(audit_dataset(Dataset.open(str(copy / "set.toml"))), "pairing")[0]
    )


def test_the_report_and_the_pictures_are_written(copy: Path, tmp_path: Path) -> None:
    for plant in (_leak, _displaced, _blank):
        plant(copy)
    report = audit_dataset(Dataset.open(str(copy)), output=tmp_path / "out")
    assert report.pictures == ("misaligned.png", "duplicates.png", "blank.png")
    for name in report.pictures:
        assert image(tmp_path / "out" / name).shape[1] > 500
    written = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert written["findings"] == report.as_json()["findings"]
    assert written["errors"] == 2


def test_real_facades_are_clean(shared: Path) -> None:
    report = audit_dataset(Dataset.open(str(shared / "data" / "facades"), limit=60))
    assert report.findings == ()


@settings(max_examples=25, deadline=None)
@given(x=st.integers(-12, 12), y=st.integers(-12, 12), which=st.integers(0, 7))
def test_a_known_offset_between_the_stains_is_estimated(x: int, y: int, which: int) -> None:
    options = SyntheticOptions(size=160, train=8, test=0, pairs_per_slide=2)
    he, ihc = draw_pair(options, list_synthetic(options)[which])
    source, target = (cv2.cvtColor(np.ascontiguousarray(i), cv2.COLOR_RGB2GRAY) for i in (he, ihc))
    moved = np.roll(target, (y, x), (0, 1))[16:-16, 16:-16]
    shift = estimate_shift(np.ascontiguousarray(source[16:-16, 16:-16]), moved)
    assert shift.confidence > CONFIDENT
    assert (shift.x, shift.y) == pytest.approx((x, y), abs=0.6)


def test_unrelated_pictures_give_no_confident_offset() -> None:
    options = SyntheticOptions(size=96, train=16, test=0, pairs_per_slide=2)
    drawn = [draw_pair(options, pair) for pair in list_synthetic(options)]
    for (he, _), (_, ihc) in itertools.pairwise(drawn):
        greys = [cv2.cvtColor(np.ascontiguousarray(i), cv2.COLOR_RGB2GRAY) for i in (he, ihc)]
        assert estimate_shift(*greys).confidence < CONFIDENT


def test_section_offsets_of_the_generator_are_found(tmp_path: Path) -> None:
    options = SyntheticOptions(size=128, train=0, test=8, section_offset=10, pairs_per_slide=2)
    generate(tmp_path / "set", options)
    report = audit_dataset(Dataset.open(str(tmp_path / "set")))
    assert [finding.check for finding in report.findings] == ["alignment"]
    lengths = [np.hypot(*pair.shift) for pair in list_synthetic(options)]
    facts = report.facts["test"]["alignment"]
    assert facts["median_px"] == pytest.approx(np.median(lengths), abs=0.5)
    assert facts["largest_px"] == pytest.approx(max(lengths), abs=0.5)
