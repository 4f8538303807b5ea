"""Print pip constraints that hold each dependency at the lowest version that pyproject promises."""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<lowest>[0-9.]+)[^;]*(?P<marker>;.*)?")


def constraints(project: dict) -> list[str]:
    """Return ``name==lowest`` for everything that the package and its tests need."""
    held = []
    for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        found = _REQUIREMENT.fullmatch(text)
        if found is None:
            sys.exit(f"pyproject.toml: {text!r} promises no lowest version; write NAME>=VERSION")
        held.append(f"{found['name']}=={found['lowest']}{found['marker'] or ''}")
    return held


if __name__ == "__main__":
    pyproject = Path(__file__).resolve().parents[1] / "pyproject.toml"
    print("\n".join(constraints(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"])))
