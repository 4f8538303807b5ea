"""Every public function shows how it is called, and what it shows is run."""

from __future__ import annotations

import doctest
import inspect

import pytest
import torch

import i2ibench

FUNCTIONS = [
    name for name in i2ibench.__all__ if inspect.isroutine(getattr(i2ibench, name))
]  # fmt: skip
# What an example needs of an extra.
NEEDS = {"export_onnx": "onnxruntime"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture
def place(tmp_path):
    """A working folder with what an example speaks of; none sees what another has left."""
    from conftest import DrawnFolder

    DrawnFolder(tmp_path / "my-data").draw("train", 8).draw("test", 8)
    (tmp_path / "method.toml").write_text('title = "Theirs"\nsaw_test_targets = false\n')
    (tmp_path / "campaign.toml").write_text(
        'name = "mine"\ndatasets = ["my-data"]\nmodels = ["mean-colour"]\n'
    )
    return tmp_path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_public_function_is_true(name, place, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"the package {NEEDS[name]} is not installed")
    monkeypatch.chdir(place)
    known = {"i2ibench": i2ibench, "torch": torch}
    found = doctest.DocTestFinder(recurse=False).find(
        getattr(i2ibench, name), name, module=False, globs=known
    )
    examples = [each for each in found if each.examples]
    assert examples, f"{name} shows no example"
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    told: list[str] = []
    for each in examples:
        runner.run(each, out=told.append)
    assert not runner.failures, "".join(told)
