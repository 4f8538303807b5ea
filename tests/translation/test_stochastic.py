"""A stochastic model gives the same predictions for the same seed, whatever came before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from i2ibench import Options, registry, run
from i2ibench.data.dataset import Dataset
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.models.interface import ModelConfig, TranslationModel
from i2ibench.translation.manifest import Manifest, read_manifest
from i2ibench.translation.translate import translate


class Noisy(TranslationModel):
    """Add noise: one sample of many."""

    stochastic = True

    def translate(self, source: Tensor) -> Tensor:
        return (source + 0.2 * torch.randn_like(source)).clamp(-1, 1)


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch) -> str:
    registry.models.names()
    monkeypatch.setitem(registry.models._added, "noisy", registry.Entry("noisy", "", "a test"))
    monkeypatch.setitem(registry.models._loaded, "noisy", Noisy)
    return "noisy"


def _predictions(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def _manifest(seed: int | None = None) -> Manifest:
    return Manifest(
        model="noisy",
        checkpoint_sha256=None,
        protocol="i2i-1",
        preparation={},
        inference=load_protocol("i2i-1").inference,
        precision="fp32",
        seed=seed,
    )


def _run(root: Path, output: Path, **options: object) -> dict[str, bytes]:
    torch.manual_seed(hash(str(output)) % 1000)  # whatever drew numbers before must not matter
    done = run(Options(model="noisy", dataset=str(root), output=output, board=None, **options))
    return _predictions(done.folder / "predictions")


def test_the_runs_seed_decides_under_a_deterministic_protocol(noisy, drawn, tmp_path) -> None:
    root = drawn.draw("test", 4).root
    first = _run(root, tmp_path / "one")
    assert len(set(first.values())) == 4
    assert _run(root, tmp_path / "two") == first
    other = _run(root, tmp_path / "three", seed=1)
    assert all(other[name] != content for name, content in first.items())


def test_the_protocols_seed_decides_where_it_names_one(noisy, drawn, tmp_path) -> None:
    root = drawn.draw("test", 3).root
    first = _run(root, tmp_path / "one", protocol="i2i-1-mean8")
    assert _run(root, tmp_path / "two", protocol="i2i-1-mean8", seed=5) == first


def test_a_resumed_translation_equals_one_in_one_go(noisy, drawn, tmp_path) -> None:
    pairs = Dataset.open(drawn.draw("test", 4).root).split()
    manifest = _manifest(seed=3)
    model = Noisy(ModelConfig())
    translate(model, pairs, tmp_path / "whole", manifest)

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate(model, pairs, tmp_path / "cut", manifest, progress=stop)
    translate(model, pairs, tmp_path / "cut", manifest)
    assert _predictions(tmp_path / "cut") == _predictions(tmp_path / "whole")
    # Another seed is another origin: nothing of the former is kept.
    translate(model, pairs, tmp_path / "cut", manifest.model_copy(update={"seed": 4}))
    assert _predictions(tmp_path / "cut") != _predictions(tmp_path / "whole")


def test_a_manifest_without_a_seed_gets_one_that_is_told(noisy, drawn, tmp_path) -> None:
    pairs = Dataset.open(drawn.draw("test", 2).root).split()
    manifest = _manifest()
    for name in ("one", "two"):
        translate(Noisy(ModelConfig()), pairs, tmp_path / name, manifest)
    assert _predictions(tmp_path / "one") == _predictions(tmp_path / "two")
    assert read_manifest(tmp_path / "one").seed == 0


def test_manifests_of_deterministic_models_name_no_seed(drawn, tmp_path) -> None:
    root = drawn.draw("test", 2).root
    done = run(Options(model="copy", dataset=str(root), output=tmp_path, board=None, seed=7))
    assert "seed" not in read_manifest(done.folder / "predictions").model_dump()
