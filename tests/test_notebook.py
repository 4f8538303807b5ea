"""docs/notebook.ipynb runs, and stores what its cells show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from notebook_cells import run_cells

PATH = Path(__file__).resolve().parents[1] / "docs" / "notebook.ipynb"


@pytest.mark.filterwarnings("ignore")
def test_every_cell_runs_and_shows_what_is_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(PATH.read_text(encoding="utf-8"))
    found = run_cells(notebook)
    stored = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (now, then) in enumerate(zip(found, stored, strict=True), start=1):
        assert [kind(each) for each in now] == [kind(each) for each in then], f"cell {number}"
    html = ["".join(each.get("data", {}).get("text/html", [])) for cell in found for each in cell]
    assert sum("data:image/jpeg" in each for each in html) == 2  # the data set, and a run
    assert sum("<table" in each for each in html) >= 5


def test_what_is_stored_names_nothing_of_the_machine_that_ran_it():
    text = PATH.read_text(encoding="utf-8")
    assert not [word for word in ("/tmp/", "/home/", "/root/", "Users") if word in text]  # noqa: S108
    assert len(text) < 600_000


def kind(output) -> tuple[str, ...]:
    return (output["output_type"], *sorted(output.get("data", ())))
