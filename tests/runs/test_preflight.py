"""A run tries its model first, on the sizes of its images, and is not changed by that."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from i2ibench import registry
from i2ibench.errors import PluginError
from i2ibench.runs import preflight
from i2ibench.runs.options import Options
from i2ibench.runs.preflight import section_side
from i2ibench.runs.run import run, train

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self, factor: float = 1.0):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.factor = factor
    def forward(self, source):
        made = torch.tanh(self.layer(source))
        {then}
        return made
"""


@pytest.fixture
def options(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))
    drawn.draw("train", 3, 16).draw("test", 2, 24)

    def write(then: str = "pass", **more) -> Options:
        (tmp_path / "net.py").write_text(NET.format(then=then))
        return Options(
            model=f"{tmp_path / 'net.py'}:Net",
            dataset=str(drawn.root),
            protocol="i2i-1",
            device="cpu",
            output=tmp_path / "runs",
            settings={"training.epochs": 1},
            **more,
        )

    return write


def test_the_sizes_of_the_test_images_are_tried_before_the_training(options, drawn, tmp_path):
    # Trained on 16 x 16; of 24 x 24 and 23 x 40 the first is fine.
    asked = options("assert source.shape[-1] < 40, 'too wide'")
    train(asked)
    import cv2
    import numpy as np

    for side in ("HE", "IHC"):
        wide = np.zeros((23, 40, 3), np.uint8)
        cv2.imwrite(str(drawn.root / side / "test/00009_test_0.png"), wide)
    with pytest.raises(PluginError, match=r"too wide.*test images are 40 x 23 px"):
        train(replace(asked, output=tmp_path / "other"))
    assert not [*tmp_path.glob("other/**/last.ckpt")]


def test_weights_that_were_given_are_tried_before_the_first_image_is_written(options, tmp_path):
    net = torch.nn.Conv2d(3, 3, 3, padding=1)
    torch.save({f"layer.{k}": v for k, v in net.state_dict().items()}, tmp_path / "w.pt")
    asked = options("made = made * 127.5 + 127.5", checkpoint=tmp_path / "w.pt")
    with pytest.raises(PluginError, match=r"Net\.forward \(net\.py:8\) made values from"):
        run(replace(asked, settings={}))
    assert not [*tmp_path.glob("runs/**/*.png")]
    ours = replace(options("made = 3 * made", checkpoint=tmp_path / "w.pt"), settings={})
    with pytest.warns(UserWarning, match=r"Net: Net\.forward .*% of its values outside"):
        run(ours)


def test_a_network_that_takes_one_size_alone_is_tried_at_that_size(options, drawn, monkeypatch):
    # Sections of 40 px stand for images of 72 px unless they fail.
    monkeypatch.setattr(preflight, "_SIDE", 8)
    drawn.draw("train", 3, 72).draw("test", 2, 72)
    heard = options("made = made * torch.ones(72, 72)")
    assert train(heard).checkpoint.exists()


def test_a_training_is_the_same_with_and_without_it(options, tmp_path, monkeypatch):
    asked = options("made = torch.nn.functional.dropout(made, training=self.training)")
    first = torch.load(train(asked).checkpoint, weights_only=True)["weights"]
    monkeypatch.setattr("i2ibench.runs.train_stage.before_training", lambda *_: None)
    other = train(replace(asked, output=tmp_path / "other"))
    second = torch.load(other.checkpoint, weights_only=True)["weights"]
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("side", "multiple", "small"),
    [(1024, 4, 64), (1000, 1, 72), (333, 1, 77), (1024, 256, 256), (40, 4, 40), (260, 4, 68)],
)
def test_a_section_leaves_the_remainders_of_the_whole(side, multiple, small):
    assert section_side(side, multiple) == small
    assert small % multiple == 0 and (side - small) % 32 == 0
