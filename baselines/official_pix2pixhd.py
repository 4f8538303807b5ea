"""Generators that the official code of pix2pixHD saved, recognised by keys and shapes alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import DataError
from i2ibench_baselines.official import (
    STATISTICS,
    State,
    channels_made,
    describe,
    image_channels,
    read_state,
    refuse_differences,
)
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
    wanted = "expected a generator of pix2pixHD (latest_net_G.pth)"
    state = read_state(path, wanted)
    blocks = [match for match in map(_BLOCK.fullmatch, state) if match]
    own = sorted(int(match[2]) for match in blocks if match[1] == "model")
    if not own or state.get("model.1.weight", torch.empty(0)).ndim != 4:
        raise DataError(f"{path}: {describe(state)}; {wanted}")
    if "model2_1.1.weight" in state:
        raise DataError(f"{path}: has more than one local enhancer; one is supported")
    if "model.2.weight" in state:
        raise DataError(f"{path}: was trained with --norm batch; only instance norm is supported")
    local = "model1_1.1.weight" in state
    first = state["model1_1.1.weight" if local else "model.1.weight"]
    made = channels_made(state, "model1_2" if local else "model")
    settings = {
        "generator": "local" if local else "global",
        "ngf": len(first),
        # Before the blocks: four layers from the image, three a downsampling.
        "downsamplings": max(1, (own[0] - 4) // 3),
        "blocks": len(own),
        **({"local_blocks": len(blocks) - len(own)} if local else {}),
        "in_channels": image_channels(path, "takes", first.shape[1] if first.ndim == 4 else 0),
        "out_channels": image_channels(path, "makes", made),
    }
    # Before torch 0.4 instance norm saved statistics that it never used.
    weights = {k: v.float() for k, v in state.items() if not k.endswith(STATISTICS)}
    what = "generator of pix2pixHD"
    refuse_differences(path, weights, _expected(settings), what)
    return settings, weights


def _expected(settings: dict[str, Any]) -> dict[str, Tensor]:
    sizes = {"width": settings["ngf"]} | {
        key: value for key, value in settings.items() if key not in ("generator", "ngf")
    }
    with torch.device("meta"):
        made = LocalEnhancer if settings["generator"] == "local" else GlobalGenerator
        return made(**sizes).state_dict()
