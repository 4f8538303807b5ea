"""The loss terms of the papers, as pure functions of image tensors in [-1, 1].

All are computed in at least float32, whatever the precision of the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

GanLoss = Literal["vanilla", "lsgan"]

# Four passes of the normalised 3x3 Gaussian of sigma 1 are one pass of its 3-tap factor convolved
# with itself three times; half of that symmetric 9-tap kernel, outermost tap first.
_OCTAVE_HALF_KERNEL = (
    0.005642054099883965,
    0.037208698419678235,
    0.11458837520892046,
    0.21276982403385883,
    0.25958209647531727,
)
_OCTAVE_KERNEL = _OCTAVE_HALF_KERNEL + _OCTAVE_HALF_KERNEL[-2::-1]
_REACH = 4
# The 5-tap binomial filter.
_BINOMIAL_KERNEL = (0.0625, 0.25, 0.375, 0.25, 0.0625)


def gan_loss(logits: Tensor, real: bool, kind: GanLoss = "vanilla") -> Tensor:
    """Return the adversarial loss of discriminator ``logits`` that should say ``real``.

    ``vanilla``: binary cross-entropy with logits (pix2pix, arXiv:1611.07004, eq. 1, in its
    non-saturating form); ``lsgan``: squared distance to 1 or 0 (arXiv:1611.04076). The mean over
    all patches.
    """
    logits = _widened(logits)
    target = torch.full_like(logits, float(real))
    if kind == "vanilla":
        return F.binary_cross_entropy_with_logits(logits, target)
    return F.mse_loss(logits, target)


def l1_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference (pix2pix, arXiv:1611.07004, eq. 3)."""
    return F.l1_loss(_widened(prediction), _widened(target))


def feature_matching_loss(
    made: Sequence[Sequence[Tensor]], wanted: Sequence[Sequence[Tensor]]
) -> Tensor:
    """Return the distance of a discriminator's features of a prediction from those of its target.

    pix2pixHD (Wang et al. 2018, arXiv:1711.11585, eq. 3) as its code weighs it: the mean absolute
    difference of each layer but the last (the logits), times 4 / number of such layers, mean over
    the sizes. ``wanted`` gets no gradient. Both: for each size the output of each layer.
    """
    terms = [
        4.0 / ((len(mine) - 1) * len(made)) * l1_loss(layer, other.detach())
        for mine, others in zip(made, wanted, strict=True)
        for layer, other in zip(mine[:-1], others[:-1], strict=True)
    ]
    return torch.stack(terms).sum()


def pyramid_losses(prediction: Tensor, target: Tensor, scales: int = 4) -> list[Tensor]:
    """Return the L1 distance at full, half, quarter ... size, ``scales`` values, unweighted.

    The multi-scale loss of pyramid pix2pix (Liu et al. 2022, arXiv:2204.11425): an octave is four
    Gaussian 3x3 blurs of sigma 1 with reflected borders, then every second pixel; the next octave
    starts from there. The blur is linear, so it is applied once, to the difference, as a separable
    convolution of nine taps and stride 2. Reflection commutes with a symmetric kernel, so this has
    the values and gradients of the four blurs, at the borders too.

    Both images ``(N, C, H, W)``; an octave of an odd size n has (n + 1) / 2 pixels.
    """
    # Depthwise convolutions of few channels are several times faster in channels_last on CPUs.
    difference = (_widened(prediction) - _widened(target)).contiguous(
        memory_format=torch.channels_last
    )
    losses = [difference.abs().mean()]
    for _ in range(scales - 1):
        difference = _next_octave(difference)
        losses.append(difference.abs().mean())
    return losses


