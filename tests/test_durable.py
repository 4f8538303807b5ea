"""Files and folders are whole or absent, and what a killed process left is removed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench import durable
from i2ibench.files import atomic_folder, atomic_path, write_text

# Begins to write, says so, and waits for a word or the end.
WRITER = """
import sys
from pathlib import Path
from i2ibench.durable import atomic_folder, atomic_path
context = {"file": atomic_path, "folder": atomic_folder}[sys.argv[1]]
with context(Path(sys.argv[2])) as temporary:
    (temporary if sys.argv[1] == "file" else temporary / "inner.txt").write_text("half")
    print("begun", flush=True)
    sys.stdin.readline()
"""


def _begun(kind: str, place: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, kind, str(place)]
    writer = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    assert writer.stdout.readline() == "begun\n"
    return writer


def _opened(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def _as_at_the_start_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_looked_through", set())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, kind: str) -> None:
    writer = _begun(kind, tmp_path / "x.json")
    assert len(_names(tmp_path)) == 1 and _names(tmp_path)[0].startswith(".x")
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    write_text(tmp_path / "y.json", "{}")
    assert _names(tmp_path) == ["y.json"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_living_process_writes_stays(tmp_path: Path, kind: str) -> None:
    writer = _begun(kind, tmp_path / "x")
    write_text(tmp_path / "y.json", "{}")
    assert len(_names(tmp_path)) == 2
    writer.communicate("go on\n")
    assert writer.returncode == 0
    assert _names(tmp_path) == ["x", "y.json"]


@pytest.mark.parametrize(
    "name", [".x-20260101.tmp", ".x.tmp.json", "x-abcdefgh.i2ibench.tmp", ".x-abc.i2ibench.tmp"]
)
def test_files_of_others_are_not_taken_for_strays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    write_text(tmp_path / "y.json", "{}")
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_that_looks_like_a_stray_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("mine")
    (tmp_path / ".x-abcdefgh.i2ibench.tmp").symlink_to(tmp_path / "kept")
    write_text(tmp_path / "y.json", "{}")
    assert (tmp_path / "kept" / "file").read_text() == "mine"


def test_a_folder_is_on_the_disk_before_its_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(descriptor: int) -> None:
        events.append(f"sync {_opened(descriptor).name}")
        sync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with atomic_folder(tmp_path / "set") as temporary:
        (temporary / "HE").mkdir()
        (temporary / "HE" / "a.png").write_bytes(b"a")
        (temporary / "b.csv").write_bytes(b"b")
    assert events[-2:] == ["rename", f"sync {tmp_path.name}"]
    before = events[:-2]
    assert {"sync a.png", "sync b.csv", "sync HE"} <= {*before}
    assert before.index("sync a.png") < before.index("sync HE")
    assert before[-1] == f"sync {temporary.name}"


def test_a_file_is_on_the_disk_before_its_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append((tmp_path / "a.json").exists())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_text(tmp_path / "a.json", "{}")
    assert synced == [False, True]


def test_a_folder_is_absent_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "set") as temporary:
        (temporary / "a").write_text("a")
        raise KeyboardInterrupt
    assert _names(tmp_path) == []


def test_an_empty_folder_gives_way_and_a_full_one_stays(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with atomic_folder(tmp_path / "set") as temporary:
        (temporary / "a").write_text("a")
    with pytest.raises(OSError), atomic_folder(tmp_path / "set") as temporary:
        (temporary / "b").write_text("b")
    assert _names(tmp_path) == ["set"] and _names(tmp_path / "set") == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_a_failed_write_names_the_file_that_was_to_be(tmp_path: Path, number: int) -> None:
    with pytest.raises(OSError) as raised, atomic_path(tmp_path / "a.json"):
        raise OSError(number, os.strerror(number))  # as write() does, which knows no name
    assert raised.value.filename == str(tmp_path / "a.json")
    assert raised.value.errno == number
    assert _names(tmp_path) == []


def test_a_folder_that_takes_no_file_names_the_file_that_was_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as raised, atomic_path(tmp_path / "file" / "a.json"):
        pass
    assert raised.value.filename == str(tmp_path / "file")


def test_a_file_system_that_cannot_sync_folders_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def only_files(descriptor: int) -> None:
        if _opened(descriptor).is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    write_text(tmp_path / "a.json", "{}")
    assert _names(tmp_path) == ["a.json"]
