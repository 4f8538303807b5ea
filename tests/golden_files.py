"""Outputs of official code, beside the checkout or where ``$I2IBENCH_GOLDEN`` says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "golden"


def golden(name: str) -> Path:
    """Return the file ``name`` of the reference outputs; skips where it is not."""
    folder = Path(os.environ.get("I2IBENCH_GOLDEN") or _BESIDE)
    for place in (folder / "more_methods" / name, folder / name):
        if place.is_file():
            return place
    pytest.skip(f"reference output {name} is not in {folder} ($I2IBENCH_GOLDEN)")


def tensors(name: str) -> dict[str, Tensor]:
    """Return the arrays of an ``.npz``, or the state of a ``.pth``."""
    path = golden(name)
    if path.suffix == ".pth":
        state: dict[str, Tensor] = torch.load(path, weights_only=True)
        return state
    with np.load(path) as stored:
        return {key: torch.from_numpy(stored[key]) for key in stored}


def described(name: str) -> dict[str, Any]:
    """Return the content of a ``.json``."""
    content: dict[str, Any] = json.loads(golden(name).read_text(encoding="utf-8"))
    return content


def comparable(steps: list) -> list:
    """Return the steps whose losses another version of torch gives, too: the first, else all.

    The reference outputs were made with 2.14, and so narrow networks amplify each last digit by
    which another version rounds differently.
    """
    return steps if torch.__version__.startswith("2.14.") else steps[:1]


def skip_later_steps(compared: list, steps: list) -> None:
    """End a test whose later steps cannot be compared, and say so."""
    if len(compared) < len(steps):
        pytest.skip("later steps are those of torch 2.14, with which the references were made")
