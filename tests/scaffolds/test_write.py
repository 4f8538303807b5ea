"""`i2ibench new` writes packages that pass their own tests as written, and overwrites nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.cli.app import run_app
from i2ibench.errors import DataError, UsageError
from i2ibench.registry import tomllib
from i2ibench.scaffolds.write import KINDS, write_scaffold

NAMES = {kind: f"tried-{kind}" for kind in KINDS}


def install(project: Path, site: Path) -> None:
    """Lay a package out as pip would, without pip."""
    content = tomllib.loads((project / "pyproject.toml").read_text())
    [package] = content["tool"]["setuptools"]["packages"]
    shutil.copytree(project / package, site / package)
    described = content["project"]
    info = site / f"{package}-{described['version']}.dist-info"
    info.mkdir()
    head = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(head.format(**described))
    lines = [
        line
        for group, points in described["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def test_each_package_passes_its_tests_as_written(tmp_path):
    site = tmp_path / "site"
    for kind, name in NAMES.items():
        project = write_scaffold(kind, name, tmp_path / name)
        install(project, site)
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    # All at once: a process of each would import torch four times.
    folders = [str(tmp_path / name / "tests") for name in NAMES.values()]
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders]
    done = subprocess.run(
        [*line, "--rootdir", str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "14 passed" in done.stdout


def test_what_is_written_is_whole_and_names_only_the_new_plugin(tmp_path):
    for kind, name in NAMES.items():
        project = write_scaffold(kind, name, tmp_path / kind)
        files = [path for path in project.rglob("*") if path.is_file()]
        assert {"README.md", "pyproject.toml", "__init__.py"} <= {path.name for path in files}
        assert any(path.name.startswith("test_") for path in files)
        for path in files:
            text = path.read_text(encoding="utf-8")
            assert "{{" not in text.replace("{{split}}", ""), path
            assert name in text or name.replace("-", "_") in text, path
            if path.suffix == ".py":
                compile(text, str(path), "exec")
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "name",
    ["", "My-Net", "my net", "2net", "net-", "a/b", "../a", "class", "json", "numpy", "näme", "-x"],
)
def test_names_that_no_package_can_have_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="name"):
        write_scaffold("model", name, tmp_path / "made")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("model", "pix2pix"), ("metric", "ms_ssim"), ("dataset", "bci"), ("protocol", "i2i-2")],
)
def test_names_that_are_registered_are_refused(tmp_path, kind, name):
    with pytest.raises(UsageError, match=r"registered already|cannot be a name"):
        write_scaffold(kind, name, tmp_path / "made")


def test_nothing_that_is_there_is_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_app(["new", "model", "tried-model"]) == 0
    written = Path("tried-model/tried_model/model.py")
    assert str(written) in capsys.readouterr().out
    written.write_text("mine")
    assert run_app(["new", "model", "tried-model"]) == 3
    assert written.read_text() == "mine"
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("mine")
    for place in (empty, tmp_path / "dangling", tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(DataError, match=place.name):
            write_scaffold("metric", "tried-metric", place)
    assert run_app(["new", "modell", "tried"]) == 2
    assert "did you mean model" in capsys.readouterr().err
