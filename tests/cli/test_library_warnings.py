"""What a library says to developers does not stand among the warnings of a command."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from i2ibench.cli.app import run_app


def test_odd_tags_of_a_tiff_are_no_warning_of_a_command(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # set back after the test
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for name in ("t", "p"):
        (tmp_path / name).mkdir()
        Image.fromarray(image).save(tmp_path / name / "0.tif", tiffinfo={270: "slide"})
        content = (tmp_path / name / "0.tif").read_bytes()
        # The description says that it is longer than the file.
        place = content.index((270).to_bytes(2, "little")) + 4
        spoilt = content[:place] + (1 << 20).to_bytes(4, "little") + content[place + 4 :]
        (tmp_path / name / "0.tif").write_bytes(spoilt)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(tmp_path / "t" / "0.tif").close()
    except UnidentifiedImageError:
        pytest.skip("this Pillow takes a TIFF with such a tag for none, and the file is refused")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        words = ["--targets", str(tmp_path / "t"), "--metrics", "psnr"]
        assert run_app(["evaluate", str(tmp_path / "p"), *words]) == 0
    shown = capsys.readouterr().err
    assert "warning" not in shown.replace("UserWarning", "")


def test_warnings_of_our_own_are_shown(tmp_path: Path, capsys) -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for name, suffix in (("t", "png"), ("p", "jpg")):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / f"0.{suffix}"), image)
    words = ["--targets", str(tmp_path / "t"), "--metrics", "psnr"]
    assert run_app(["evaluate", str(tmp_path / "p"), *words]) == 0
    assert "compressed with loss" in " ".join(capsys.readouterr().err.split())
