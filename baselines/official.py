"""Generators saved by the official code, recognised by the keys and shapes of the file alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import DataError
from i2ibench.training.torch_files import read_tensors
from i2ibench_baselines.antialiasing import BlurredDoubling, BlurredHalving
from i2ibench_baselines.generators import (
    RESIDUAL_BLOCKS,
    UNET_DOWNSAMPLINGS,
    Norm,
    build_generator,
)

State = dict[str, Tensor]

# What DataParallel and torch.compile put before every key, in any order and number.
_PREFIX = re.compile(r"^(?:module\.|_orig_mod\.)+")
_RESIDUAL_CONV = re.compile(r"model\.(\d+)\.conv_block\.([56])\.weight(?:_orig)?")
# Where the residual blocks begin after two halvings: by strides, by blurs.
_FIRST_BLOCK = (10, 12)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_WANTED = "expected an official generator"


def load_generator(path: Path | str) -> nn.Module:
    """Return the official generator saved in ``path``, in evaluation mode.

    Kind, width, number of blocks, norm, the place of dropout, blurs, spectral norm and grey images
    follow from keys and shapes. Nothing in the file is executed. Raises ``DataError`` with what the
    file looks like when it is something else.
    """
    settings, weights = read_generator(Path(path))
    generator = _built(settings)
    generator.load_state_dict(weights)
    return generator.eval()


def read_generator(path: Path) -> tuple[dict[str, Any], State]:
    """Return the settings of a generator, those of ``GeneratorConfig``, and its weights.

    Dropout leaves no trace in the file of a U-Net; it is then set, as is the official default.
    """
    state = read_state(path, _WANTED)
    settings = _settings(path, state)
    state = _in_current_form(state, settings["norm"])
    with torch.device("meta"):
        expected = _built(settings).state_dict()
    what = f"{settings['generator']} of width {settings['ngf']}"
    refuse_differences(path, state, expected, what)
    return settings, state


def _settings(path: Path, state: State) -> dict[str, Any]:
    # Place 6 is the second convolution after dropout, else the norm, whose weight has one axis.
    first = state.get("model.1.weight", state.get("model.1.weight_orig"))
    convolutions = [
        match
        for key, value in state.items()
        if (match := _RESIDUAL_CONV.fullmatch(key)) and value.ndim == 4
    ]
    if convolutions and first is not None and first.ndim == 4:
        if min(int(match[1]) for match in convolutions) not in _FIRST_BLOCK:
            raise DataError(
                f"{path}: a residual generator that does not halve twice, such as that of "
                f"pix2pixHD (--model pix2pixhd); {_WANTED}"
            )
        kind = _kind(path, RESIDUAL_BLOCKS, len(convolutions), "residual blocks")
        return {
            "generator": kind,
            "ngf": len(first),
            "norm": _norm(state, convolution="model.1", norm="model.2"),
            "dropout": convolutions[0][2] == "6",
            "antialias": any(key.endswith(".filt") for key in state),
            "spectral": "model.1.weight_orig" in state,
            "in_channels": image_channels(path, "takes", first.shape[1]),
            "out_channels": image_channels(path, "makes", channels_made(state, "model")),
        }
    if "model.model.0.weight" in state and "model.model.3.weight" in state:
        depth = max(key.count("model.") for key in state) - 1
        first, last = state["model.model.0.weight"], state["model.model.3.weight"]
        return {
            "generator": _kind(path, UNET_DOWNSAMPLINGS, depth, "downsamplings"),
            "ngf": len(first),
            "norm": _norm(state, convolution="model.model.0", norm="model.model.1.model.2"),
            "dropout": True,
            "in_channels": image_channels(path, "takes", first.shape[1] if first.ndim > 1 else 0),
            "out_channels": image_channels(path, "makes", last.shape[1] if last.ndim > 1 else 0),
        }
    raise DataError(f"{path}: {describe(state)}; {_WANTED}")


def _kind(path: Path, known: Mapping[str, int], found: int, what: str) -> str:
    for kind, count in known.items():
        if count == found:
            return kind
    raise DataError(
        f"{path}: a generator with {found} {what}; the official ones have "
        f"{' or '.join(str(count) for count in known.values())}"
    )


def channels_made(state: State, part: str) -> int:
    """Return how many channels the last convolution of a ``part`` makes, the last one of 7 x 7.

    Where it is missing, 3: the file is not whole, which its missing keys will tell.
    """
    made = {
        int(match[1]): len(value)
        for key, value in state.items()
        if (match := re.fullmatch(rf"{part}\.(\d+)\.weight(?:_orig)?", key))
        and value.ndim == 4
        and value.shape[-1] == 7
    }
    last = max(made, default=0)
    return made[last] if last > 1 else 3


def image_channels(path: Path, does: str, found: int) -> int:
    """Return ``found`` where images have so many channels; any other number is refused."""
    if found in (1, 3):
        return found
    raise DataError(
        f"{path}: a generator that {does} {found} channels; images have 3, or 1 of grey"
    )


def _built(settings: Mapping[str, Any]) -> nn.Module:
    return build_generator(
        settings["generator"],
        settings["ngf"],
        settings["norm"],
        settings["dropout"],
        settings["in_channels"],
        settings["out_channels"],
        settings.get("antialias", False),
        settings.get("spectral", False),
    )


def _norm(state: State, convolution: str, norm: str) -> Norm:
    # Instance norm has no weights of its own; the convolution before it has a bias instead.
    if f"{norm}.weight" in state:
        return "batch"
    return "instance" if f"{convolution}.bias" in state else "none"


def _in_current_form(state: State, norm: Norm) -> State:
    """Return ``state`` as float32 and as today's torch would save it.

    Before torch 0.4 instance norm saved statistics it never used; until 0.4.1 batch norm did not
    count its batches.
    """
    if norm != "batch":
        state = {key: value for key, value in state.items() if not key.endswith(STATISTICS)}
    current: State = {}
    for key, value in state.items():
        current[key] = value.float() if value.is_floating_point() else value
        counter = key.removesuffix("running_var") + "num_batches_tracked"
        if key.endswith("running_var") and counter not in state:
            current[counter] = torch.tensor(0)
    return current


def read_state(path: Path, wanted: str) -> State:
    """Return the weights in a file under the keys of the network itself.

    Raises:
        DataError: it holds something else; says what, and what was ``wanted``.
    """
    content = read_tensors(path)
    if not _is_state(content):
        raise DataError(f"{path}: {describe(content)}; {wanted}")
    return {_PREFIX.sub("", key): value for key, value in content.items()}


def refuse_differences(
    path: Path,
    state: State,
    expected: Mapping[str, Tensor],
    what: str,
) -> None:
    """Refuse weights that are not whole, finite, and of the shapes of a network.

    Args:
        path: of the file.
        state: its weights.
        expected: the state of the network that they seem to be of.
        what: that network in words, e.g. ``resnet_9blocks of width 64``.

    Raises:
        DataError: names the first key that differs.
    """
    almost = f"{path}: almost a {what}, but"
    for key in sorted(expected.keys() | state.keys()):
        if key not in state:
            raise DataError(f"{almost} {key} is missing; was it saved completely?")
        if key not in expected:
            raise DataError(f"{almost} {key} is not part of it; was the architecture changed?")
        shape, wanted = list(state[key].shape), list(expected[key].shape)
        if shape != wanted:
            raise DataError(f"{almost} {key} has shape {shape} instead of {wanted}")
        if not bool(torch.isfinite(state[key]).all()):
            raise DataError(f"{almost} {key} holds NaN or infinity; its training diverged")
        if key.endswith(".filt") and not _is_blur(state[key]):
            raise DataError(f"{almost} {key} is another blur; was the architecture changed?")


def _is_blur(filt: Tensor) -> bool:
    kind = BlurredHalving if filt.shape[-1] == 3 else BlurredDoubling
    return torch.equal(filt, kind(len(filt)).filt)


def _is_state(content: object) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and all(
            isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
        )
    )


def describe(content: object) -> str:
    """Return in words what a loaded object looks like."""
    if not isinstance(content, dict):
        return f"holds a {type(content).__name__}, not a dictionary of tensors"
    keys = [str(key) for key in content]
    if content.get("format") == "i2ibench-checkpoint":
        return f"is a checkpoint of i2ibench itself, of model '{content.get('model')}'"
    if "pytorch-lightning_version" in content:
        return "looks like a Lightning checkpoint"
    if {"state", "param_groups"} <= set(keys):
        return "looks like the state of an optimiser"
    if not keys:
        return "is an empty dictionary"
    if "mlp_0.0.weight" in keys:
        return "looks like the projection heads of CUT or ASP (an official *_net_F.pth)"
    if _is_patch_discriminator(content):
        return "looks like a PatchGAN discriminator (an official *_net_D.pth)"
    nested = [str(key) for key, value in content.items() if isinstance(value, dict)]
    if nested:
        return f"is a collection of parts ({', '.join(nested[:4])}); save one network's state_dict"
    return f"is a dictionary of {len(keys)} entries, such as {', '.join(sorted(keys)[:3])}"


def _is_patch_discriminator(content: dict[Any, Any]) -> bool:
    by_end = {_PREFIX.sub("", str(key)): content[key] for key in content}
    names = ("model.0.weight", "net.0.weight", "enc.0.weight", "enc.0.weight_orig")
    first = next((by_end[name] for name in names if name in by_end), None)
    return isinstance(first, Tensor) and first.ndim == 4 and first.shape[-1] in (1, 4)
