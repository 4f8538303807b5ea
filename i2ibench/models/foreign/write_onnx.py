"""A network of ours as an ONNX file, with what a graph cannot say in the file's metadata."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UsageError, is_out_of_memory, named
from i2ibench.models.foreign.onnx_file import imported
from i2ibench.models.interface import TranslationModel

INPUT, OUTPUT = "source", "prediction"
# onnxruntime has run it since 2022; it holds every operator that networks of this field use.
OPSET = 17


def write_onnx(
    model: TranslationModel,
    example: Tensor,
    file: Path,
    metadata: Mapping[str, str],
    *,
    any_size: bool,
) -> None:
    """Write the network of ``model``, as it translates in evaluation mode.

    The graph is traced: branches of Python are fixed as ``example`` takes them, so whoever calls
    this compares the file with the model, at other sizes too.

    Args:
        model: on the CPU, in evaluation mode.
        example: sources ``(N, 3, H, W)`` in [-1, 1].
        file: to write.
        metadata: kept in the file, e.g. ``i2ibench.range``.
        any_size: whether height and width stay open; the number of images always does.

    Raises:
        MissingError: the package onnx is not installed.
        UsageError: the network has an operator that ONNX lacks.
    """
    onnx = imported("onnx")
    axes = {0: "N", 2: "H", 3: "W"} if any_size else {0: "N"}
    # Newer versions export by another way, which takes ten times as long and another package.
    way: dict[str, Any] = (
        {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each branch; what they fear is measured later
            torch.onnx.export(
                _Translating(model).eval(),
                (example.contiguous(),),
                str(file),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamic_axes={INPUT: axes, OUTPUT: axes},
                **way,
            )
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise UsageError(
            f"{type(model).__name__} cannot be written as ONNX: {named(error)}"
        ) from error
    content = onnx.load(str(file))
    onnx.helper.set_model_props(content, dict(metadata))
    onnx.save(content, str(file))


class _Translating(nn.Module):
    """``translate`` as ``forward``; a grey prediction becomes RGB, as it does on a board."""

    def __init__(self, model: TranslationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor) -> Tensor:
        made = self.model.translate(source)
        return made.expand(-1, 3, -1, -1) if made.shape[1] == 1 else made
