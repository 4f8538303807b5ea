"""Official checkpoints are recognised by keys and shapes; everything else is named."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_files import golden, tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from i2ibench.errors import DataError, I2IBenchError
from i2ibench.runs.initial_model import model_from_checkpoint
from i2ibench_baselines.discriminators import PatchGAN, SplitPatchGAN
from i2ibench_baselines.generators import build_generator
from i2ibench_baselines.nce import ProjectionHeads
from i2ibench_baselines.official import load_generator, read_generator
from i2ibench_baselines.pix2pixhd_networks import GlobalGenerator

KINDS = ["resnet_6blocks", "resnet_9blocks", "unet_128", "unet_256"]


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    width=st.integers(1, 6),
    norm=st.sampled_from(["batch", "instance", "none"]),
    dropout=st.booleans(),
    prefix=st.sampled_from(["", "module.", "_orig_mod.", "module._orig_mod."]),
)
def test_every_official_generator_is_recognised(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    width: int,
    norm: str,
    dropout: bool,
    prefix: str,
) -> None:
    saved = build_generator(kind, width, norm, dropout)
    path = tmp_path_factory.mktemp("official") / "latest_net_G.pth"
    torch.save({prefix + key: value for key, value in saved.state_dict().items()}, path)
    found, weights = read_generator(path)
    assert (found["generator"], found["ngf"], found["norm"]) == (kind, width, norm)
    if kind.startswith("resnet"):
        assert found["dropout"] == dropout
    for key, value in saved.state_dict().items():
        assert torch.equal(weights[key], value)


@pytest.mark.parametrize(("kind", "width"), [("resnet_9blocks", 8), ("unet_256", 4)])
def test_golden_checkpoints_load_in_evaluation_mode_and_translate(kind: str, width: int) -> None:
    generator = load_generator(golden(f"{kind}_ngf{width}_state.pth"))
    assert not any(module.training for module in generator.modules())
    image = torch.from_numpy(np.load(golden("input_256.npz"))["x"][:1])
    expected = np.load(golden(f"{kind}_ngf{width}_outputs.npz"))["y_eval_img0_full"]
    with torch.no_grad():
        np.testing.assert_allclose(generator(image).numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["pix2pix", "pyramid", "varpyramid", "l1-unet"])
def test_every_model_takes_over_an_official_generator(name: str) -> None:
    path = golden("resnet_9blocks_ngf8_state.pth")
    model = model_from_checkpoint(name, path)
    assert (model.config.generator, model.config.ngf) == ("resnet_9blocks", 8)
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        assert torch.equal(model.translate(image), load_generator(path)(image))


def test_files_of_older_torch_versions_load(tmp_path: Path) -> None:
    saved = build_generator("resnet_6blocks", 2, "instance", dropout=False)
    old = OrderedDict(saved.state_dict())
    # Until torch 0.4 instance norm saved statistics that it never used.
    for place, channels in (("model.2", 2), ("model.5", 4)):
        old[f"{place}.running_mean"] = torch.zeros(channels)
        old[f"{place}.running_var"] = torch.ones(channels)
    path = tmp_path / "old_net_G.pth"
    torch.save(old, path, _use_new_zipfile_serialization=False)
    assert read_generator(path)[0]["norm"] == "instance"

    batch = build_generator("unet_128", 2).state_dict()
    without_counters = {k: v for k, v in batch.items() if not k.endswith("num_batches_tracked")}
    torch.save(without_counters, path)
    assert set(load_generator(path).state_dict()) == set(batch)


def test_half_precision_is_widened(tmp_path: Path) -> None:
    path = tmp_path / "half.pth"
    torch.save(build_generator("resnet_6blocks", 2).half().state_dict(), path)
    assert all(parameter.dtype == torch.float32 for parameter in load_generator(path).parameters())


def refusal(path: Path) -> str:
    """The one line with which both doors refuse a file: the function and ``--checkpoint``."""
    with pytest.raises(DataError) as caught:
        load_generator(path)
    message = str(caught.value)
    assert "weights_only" not in message
    with pytest.raises(I2IBenchError) as at_the_command_line:
        model_from_checkpoint("pyramid", path)
    if "i2ibench itself" not in message:
        assert str(at_the_command_line.value) == message
    assert message.startswith(str(path)) and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n<html>", "web page"),
        (b"", "empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        (b"\x89PNG\r\n\x1a\n", "PNG image"),
        (b"\xff\xd8\xff\xe0", "JPEG image"),
        (b"\x10\0\0\0\0\0\0\0" + b'{"a":{}}', "safetensors"),
        (b"epoch: 1, loss: 2", "torch.save did not write"),
        (b"PK\x03\x04 and no more", "truncated"),
        (b"\x80\x02\x8a\x0a", "not a readable checkpoint"),
        (b"\x80\x02\xff\xff\xff", "damaged, or no checkpoint"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "latest_net_G.pth"
    path.write_bytes(content)
    assert words in refusal(path)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_truncated_checkpoints_are_refused(tmp_path: Path, new_format: bool, part: float) -> None:
    path = tmp_path / "latest_net_G.pth"
    state = build_generator("resnet_6blocks", 2).state_dict()
    torch.save(state, path, _use_new_zipfile_serialization=new_format)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    refusal(path)


def test_other_contents_are_named(tmp_path: Path) -> None:
    adam = torch.optim.Adam([nn.Parameter(torch.ones(2))])
    state = build_generator("resnet_6blocks", 2).state_dict()
    contents = {
        "PatchGAN discriminator": PatchGAN(width=2).state_dict(),
        "state of an optimiser": adam.state_dict(),
        "Lightning checkpoint": {"state_dict": state, "pytorch-lightning_version": "2.4"},
        "collection of parts (netG": {"netG": state, "netD": {}},
        "checkpoint of i2ibench itself, of model 'pyramid'": {
            "format": "i2ibench-checkpoint",
            "version": 99,
            "model": "pyramid",
        },
        "holds a Tensor": torch.ones(3),
        "empty dictionary": {},
        "1 entries, such as features.0.weight": {"features.0.weight": torch.ones(1)},
    }
    for number, (words, content) in enumerate(contents.items()):
        path = tmp_path / f"{number}.pth"
        torch.save(content, path)
        assert words in refusal(path)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "whole_module.pth"
    torch.save(build_generator("resnet_6blocks", 2), path)
    message = refusal(path)
    assert "never loaded" in message and "state_dict" in message


def test_almost_official_generators_are_refused_with_the_difference(tmp_path: Path) -> None:
    state = build_generator("resnet_6blocks", 2).state_dict()
    key = "model.12.conv_block.1.weight"
    changes = {
        f"{key} is missing": {k: v for k, v in state.items() if k != key},
        "extra.weight is not part of it": {**state, "extra.weight": torch.ones(1)},
        f"{key} has shape [8, 8, 5, 5] instead of [8, 8, 3, 3]": {
            **state,
            key: torch.zeros(8, 8, 5, 5),
        },
        f"{key} holds NaN": {**state, key: state[key] * float("nan")},
    }
    path = tmp_path / "latest_net_G.pth"
    for words, changed in changes.items():
        torch.save(changed, path)
        assert words in refusal(path)
    blocks = {k: v for k, v in state.items() if not k.startswith("model.15.")}
    torch.save(blocks, path)
    assert "5 residual blocks; the official ones have 6 or 9" in refusal(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nowhere.pth")
    assert "is a folder" in refusal(tmp_path)


CONTRASTIVE = {
    "cut_resnet9_ngf8_G_initial.pth": ("cut", "resnet_9blocks", 8, True, False),
    "fastcut_resnet9_ngf8_G_initial.pth": ("fastcut", "resnet_9blocks", 8, True, False),
    "asp_resnet6_ngf8_spectral_G_initial.pth": ("asp", "resnet_6blocks", 8, True, True),
    "cyclegan_resnet9_ngf4_G_A_initial.pth": ("cyclegan", "resnet_9blocks", 4, False, False),
    "cyclegan_resnet9_ngf4_G_B_initial.pth": ("cyclegan", "resnet_9blocks", 4, False, False),
}


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_generators_of_contrastive_and_cycle_methods_load_by_their_keys(name: str) -> None:
    stored = tensors(name)
    model_name, kind, width, antialias, spectral = CONTRASTIVE[name]
    model = model_from_checkpoint(model_name, golden(name))
    config = model.config
    assert (config.generator, config.ngf) == (kind, width)
    assert (config.antialias, config.spectral) == (antialias, spectral)
    assert (config.norm, config.dropout) == ("instance", False)
    loaded = model.generator.state_dict()
    assert loaded.keys() == stored.keys()
    assert all(torch.equal(loaded[key], stored[key]) for key in stored)
    # Any other method with a generator of this kind takes the file, too.
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        made = model_from_checkpoint("pix2pix", golden(name)).translate(image)
        assert torch.equal(made, model.translate(image))


@pytest.mark.parametrize("kind", ["resnet_6blocks", "unet_128"])
@pytest.mark.parametrize(("taken", "made"), [(1, 3), (3, 1), (1, 1)])
def test_grey_generators_load_and_translate_colour_images(
    tmp_path: Path, kind: str, taken: int, made: int
) -> None:
    saved = build_generator(kind, 2, "instance", False, taken, made)
    path = tmp_path / "latest_net_G.pth"
    torch.save(saved.state_dict(), path)
    model = model_from_checkpoint("pix2pix", path)
    assert (model.config.in_channels, model.config.out_channels) == (taken, made)
    levels = torch.randint(256, (128, 128, 3), generator=torch.Generator().manual_seed(0))
    image = Image.fromarray(levels.numpy().astype(np.uint8))
    source = levels.permute(2, 0, 1)[None] / 127.5 - 1
    if taken == 1:  # as the official code reads images of one channel
        given = torch.from_numpy(np.array(image.convert("L")))[None, None] / 127.5 - 1
    else:
        given = source
    with torch.no_grad():
        expected = saved.eval().model(given).expand(-1, 3, -1, -1)
        torch.testing.assert_close(model.translate(source), expected, rtol=0, atol=1e-5)


def test_what_else_contrastive_methods_save_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latest.pth"
    torch.save(ProjectionHeads([3, 4], 2, "after").state_dict(), path)
    assert "net_F.pth" in refusal(path)
    split = SplitPatchGAN(width=2, norm="instance", in_channels=3, spectral=True)
    torch.save(split.state_dict(), path)
    assert "PatchGAN discriminator" in refusal(path)
    state = build_generator("resnet_6blocks", 2, "instance", False, antialias=True).state_dict()
    torch.save({**state, "model.7.filt": state["model.7.filt"] * 2}, path)
    assert "model.7.filt is another blur" in refusal(path)
    state = build_generator("resnet_6blocks", 2, in_channels=4).state_dict()
    torch.save(state, path)
    assert "takes 4 channels" in refusal(path)


@pytest.mark.parametrize("downsamplings", [1, 3, 4])
def test_a_generator_of_pix2pixhd_is_named(tmp_path: Path, downsamplings: int) -> None:
    path = tmp_path / "latest_net_G.pth"
    state = GlobalGenerator(width=2, downsamplings=downsamplings, blocks=9).state_dict()
    torch.save(state, path)
    assert "--model pix2pixhd" in refusal(path)


def test_a_resnet_without_its_last_layer_was_not_saved_completely(tmp_path: Path) -> None:
    path = tmp_path / "latest_net_G.pth"
    state = build_generator("resnet_6blocks", 2).state_dict()
    last = max(int(key.split(".")[1]) for key in state)
    torch.save({k: v for k, v in state.items() if not k.startswith(f"model.{last}.")}, path)
    assert f"model.{last}.bias is missing; was it saved completely" in refusal(path)


def test_a_method_that_cannot_use_a_generator_says_so(tmp_path: Path) -> None:
    path = tmp_path / "latest_net_G.pth"
    torch.save(build_generator("unet_128", 2).state_dict(), path)
    with pytest.raises(DataError, match=r"latest_net_G\.pth.*unet_128"):
        model_from_checkpoint("cut", path)
