"""What pyproject asks for is what is imported, and its lower bounds are what the checks install."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.registry import tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9.-]", text)[0].lower().replace("_", "-") for text in requirements}


def _imported() -> set[str]:
    """Top-level modules that the packages import at run time, anywhere."""
    found: set[str] = set()
    for folder in ("i2ibench", "baselines"):
        for file in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    found.add(str(node.module).split(".")[0])
    ours = {"i2ibench", "i2ibench_baselines"}
    # Pydantic and Jinja hand these out as parts of their own interfaces; IPython is imported only
    # in the kernel of a notebook, which is its own, and pytest by the module that pytest loads.
    brought = {"typing_extensions", "markupsafe", "IPython", "pytest"}
    return found - set(sys.stdlib_module_names) - ours - brought - {"tomllib"}


def test_every_imported_package_is_asked_for_and_every_one_asked_for_is_imported() -> None:
    distributions = importlib.metadata.packages_distributions()
    runtime = _names(PROJECT["dependencies"])
    packages = [EXTRAS[name] for name in ("tensorboard", "wandb", "diffusion", "study", "ray")]
    optional = _names([each for found in packages for each in found])
    used = set()
    for module in _imported():
        # What is not installed has the name of its module.
        by = {name.lower().replace("_", "-") for name in distributions.get(module, [module])}
        assert by & (runtime | optional), f"{module} is imported and nothing asks for it"
        used |= by
    assert runtime - used == set()
    assert not {"torchvision", "pooch"} & runtime


@pytest.fixture(scope="module")
def constraints() -> list[str]:
    """What the script of the checks hands to pip."""
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "lowest_versions.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_every_dependency_is_held_at_its_lower_bound(constraints: list[str]) -> None:
    promised = [*PROJECT["dependencies"], *EXTRAS["test"]]
    assert len(constraints) == len(promised)
    for text, held in zip(promised, constraints, strict=True):
        bound = re.search(r">=([0-9.]+)", text)
        assert bound is not None, f"{text} promises no lowest version"
        name, version = re.match(r"([A-Za-z0-9._-]+)==([0-9.]+)", held).groups()
        assert (name, version) == (text.split(">=")[0], bound[1])


def test_a_dependency_of_some_pythons_is_held_for_those(constraints: list[str]) -> None:
    [tomli] = [held for held in constraints if held.startswith("tomli")]
    assert tomli == "tomli==2; python_version < '3.11'"
