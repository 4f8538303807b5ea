"""Predictions that are means: over the symmetries of the square, and over stochastic passes.

Averaging raises PSNR and SSIM whatever the method, because it blurs what is uncertain; it belongs
to a policy, and so to a protocol of its own, never to a model that is compared under another.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.models.policy import InferencePolicy

# Whether rows, columns, and then the axes are exchanged.
_Symmetry = tuple[bool, bool, bool]
_FLIPS: list[_Symmetry] = [(False, False, False), (False, True, False), (True, False, False)]
_FLIPS += [(True, True, False)]
_SYMMETRIES: dict[str, list[_Symmetry]] = {
    "none": _FLIPS[:1],
    "flips": _FLIPS,
    "dihedral": [*_FLIPS, *((rows, columns, True) for rows, columns, _ in _FLIPS)],
}


def averages(policy: InferencePolicy) -> bool:
    """Whether a prediction of this policy is a mean of several."""
    return policy.augmentation != "none" or policy.samples > 1


def passes(policy: InferencePolicy) -> Iterator[_Symmetry]:
    """Yield the symmetry of every pass whose mean is the prediction."""
    for _ in range(policy.samples):
        yield from _SYMMETRIES[policy.augmentation]


def turned(image: NDArray[np.uint8], symmetry: _Symmetry) -> NDArray[np.uint8]:
    """Return ``image`` ``(H, W, 3)`` under a symmetry; ``(W, H, 3)`` where axes are exchanged."""
    rows, columns, exchanged = symmetry
    image = image[:: -1 if rows else 1, :: -1 if columns else 1]
    return np.ascontiguousarray(image.transpose(1, 0, 2) if exchanged else image)


def turned_back(prediction: Tensor, symmetry: _Symmetry) -> Tensor:
    """Undo ``turned`` on a prediction ``(3, h, w)``."""
    rows, columns, exchanged = symmetry
    if exchanged:
        prediction = prediction.transpose(1, 2)
    axes = [axis for axis, flipped in ((1, rows), (2, columns)) if flipped]
    return torch.flip(prediction, axes) if axes else prediction
