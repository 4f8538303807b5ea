"""The heads of LPIPS count by their content, as its trunks do."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from i2ibench.errors import DataError, MissingError
from i2ibench.metrics.interface import Context
from i2ibench.metrics.networks import weights
from i2ibench.metrics.perceptual import LPIPSVGG, LPIPSAlex, LPIPSSqueeze


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The head files of an installed ``lpips`` that can be changed; its code fails if imported."""
    (original,) = weights._package_folders("lpips")
    folder = tmp_path / "site" / "lpips"
    shutil.copytree(original / "weights" / "v0.1", folder / "weights" / "v0.1")
    (folder / "__init__.py").write_text("raise AssertionError('lpips is imported')\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == "lpips"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return folder / "weights" / "v0.1"


@pytest.fixture
def squeeze(package, shared, monkeypatch):
    """The same, with the true trunk of SqueezeNet at hand."""
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(shared / "weights"))
    return package


@pytest.mark.parametrize("metric", [LPIPSAlex, LPIPSVGG, LPIPSSqueeze])
def test_the_heads_of_the_installed_package_are_the_known_ones(metric, package):
    [found] = weights.locate(f"lpips-{metric.trunk}-heads")
    assert (found.verified, found.path) == (True, package / f"{metric.trunk}.pth")


def test_right_heads_leave_the_signature_as_it_was(squeeze):
    metric = LPIPSSqueeze()
    metric.prepare(Context())
    assert str(metric.signature()) == (
        "lpips-squeeze|net:squeeze|version:0.1|range:-1..1|weights:b8a52dc0|mean:image|v:1"
    )


def test_wrong_heads_under_the_right_name_are_refused_and_signed_where_allowed(squeeze):
    path = squeeze / "squeeze.pth"
    state = torch.load(path, map_location="cpu", weights_only=True)
    torch.save({key: 2 * value for key, value in state.items()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    metric = LPIPSSqueeze()
    with pytest.raises(MissingError, match=f"{digest}.*--allow-unverified-weights"):
        metric.prepare(Context())
    metric.prepare(Context(allow_unverified_weights=True))
    assert f"|weights:b8a52dc0+unverified-{digest}|" in str(metric.signature())


def test_heads_of_another_kind_are_refused_with_their_file(squeeze):
    torch.save({"a": torch.zeros(1)}, squeeze / "squeeze.pth")
    with pytest.raises(DataError, match=r"squeeze\.pth: no heads of LPIPS"):
        LPIPSSqueeze().prepare(Context(allow_unverified_weights=True))


def test_a_trunk_without_its_heads_is_told_with_the_remedy(squeeze):
    (squeeze / "squeeze.pth").unlink()
    with pytest.raises(MissingError, match="i2ibench weights fetch lpips-squeeze-heads"):
        LPIPSSqueeze().prepare(Context())
    assert weights.present("lpips-squeeze") == []


def test_scoring_imports_no_lpips(squeeze):
    code = (
        "import sys, numpy as np; from i2ibench.metrics.perceptual import LPIPSSqueeze; "
        "from i2ibench.metrics.interface import Context; metric = LPIPSSqueeze(); "
        "metric.prepare(Context()); images = np.zeros((1, 64, 64, 3), np.uint8); "
        "print(metric.score(images, images + 99)); sys.exit('lpips' in sys.modules)"
    )
    path = os.pathsep.join([str(squeeze.parents[2]), str(Path.cwd())])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
