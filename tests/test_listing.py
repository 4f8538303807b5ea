"""One rule of which files of a folder are the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from i2ibench.errors import DataError
from i2ibench.files import list_folder, visible_files

# What lies in folders beside the files that are meant.
_HIDDEN = (
    ".a-x1.tmp.json",  # a write that was cut
    "._a.json",  # macOS on other file systems
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "~$a.json",  # an office program has it open
)


def _fill(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"{}")


def test_only_visible_files_of_the_suffix_are_listed(tmp_path: Path) -> None:
    _fill(tmp_path, "b.json", "a.JSON", "c.csv", *_HIDDEN)
    _fill(tmp_path / ".ipynb_checkpoints", "a-checkpoint.json")
    (tmp_path / "folder.json").mkdir()
    assert [path.name for path in visible_files(tmp_path, {".json"})] == ["a.JSON", "b.json"]
    listing = list_folder(tmp_path, {".json"})
    assert [path.name for path in listing.others] == ["c.csv"]
    assert [path.name for path in listing.folders] == ["folder.json"]
    assert listing.unusable == ()


def test_no_suffix_lists_all_visible_files(tmp_path: Path) -> None:
    _fill(tmp_path, "a.png", "b", *_HIDDEN)
    assert [path.name for path in visible_files(tmp_path)] == ["a.png", "b"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_devices_and_broken_links_are_no_files(tmp_path: Path) -> None:
    _fill(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "linked.png").symlink_to(tmp_path / "a.png")
    listing = list_folder(tmp_path, {".png"})
    assert [path.name for path in listing.files] == ["a.png", "linked.png"]
    assert [path.name for path in listing.unusable] == ["device.png", "nowhere.png", "pipe.png"]


def test_a_name_that_no_system_has_is_one_line(tmp_path: Path) -> None:
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(DataError, match="cannot be listed"):
            list_folder(tmp_path / name)


def test_missing_folder_is_empty_only_where_that_is_said(tmp_path: Path) -> None:
    assert visible_files(tmp_path / "gone", missing_ok=True) == ()
    with pytest.raises(DataError, match="gone: cannot be listed"):
        visible_files(tmp_path / "gone")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="file: cannot be listed"):
        visible_files(tmp_path / "file", missing_ok=True)
