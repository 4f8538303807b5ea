"""What is refused before work is put on machines of a Ray cluster; no cluster is needed."""

from __future__ import annotations

import re
import sys

import pytest

from i2ibench.errors import MissingError, UsageError
from i2ibench.ray_cluster import RayCluster
from i2ibench.ray_machines import Machines, _fault, _looker, unfit, versions


def answer(tmp_path, machine="a"):
    """Ask this machine as Ray asks another."""
    asked = tmp_path / "asked"
    asked.write_text("token")
    return _looker()(str(asked), machine, str(tmp_path)), tmp_path / f"asked.{machine}"


def test_a_machine_that_shares_the_folder_fits(tmp_path):
    found, back = answer(tmp_path)
    assert back.read_text() == "token"
    assert _fault(found, back, "token", "move it") == ""
    assert unfit(str(tmp_path), versions()) == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"versions": {**versions(), "torch": "0.4.0"}},
            r"torch 0\.4\.0 where .* install",
        ),
        ({"versions": {**versions(), "i2ibench": "none"}}, "has no i2ibench"),
        ({"versions": {**versions(), "Python": "3.9"}}, r"Python 3\.9"),
        ({"read": ""}, "does not see what is written to .*; move it"),
        ({"read": "other"}, "does not see what is written to .*; move it"),
        ({"folder": False}, "has no folder"),
    ],
)
def test_a_machine_that_does_not_fit_is_told_with_the_remedy(tmp_path, changed, words):
    found, back = answer(tmp_path)
    fault = _fault({**found, **changed}, back, "token", "move it")
    assert re.search(words, fault)


def test_what_a_machine_writes_elsewhere_is_found(tmp_path, monkeypatch):
    found, back = answer(tmp_path)
    monkeypatch.setattr("i2ibench.ray_machines._LATE_SECONDS", 0.0)
    assert "not seen here" in _fault(found, back.with_name("lost"), "token", "move it")


def test_a_machine_that_joins_later_is_asked_by_its_first_work(tmp_path):
    assert "i2ibench" in unfit(str(tmp_path), {**versions(), "i2ibench": "0"})
    assert "no folder" in unfit(str(tmp_path / "absent"), versions())


class Ray:
    """The part of Ray that says which machines there are."""

    def __init__(self, *resources):
        self.resources = resources

    def nodes(self):
        dead = [{"Alive": False, "Resources": {"CPU": 64.0}}]
        return dead + [{"Alive": True, "Resources": each} for each in self.resources]


def test_machines_are_counted_by_what_a_run_takes():
    gib = float(1 << 30)
    machines = Machines(
        Ray(
            {"CPU": 16.0, "GPU": 4.0, "memory": 64 * gib},
            {"CPU": 8.0, "GPU": 1.0, "memory": 8 * gib},
            {"memory": gib},  # a head that takes no work
        )
    )
    assert str(machines) == "2 machines with 24 CPUs and 5 GPUs"
    assert (machines.share(1), machines.share(0)) == (4, 8)
    assert machines.places(4, 1, None) == 5
    assert machines.places(4, 0, None) == 6
    assert machines.places(2, 0, 16.0) == 4  # by memory, which the second lacks


def test_without_the_extra_one_line_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError, match=r"pip install 'i2ibench\[ray\]'"):
        RayCluster(None, tmp_path)


def test_an_address_of_rays_client_is_refused(tmp_path):
    pytest.importorskip("ray", reason="the package ray is not installed")
    with pytest.raises(UsageError, match=r"10\.0\.0\.1:6379"):
        RayCluster("ray://head:10001", tmp_path)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "head", "127.0.0.1:99999"])
def test_an_address_without_a_cluster_is_told_at_once(tmp_path, address):
    pytest.importorskip("ray", reason="the package ray is not installed")
    with pytest.raises(UsageError, match=address):
        RayCluster(address, tmp_path)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["evaluate", "x", "-d", "y", "--on", "ray"], "--shards 8"),
        (["evaluate", "x", "-d", "y", "--address", "a:1"], "for --on ray"),
        (["translate", "-m", "copy", "-d", "y", "--shards", "2"], "for --on ray"),
        (["translate", "-m", "copy", "-d", "y", "--on", "ray"], "--shards 8"),
    ],
)
def test_options_that_do_not_fit_are_refused(words, remedy, capsys):
    from i2ibench.cli.app import run_app

    assert run_app(words) == 2
    assert remedy in capsys.readouterr().err
