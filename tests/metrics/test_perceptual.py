"""LPIPS equals the lpips package, DISTS torchmetrics; true weights where they are at hand."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from i2ibench.errors import MissingError
from i2ibench.metrics.deep_structure import DISTS
from i2ibench.metrics.interface import Context, PairImages
from i2ibench.metrics.perceptual import LPIPSVGG, LPIPSAlex, LPIPSSqueeze


def unverified():
    return Context(allow_unverified_weights=True)


def _read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def _to_lpips(image):
    return torch.tensor(image).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.fixture
def squeeze(shared, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(shared / "weights"))
    metric = LPIPSSqueeze()
    metric.prepare(Context())
    return metric


def test_squeeze_with_true_weights_gives_the_published_values(shared, squeeze):
    examples = shared / "weights" / "lpips-squeeze" / "examples"
    target = _read(examples / "ex_ref.png")
    for name, expected in (("ex_p0.png", 0.7110477), ("ex_p1.png", 0.1479016)):
        pair = PairImages(name, _read(examples / name), target)
        assert squeeze.score_pair(pair) == pytest.approx(expected, abs=1e-5)


def test_both_files_of_squeeze_have_one_signature(shared, squeeze):
    assert "weights:b8a52dc0" in str(squeeze.signature())


def _seeded_lpips(net):
    import lpips

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lpips.LPIPS(net=net, pnet_rand=True, verbose=False)


def _trunk_state(model):
    """The trunk's weights under torchvision's keys: ``slice2.3`` is ``features.3``."""
    return {
        "features." + key.split(".", 1)[1]: value for key, value in model.net.state_dict().items()
    }


@pytest.mark.parametrize(
    ("metric", "net", "file"),
    [
        (LPIPSAlex(), "alex", "alexnet-owt-7be5be79.pth"),
        (LPIPSSqueeze(), "squeeze", "squeezenet1_1-b8a52dc0.pth"),
        (LPIPSVGG(), "vgg", "vgg16-397923af.pth"),
    ],
    ids=["alex", "squeeze", "vgg"],
)
def test_lpips_equals_the_lpips_package(metric, net, file, make_pair, tmp_path, monkeypatch):
    reference = _seeded_lpips(net)
    torch.save(_trunk_state(reference), tmp_path / file)
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingError, match="--allow-unverified-weights"):
        metric.prepare(Context())
    metric.prepare(unverified())
    assert "|weights:unverified-" in str(metric.signature())
    for size in ((64, 64), (71, 100)):
        pair = make_pair(*size)
        with torch.no_grad():
            expected = reference(_to_lpips(pair.prediction), _to_lpips(pair.target)).item()
        assert expected > 1e-3
        assert metric.score_pair(pair) == pytest.approx(expected, abs=1e-6)
        assert metric.score_pair(PairImages("same", pair.target, pair.target)) == 0


def test_bf16_stands_in_the_signature(shared, monkeypatch, make_pair):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(shared / "weights"))
    exact, fast = LPIPSSqueeze(), LPIPSSqueeze()
    exact.prepare(Context())
    fast.prepare(Context(precision="bf16"))
    assert "precision:bf16" in str(fast.signature())
    assert "precision" not in str(exact.signature())
    pair = make_pair(64, 64)
    assert fast.score_pair(pair) == pytest.approx(exact.score_pair(pair), abs=2e-2)


def test_dists_equals_torchmetrics(make_pair, tmp_path, monkeypatch):
    from torchmetrics.functional.image import dists
    from torchvision.models import vgg

    torch.manual_seed(0)
    features = vgg.make_layers(vgg.cfgs["D"])
    for layer in features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    # torchmetrics can only download its trunk; give it the seeded one.
    monkeypatch.setattr(dists, "vgg16", lambda weights: SimpleNamespace(features=features))
    reference = dists.DISTSNetwork()
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    torch.save(state, tmp_path / "vgg16-397923af.pth")
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    metric = DISTS()
    metric.prepare(unverified())
    assert "weights:f5e65c96+unverified-" in str(metric.signature()), "true channel weights"
    for size in ((64, 64), (75, 90)):
        pair = make_pair(*size)
        a, b = (
            torch.tensor(image).permute(2, 0, 1)[None].float() / 255
            for image in (pair.prediction, pair.target)
        )
        with torch.no_grad():
            expected = reference(a, b).item()
        alone = metric.score_pair(pair)
        assert alone == pytest.approx(expected, abs=2e-6)
        assert metric.score_pair(PairImages("same", b_ := pair.target, b_)) == pytest.approx(
            0, abs=1e-12
        )
        beside = pair.beside(pair.target)  # from here on the target's stages are kept
        assert metric.score_pair(pair) == alone
        assert metric.score_pair(beside) == pytest.approx(0, abs=1e-12)


def test_a_file_of_other_tensors_is_refused(tmp_path, monkeypatch):
    from i2ibench.errors import DataError

    torch.save({"a": torch.zeros(1)}, tmp_path / "alexnet-owt-7be5be79.pth")
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(DataError, match="not the weights of this trunk"):
        LPIPSAlex().prepare(unverified())


def test_a_file_that_is_no_state_dict_is_refused(tmp_path, monkeypatch):
    from i2ibench.errors import DataError

    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"<html>not found</html>")
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(DataError, match="fetch it again"):
        LPIPSAlex().prepare(unverified())


def test_input_table_is_the_packages_scaling_layer():
    from lpips import ScalingLayer

    from i2ibench.metrics.perceptual import _INPUT_TABLE

    levels = np.arange(256, dtype=np.uint8)
    image = np.repeat(levels[:, None, None], 3, axis=2)
    expected = ScalingLayer()(_to_lpips(image))[0].permute(1, 2, 0)[:, 0].numpy()
    assert np.abs(_INPUT_TABLE[0] - expected).max() < 1e-6
