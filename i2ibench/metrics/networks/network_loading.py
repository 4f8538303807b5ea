"""Loading networks and running them on one image, in the same way for every metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from i2ibench.errors import DataError
from i2ibench.metrics.interface import Context
from i2ibench.metrics.networks.weights import WeightsFile, locate
from i2ibench.reading import reading
from i2ibench.tensor_files import check_tensor_file

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

# Stands in a signature for weights that are not loaded yet.
NOT_LOADED = "not-loaded"


def find_weights(name: str, context: Context) -> list[WeightsFile]:
    """Return the files of catalogue entry ``name``; ``MissingError`` as ``weights.locate``."""
    key = f"weights/{name}"
    if key not in context.shared:  # hashing a few hundred megabytes once is enough
        allowed = context.allow_unverified_weights
        context.shared[key] = locate(name, allow_unverified=allowed)
    found: list[WeightsFile] = context.shared[key]
    return found


def loaded_once(context: Context, name: str, load: Callable[[], T]) -> T:
    """Return ``load()``, done once for all that want the network ``name`` in one evaluation."""
    key = f"network/{name}"
    if key not in context.shared:
        context.shared[key] = load()
    loaded: T = context.shared[key]
    return loaded


def signature_mark(files: list[WeightsFile]) -> str:
    """Return how weights stand in a signature."""
    return "+".join(file.mark for file in files)


def torch_dtype(context: Context) -> torch.dtype:
    """Return the dtype of network features."""
    import torch

    return torch.bfloat16 if context.precision == "bf16" else torch.float32


def load_state(file: WeightsFile) -> Mapping[str, Any]:
    """Return the tensors of a weights file; any other content is a ``DataError``."""
    import torch

    with reading(file.path, "a state dict", remedy="fetch it again"):
        if not file.verified:  # the known hash says more than checksums
            check_tensor_file(file.path, "a state dict")
        try:
            # Mapped: a trunk reads only its part of a file that also holds a large classifier.
            loaded = torch.load(file.path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format before torch 1.6 cannot be mapped
            loaded = torch.load(file.path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, Mapping) or not all(hasattr(t, "shape") for t in loaded.values()):
        raise DataError(f"{file.path}: holds no state dict of tensors; fetch it again")
    return loaded
