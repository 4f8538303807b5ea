"""pix2pix with one more loss term: the difference of edges."""

from torch import Tensor

from i2ibench_baselines.pix2pix import Pix2Pix, Pix2PixConfig


class EdgeConfig(Pix2PixConfig):
    """Settings of pix2pix, and the weight of the new term."""

    edge_weight: float = 10.0


class EdgePix2Pix(Pix2Pix):
    """GAN + 100 L1 + 10 L1 of the differences between neighbouring pixels."""

    Config = EdgeConfig
    config: EdgeConfig

    def reconstruction_losses(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the terms of pix2pix, and that of edges."""
        apart = prediction - target
        edges = apart.diff(dim=2).abs().mean() + apart.diff(dim=3).abs().mean()
        return {
            **super().reconstruction_losses(prediction, target),
            "G_edges": self.config.edge_weight * edges,
        }