def gaussian_pyramid_loss(prediction: Tensor, target: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Return the mean of the weighted L1 distances at the levels of a Gaussian pyramid.

    The supervised term of ASP (Li et al. 2023, arXiv:2303.06193): a level is the image after the
    5x5 binomial filter with reflected borders, of which every second pixel goes on to the next; the
    last level is what is left after the last halving, so that there is a weight for each octave and
    one more.

    Both images ``(N, C, H, W)``; an octave of an odd size n has (n + 1) / 2 pixels.
    """
    levels = zip(
        _gaussian_levels(_widened(prediction), len(weights) - 1),
        _gaussian_levels(_widened(target), len(weights) - 1),
        weights,
        strict=True,
    )
    return torch.stack([weight * F.l1_loss(made, wanted) for made, wanted, weight in levels]).mean()


def _gaussian_levels(images: Tensor, octaves: int) -> list[Tensor]:
    channels, levels = images.shape[1], []
    taps = torch.tensor(_BINOMIAL_KERNEL, dtype=images.dtype, device=images.device)
    kernel = torch.outer(taps, taps).expand(channels, 1, -1, -1)
    # Under autocast the convolutions would run in half precision and the loss lose its digits.
    with torch.autocast(images.device.type, enabled=False):
        for _ in range(octaves):
            levels.append(F.conv2d(_reflected(images, 2), kernel, groups=channels))
            images = levels[-1][..., ::2, ::2]
    return [*levels, images]


def variance_penalty(prediction: Tensor, target: Tensor, unbiased: bool = True) -> Tensor:
    """Return the mean absolute difference of the per-pixel variances over the batch.

    Rehmat and Ur Rehman 2025 (arXiv:2506.18371), figures 3 and 4: at each pixel and channel the
    variance of the real images of the batch and that of the generated ones; the mean of their
    absolute differences. Both images ``(N, C, H, W)`` with N >= 2: the variance of one image is
    undefined (unbiased) or constant zero (biased).
    """
    if len(prediction) < 2:
        raise ValueError("the variance penalty needs a batch of at least 2")
    penalty: Tensor = _VariancePenalty.apply(prediction, target.detach(), unbiased)
    return penalty


class _VariancePenalty(torch.autograd.Function):
    """Keeps nothing but its input, a mean and a sign, each the size of one image.

    Differentiating ``torch.var`` would keep or make several tensors of the batch's size.
    """

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, target: Tensor, unbiased: bool) -> Tensor:
        mean, squares = _mean_and_squares(prediction)
        difference = squares - _mean_and_squares(target)[1]
        scale = 1.0 / ((len(prediction) - int(unbiased)) * difference.numel())
        penalty = difference.abs().sum() * scale
        ctx.save_for_backward(prediction, mean, difference.sign_().mul_(2.0 * scale))
        return penalty

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        prediction, mean, slope = ctx.saved_tensors
        # d squares / d x_i = 2 (x_i - mean): the mean's own derivative sums to zero.
        deviation = (prediction - mean).mul_(slope * gradient)
        return deviation.to(prediction.dtype), None, None


def _mean_and_squares(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over the batch and the sum of squared deviations from it.

    Two passes, image by image: exact where a one-pass formula cancels, and no temporary is
    larger than one image.
    """
    mean = images.mean(0, dtype=_width(images))
    squares, deviation = torch.zeros_like(mean), torch.empty_like(mean)
    for image in images:
        torch.sub(image, mean, out=deviation)
        squares.addcmul_(deviation, deviation)
    return mean, squares


def _next_octave(images: Tensor) -> Tensor:
    channels = images.shape[1]
    # Under autocast the convolutions would run in half precision and the loss lose its digits.
    with torch.autocast(images.device.type, enabled=False):
        kernel = torch.tensor(_OCTAVE_KERNEL, dtype=images.dtype, device=images.device)
        padded = _reflected(images, _REACH)
        rows = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
        halved = F.conv2d(padded, rows, stride=(2, 1), groups=channels)
        columns = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
        return F.conv2d(halved, columns, stride=(1, 2), groups=channels)


def _reflected(images: Tensor, reach: int) -> Tensor:
    """Pad by reflected pixels; sides that are no longer than the reach are mirrored repeatedly."""
    if min(images.shape[-2:]) > reach:
        return F.pad(images, (reach,) * 4, mode="reflect")
    for axis in (-2, -1):
        places = _reflected_positions(images.shape[axis], reach, images.device)
        images = images.index_select(axis, places)
    return images


def _reflected_positions(side: int, reach: int, device: torch.device) -> Tensor:
    """Return which pixel stands at -reach, ..., side + reach - 1 of a row mirrored without end."""
    period = max(1, 2 * (side - 1))
    position = torch.arange(-reach, side + reach, device=device) % period
    return torch.minimum(position, period - position) if side > 1 else position


def _width(images: Tensor) -> torch.dtype:
    return torch.promote_types(images.dtype, torch.float32)


def _widened(images: Tensor) -> Tensor:
    return images.to(_width(images))
