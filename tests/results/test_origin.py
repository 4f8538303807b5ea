"""Where numbers come from: the command without private folders."""

from __future__ import annotations

import sys

from i2ibench import provenance


def test_the_command_is_kept_without_folders_of_the_machine(monkeypatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["/home/me/bin/i2ibench", "run", "--output=/home/me/runs", "/data/bci", "a/b"]
    )
    assert provenance.command() == ["i2ibench", "run", "--output=runs", "bci", "a/b"]


def test_as_a_library_there_is_no_command(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/me/study.py", "--secret"])
    assert provenance.command() is None
