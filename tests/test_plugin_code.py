"""The hash of a plugin's code: it changes with what decides numbers, and with nothing else."""

from __future__ import annotations

import sys
import types

import pytest

from i2ibench.errors import UsageError
from i2ibench.plugin_code import class_sha256, contents
from i2ibench.registry import Entry, Registry


@pytest.fixture
def place(tmp_path):
    """A model file with a helper, a package and a lazy import beside it, and a stranger."""
    (tmp_path / "parts").mkdir()
    files = {
        "net.py": "import blocks\nimport json\ndef f():\n    from parts import deep\n",
        "blocks.py": "WIDTH = 8\n",
        "parts/__init__.py": "",
        "parts/deep.py": "from . import deeper\n",
        "parts/deeper.py": "from ..blocks import WIDTH\n",
        "json.py": "raise ImportError('never imported')\n",
        "other.py": "WIDTH = 9\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["net.py", "blocks.py", "parts/__init__.py", "parts/deep.py", "parts/deeper.py"]
)
def test_an_edit_of_any_imported_file_changes_the_hash(place, name):
    before = contents(place / "net.py")
    (place / name).write_text((place / name).read_text() + "# edited\n")
    assert contents(place / "net.py").sha256 != before.sha256


def test_what_is_not_imported_and_the_place_change_nothing(place, tmp_path_factory):
    before = contents(place / "net.py")
    assert {path.name for path in before.files} == {
        *("net.py", "blocks.py", "__init__.py", "deep.py", "deeper.py")
    }
    (place / "other.py").write_text("WIDTH = 10\n")
    (place / "json.py").write_text("the standard library's is meant\n")
    moved = tmp_path_factory.mktemp("moved") / "here"
    place.rename(moved)
    assert contents(moved / "net.py").sha256 == before.sha256


CELL = """
class Net:
    rate = 0.1
    def forward(self, x):
        return scale(x) + 1
def scale(x):
    return x * FACTOR
FACTOR = 2
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.1", "0.2"), ("+ 1", "+ 2"), ("x * FACTOR", "x - FACTOR"), ("FACTOR = 2", "FACTOR = 3")],
)
def test_a_class_of_a_notebook_is_known_by_its_code(monkeypatch, old, new):
    def hashed(text: str) -> str:
        module = types.ModuleType("a_cell")
        monkeypatch.setitem(sys.modules, "a_cell", module)
        exec(text, module.__dict__)  # noqa: S102
        return class_sha256(module.Net)

    assert hashed(CELL) == hashed("\n\n# a comment\n" + CELL) != hashed(CELL.replace(old, new))


def test_a_cell_that_is_run_again_replaces_its_class_and_no_installed_one():
    own = Registry("thing", "i2ibench.models")
    own.register("mine", first := object())
    own.register("mine", second := object())
    assert own.get("mine") is second is not first
    with pytest.raises(UsageError, match="already provided by this process"):
        own.add(Entry("mine", "", "net.py"), object())
