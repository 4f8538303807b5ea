"""Surroundings that make no sense, and system calls that fail, are one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from i2ibench.cli import app as command_line
from i2ibench.cli.app import run_app
from i2ibench.data.folders import dataset_folders
from i2ibench.errors import UsageError
from i2ibench.files import cache_folder
from i2ibench.metrics.networks.weights import candidates, catalogue


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RANK", "abc"),
        ("LOCAL_RANK", ""),
        ("NODE_RANK", "-1"),
        ("SLURM_PROCID", "1.5"),
        ("WORLD_SIZE", "٣"),
        ("SOURCE_DATE_EPOCH", "today"),
        ("SOURCE_DATE_EPOCH", "nan"),
        ("SOURCE_DATE_EPOCH", "1e30"),
    ],
)
def test_a_variable_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert run_app(["protocols"]) == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize("value", ["~nobody-of-this-name/x", "a\nb", " ", "\x1b[31m"])
def test_folders_of_any_name_can_be_chosen(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in ("I2IBENCH_CACHE", "I2IBENCH_DATA", "I2IBENCH_WEIGHTS", "TORCH_HOME"):
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(value)
    assert dataset_folders()[0] == Path(value)
    name, entry = next(iter(catalogue().items()))
    assert candidates(name, entry.files[0])


@pytest.mark.parametrize("named", [True, False], ids=["of a file", "of nothing"])
@pytest.mark.parametrize(
    "code",
    [
        errno.EIO,
        errno.EDQUOT,
        errno.ENOSPC,
        errno.EFBIG,
        errno.EROFS,
        errno.ENOLCK,
        errno.ENAMETOOLONG,
        errno.EMFILE,
        errno.ENFILE,
        errno.ESTALE,
        errno.EACCES,
        errno.EPERM,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.EBUSY,
        errno.EAGAIN,
        errno.ENOSYS,
        errno.EINVAL,
        errno.ETIMEDOUT,
        9999,
    ],
)
def test_every_system_call_that_fails_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, named: bool
) -> None:
    def fails(**_: object) -> None:
        place = ("/some/where",) if named else ()
        raise OSError(code, os.strerror(code), *place)

    monkeypatch.setattr(command_line, "app", fails)
    assert run_app([]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    assert ("/some/where" in told) is named


@pytest.mark.parametrize("error", [OSError(), OSError("Invalid data stream"), RecursionError("x")])
def test_errors_without_a_number_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(command_line, "app", fails)
    assert run_app([]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_an_error_shows_no_escape_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(**_: object) -> None:
        raise UsageError("\x1b[2Jgone \u202eturned\x07 [red]not red[/]")

    monkeypatch.setattr(command_line, "app", fails)
    run_app([])
    assert "\\x1b[2Jgone \\u202eturned\\x07 [red]not red[/]" in capsys.readouterr().err
