"""Where numbers come from: the command without private folders, energy where it is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from i2ibench import provenance
from i2ibench.energy import EnergyMeter


def _package(root: Path, name: str, microjoules: int, largest: int = 999_999_999) -> Path:
    (root / name).mkdir(parents=True)
    (root / name / "energy_uj").write_text(f"{microjoules}\n")
    (root / name / "max_energy_range_uj").write_text(f"{largest}\n")
    return root / name / "energy_uj"


def test_energy_adds_up_over_packages_and_not_over_their_parts(tmp_path: Path) -> None:
    first = _package(tmp_path, "intel-rapl:0", 5_000_000)
    second = _package(tmp_path, "intel-rapl:1", 0)
    part = _package(tmp_path, "intel-rapl:0:0", 0)
    meter = EnergyMeter(tmp_path)
    meter.start()
    for file, value in ((first, 7_000_000), (second, 1_500_000), (part, 9_000_000)):
        file.write_text(str(value))
    assert meter.joules() == 3.5


def test_a_counter_that_starts_again_loses_nothing(tmp_path: Path) -> None:
    counter = _package(tmp_path, "intel-rapl:0", 9_000_000, largest=9_999_999)
    meter = EnergyMeter(tmp_path)
    meter.start()
    counter.write_text("2000000")
    assert meter.joules() == 3.0


def test_every_run_counts_from_zero(tmp_path: Path) -> None:
    counter = _package(tmp_path, "intel-rapl:0", 0)
    meter = EnergyMeter(tmp_path)
    meter.start()
    counter.write_text("4000000")
    meter.start()
    counter.write_text("5000000")
    assert meter.joules() == 1.0


@pytest.mark.parametrize("content", ["", "not a number"])
def test_a_platform_that_does_not_tell_gives_none(tmp_path: Path, content: str) -> None:
    assert EnergyMeter(tmp_path).joules() is None
    counter = _package(tmp_path, "intel-rapl:0", 1)
    meter = EnergyMeter(tmp_path)
    meter.start()
    counter.write_text(content)
    assert meter.joules() is None


def test_the_command_is_kept_without_folders_of_the_machine(monkeypatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["/home/me/bin/i2ibench", "run", "--output=/home/me/runs", "/data/bci", "a/b"]
    )
    assert provenance.command() == ["i2ibench", "run", "--output=runs", "bci", "a/b"]


def test_as_a_library_there_is_no_command(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/me/study.py", "--secret"])
    assert provenance.command() is None
