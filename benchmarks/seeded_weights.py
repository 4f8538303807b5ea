"""Files of random weights from a seed: the keys and shapes of true ones, and no meaning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_inception(folder: Path) -> Path:
    """Write Inception weights under torch-fidelity's keys and return their file."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict, *args, **kwargs):
            return None

    empty = folder / "empty.pth"
    torch.save({}, empty)
    network = Unloaded("seeded", ["2048"], feature_extractor_weights_path=str(empty))
    empty.unlink()
    path = folder / "weights-inception-2015-12-05-6726825d.pth"
    torch.save(_drawn(network.state_dict()), path)
    return path


def write_trunks(folder: Path) -> None:
    """Write the convolutions of AlexNet and VGG-16 under torchvision's keys."""
    import torch
    from torchvision import models

    with torch.device("meta"):  # shapes alone; the classifiers are never drawn
        networks = {
            "alexnet-owt-7be5be79.pth": models.alexnet(weights=None),
            "vgg16-397923af.pth": models.vgg16(weights=None),
        }
    for name, network in networks.items():
        shapes = network.features.state_dict(prefix="features.")
        torch.save(_drawn(shapes), folder / name)


def _drawn(shapes: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, value in shapes.items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.ones_like(value)
        elif key.endswith("running_var"):
            state[key] = torch.rand(value.shape, generator=generator) + 0.5
        elif value.dim() == 4:
            fan_in = value[0].numel()
            state[key] = torch.randn(value.shape, generator=generator) * (2 / fan_in) ** 0.5
        elif key.endswith("bn.weight"):
            state[key] = torch.rand(value.shape, generator=generator) * 0.5 + 0.75
        else:
            state[key] = torch.randn(value.shape, generator=generator) * 0.1
    return state
