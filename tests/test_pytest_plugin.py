"""The contract of a model as tests of its authors: one test a check; nothing for other runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from i2ibench.pytest_plugin import CHECKS
from i2ibench.runs.model_doctor import Examination
from i2ibench.testing import examination_of

pytest_plugins = ["pytester"]

NETS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 1), nn.ReLU(), nn.Conv2d(width, 3, 1))

    def forward(self, source):
        return torch.tanh(self.layers(source))


class EvenSides(Net):
    def forward(self, source):
        halved = nn.functional.interpolate(source, scale_factor=0.5)
        return super().forward(nn.functional.interpolate(halved, scale_factor=2.0))


class Cut(Net):
    def forward(self, source):
        return super().forward(source)[:, :, 1:]


class OfNothing(Net):
    def __init__(self):
        raise ValueError("no weights here")
"""


@pytest.fixture
def tried(pytester, monkeypatch):
    """A function that runs tests with these marks and returns what became of each."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:xdist -p no:cacheprovider")

    def run(*marks):
        pytester.makepyfile(plugged_nets=NETS)
        lines = ["import pytest", "from plugged_nets import *"]
        lines += [f"@pytest.mark.i2ibench_model{mark}" for mark in marks]
        lines += ["def test_it(i2ibench_check):", "    i2ibench_check()"]
        pytester.makepyfile(test_nets="\n".join(lines))
        pytester.syspathinsert()
        return pytester.runpytest_inprocess("-rsf", "-v")

    return run


def test_the_checks_are_those_of_the_doctor():
    examination = examination_of("l1-unet", {"generator": "resnet_6blocks", "ngf": 2})
    assert isinstance(examination, Examination) and examination.checks == CHECKS


def test_a_model_that_keeps_the_contract_passes_a_test_of_each_check(tried):
    result = tried("(model=Net, settings={'width': 3})")
    result.assert_outcomes(passed=len(CHECKS))
    result.stdout.fnmatch_lines(["*test_it?odd-sizes?*PASSED*"])


def test_a_failing_check_is_one_failing_test_of_one_line(tried):
    result = tried("(model=EvenSides)")
    result.assert_outcomes(passed=len(CHECKS) - 1, failed=1)
    result.stdout.fnmatch_lines(["odd sizes: EvenSides.forward (plugged_nets.py:*size_multiple*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_what_waits_for_another_check_is_skipped_and_says_so(tried):
    result = tried("(model=Cut)", "(model=OfNothing)", "(model='copy')", "(model='nothing')")
    result.assert_outcomes(passed=2, failed=3, skipped=4 * len(CHECKS) - 5)
    result.stdout.fnmatch_lines_random(
        [
            "shape: Cut.forward*",
            "*OfNothing*no weights here*",
            "unknown model 'nothing'*",
            "SKIPPED*Cut: mend contract first",
            "SKIPPED*copy is not trained: no learning to try",
        ]
    )


@pytest.mark.parametrize("mark", ["()", "('copy')", "(Net, {'width': 3})"])
def test_a_mark_without_a_named_model_says_how_it_is_written(tried, mark):
    result = tried(mark)
    assert result.ret != 0
    result.stdout.fnmatch_lines(
        ["*i2ibench_check needs a named model*i2ibench_model(model=MyNet)*"]
    )


def test_other_test_runs_import_next_to_nothing():
    code = (
        "import sys, pytest; before = set(sys.modules); import i2ibench.pytest_plugin; "
        "print(sorted(n for n in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['i2ibench', 'i2ibench.pytest_plugin']"
