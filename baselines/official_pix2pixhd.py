"""Generators that the official code of pix2pixHD saved, recognised by keys and shapes alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import DataError
from i2ibench.training.torch_files import read_tensors
from i2ibench_baselines.official import _PREFIX, _STATISTICS, State, _describe, _is_state
from i2ibench_baselines.pix2pixhd_networks import GlobalGenerator, LocalEnhancer

# The second convolution of a residual block stands at place 5, as there is no dropout.
_BLOCK = re.compile(r"(model|model1_2)\.(\d+)\.conv_block\.5\.weight")


def read_pix2pixhd(path: Path) -> tuple[dict[str, Any], State]:
    """Return the settings (``generator``, ``ngf``, ...) and the weights of the generator in a file.

    A global generator and a local enhancer are told apart, and their widths, downsamplings and
    blocks counted, by keys and shapes. Nothing in the file is executed.

    Raises:
        DataError: it is something else, or of images of other channels; says what.
    """
    content = read_tensors(path)
    wanted = "expected a generator of pix2pixHD (latest_net_G.pth)"
    if not _is_state(content):
        raise DataError(f"{path}: {_describe(content)}; {wanted}")
    state = {_PREFIX.sub("", key): value for key, value in content.items()}
    blocks = [match for match in map(_BLOCK.fullmatch, state) if match]
    own = sorted(int(match[2]) for match in blocks if match[1] == "model")
    if not own or state.get("model.1.weight", torch.empty(0)).ndim != 4:
        raise DataError(f"{path}: {_describe(state)}; {wanted}")
    if "model2_1.1.weight" in state:
        raise DataError(f"{path}: has more than one local enhancer; one is supported")
    if "model.2.weight" in state:
        raise DataError(f"{path}: was trained with --norm batch; only instance norm is supported")
    local = "model1_1.1.weight" in state
    settings = {
        "generator": "local" if local else "global",
        "ngf": len(state["model1_1.1.weight" if local else "model.1.weight"]),
        # Before the blocks: four layers from the image, three a downsampling.
        "downsamplings": max(1, (own[0] - 4) // 3),
        "blocks": len(own),
        **({"local_blocks": len(blocks) - len(own)} if local else {}),
    }
    # Before torch 0.4 instance norm saved statistics that it never used.
    weights = {k: v.float() for k, v in state.items() if not k.endswith(_STATISTICS)}
    _refuse_differences(path, weights, _expected(settings))
    return settings, weights


def _expected(settings: dict[str, Any]) -> dict[str, Tensor]:
    sizes = {"width": settings["ngf"]} | {
        key: value for key, value in settings.items() if key not in ("generator", "ngf")
    }
    with torch.device("meta"):
        made = LocalEnhancer if settings["generator"] == "local" else GlobalGenerator
        return made(**sizes).state_dict()


def _refuse_differences(path: Path, state: State, expected: dict[str, Tensor]) -> None:
    almost = f"{path}: almost a generator of pix2pixHD, but"
    for key in sorted(expected.keys() | state.keys()):
        if key not in state:
            raise DataError(f"{almost} {key} is missing; was it saved completely?")
        if key not in expected:
            raise DataError(f"{almost} {key} is not part of it; was the architecture changed?")
        shape, wanted = list(state[key].shape), list(expected[key].shape)
        if shape != wanted:
            channels = (
                "; it translates images of other channels, such as label maps"
                if len(shape) == 4 and shape[2:] == [7, 7]
                else ""
            )
            raise DataError(f"{almost} {key} has shape {shape} instead of {wanted}{channels}")
        if not bool(torch.isfinite(state[key]).all()):
            raise DataError(f"{almost} {key} holds NaN or infinity; its training diverged")
