"""A metric that runs a network with weights of this package."""

from __future__ import annotations

from i2ibench.metrics.interface import Context, PairImages, PairMetric, Signature
from i2ibench.metrics.networks.network_loading import (
    NOT_LOADED,
    find_weights,
    load_state,
    loaded_once,
    signature_mark,
)


class InkDistance(PairMetric):
    """Mean absolute difference of ink features; features of one learned 3x3 convolution."""

    name = "ink-distance"
    title = "Ink distance"
    digits = 3
    better = "lower"
    minimum_size = 3
    weights = ("ink-features",)
    _mark = NOT_LOADED

    def prepare(self, context: Context) -> None:
        """Load the network onto the device that was asked for."""
        import torch

        [file] = find_weights("ink-features", context)
        self._mark, self._device = signature_mark([file]), context.device

        def load() -> torch.nn.Module:
            network = torch.nn.Conv2d(3, 4, 3)
            network.load_state_dict(dict(load_state(file)))
            return network.to(self._device).eval()

        self._network = loaded_once(context, self.name, load)

    def signature(self) -> Signature:
        """Return ``ink-distance|net:conv3|weights:...|mean:image|v:1``."""
        return self._signature(("net", "conv3"), ("weights", self._mark), ("mean", "image"))

    def score_pair(self, pair: PairImages) -> float:
        """Return the distance of one pair; 0 for equal images."""
        import torch

        with torch.inference_mode():
            images = torch.stack([torch.from_numpy(x) for x in (pair.prediction, pair.target)])
            pixels = images.permute(0, 3, 1, 2).to(self._device).float() / 255
            prediction, target = self._network(pixels)
            return float((prediction - target).abs().mean())
