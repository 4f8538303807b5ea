"""Torch for those who need it only where it is in use anyway."""

from __future__ import annotations

import sys
from typing import Any


def torch_if_loaded() -> Any:
    """Return torch if anything has imported it, else None.

    An evaluation imports it in a thread of its own: what stands in ``sys.modules`` meanwhile is a
    torch in parts. The import statement waits for the whole one.
    """
    if "torch" not in sys.modules:
        return None
    import torch

    return torch
