"""Colour transfer: methods that move colours and invent no structure.

They show how much of a score is colour alone. Both take the statistics of each source image and
move them onto those of a typical training target.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from i2ibench.models.closed_form import FittedModel, Uint8Pair, no_training_pairs
from i2ibench.models.interface import ModelConfig

# Reinhard et al. 2001, equations 4 and 6: linear RGB to LMS, logarithmic LMS to l-alpha-beta.
_RGB_TO_LMS = torch.tensor(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]],
    dtype=torch.float64,
)
_LMS_TO_LAB = torch.diag(torch.tensor([3.0, 6.0, 2.0], dtype=torch.float64).rsqrt()) @ torch.tensor(
    [[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]], dtype=torch.float64
)

# Macenko et al. 2009: optical densities below this are background; robust extremes in percent.
_BACKGROUND_OD = 0.15
_ANGLE_PERCENT = 1.0
_CONCENTRATION_PERCENT = 99.0
# Fewer stained pixels than this say nothing about an image's stains.
_FEWEST_STAINED = 64
_FIT_PIXELS_PER_IMAGE = 1024
_TRANSLATE_PIXELS = 1 << 18


class Reinhard(FittedModel):
    """Match mean and spread of l-alpha-beta colours to the training targets (Reinhard 2001).

    The reference is a typical training target: the mean over the targets of their means and of
    their standard deviations (Reinhard et al., IEEE CG&A 2001, equations 10 and 11).
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("spread", torch.ones(3))

    def _fit(self, pairs: Iterable[Uint8Pair]) -> None:
        statistics = []
        for _, target in pairs:
            lab = _to_lab(_unit_pixels(target))
            statistics.append(torch.stack([lab.mean(0), lab.std(0, correction=0)]))
        if not statistics:
            raise no_training_pairs(self)
        mean, spread = torch.stack(statistics).mean(0)
        self.mean.copy_(mean)
        self.spread.copy_(spread)

    def _translate(self, source: Tensor) -> Tensor:
        # One by one: how sums over several images are rounded depends on the processor.
        return torch.cat([self._translate_one(image[None]) for image in source])

    def _translate_one(self, source: Tensor) -> Tensor:
        lab = _to_lab((source.movedim(1, -1) + 1) / 2)  # (1, H, W, 3)
        mean = lab.mean((1, 2), keepdim=True)
        spread = lab.std((1, 2), keepdim=True, correction=0)
        # A flat image has no spread to scale: its one colour becomes the typical mean.
        moved = (lab - mean) / spread.clamp_min(1e-6) * self.spread.to(lab) + self.mean.to(lab)
        rgb = _from_lab(moved)
        return (rgb * 2 - 1).clamp(-1, 1).movedim(-1, 1)


class Macenko(FittedModel):
    """Replace each image's two stains by those of the training targets (Macenko 2009).

    Stains are found per source image (Macenko et al., ISBI 2009) and ordered by their optical
    density in red, so that hematoxylin maps to hematoxylin and eosin to DAB. Images with hardly
    any stain use the stains of the training sources.
    """

    source_stains: Tensor
    source_strength: Tensor
    target_stains: Tensor
    target_strength: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        for side in ("source", "target"):
            self.register_buffer(f"{side}_stains", torch.eye(2, 3))
            self.register_buffer(f"{side}_strength", torch.ones(2))

    def _fit(self, pairs: Iterable[Uint8Pair]) -> None:
        samples: tuple[list[Tensor], list[Tensor]] = ([], [])
        for pair in pairs:
            for image, kept in zip(pair, samples, strict=True):
                pixels = _every_nth(_unit_pixels(image), _FIT_PIXELS_PER_IMAGE)
                kept.append(_optical_density(pixels))
        if not samples[0]:
            raise no_training_pairs(self)
        for side, kept in zip(("source", "target"), samples, strict=True):
            density = torch.cat(kept)
            stains = _find_stains(density) or _brightness_only(density)
            # Stains are those of all images together; their strength is that of a typical image,
            # or the few strongly stained ones would set it for all.
            relative = torch.stack([_strength(stains.concentrations(image)) for image in kept])
            getattr(self, f"{side}_stains").copy_(stains.vectors)
            getattr(self, f"{side}_strength").copy_(stains.strength * relative.mean(0))

    def _translate(self, source: Tensor) -> Tensor:
        density = _optical_density((source.movedim(1, -1) + 1) / 2)
        common = _Stains(self.source_stains.double(), self.source_strength.double())
        target = self.target_stains.double() * self.target_strength.double()[:, None]
        images = []
        for image in density.double():
            pixels = image.flatten(0, 1)
            stains = _find_stains(_every_nth(pixels, _TRANSLATE_PIXELS)) or common
            images.append(stains.concentrations(pixels) @ target)
        moved = torch.stack(images).view_as(density)
        rgb = 10**-moved
        return (rgb * 2 - 1).clamp(-1, 1).movedim(-1, 1)


@dataclass(frozen=True, slots=True)
class _Stains:
    """Two stains: unit ``vectors`` (2, 3) in optical density and their ``strength`` (2,)."""

    vectors: Tensor
    strength: Tensor

    def concentrations(self, density: Tensor) -> Tensor:
        """Return the concentrations (P, 2) of pixels (P, 3), 1 where a stain is at its strength."""
        raw: Tensor = density @ torch.linalg.pinv(self.vectors)
        return raw.clamp_min(0) / self.strength


def _find_stains(density: Tensor) -> _Stains | None:
    """Return the stains of pixels (P, 3) of optical density; None where they cannot be told."""
    stained = density[(density > _BACKGROUND_OD).all(dim=1)]
    if len(stained) < _FEWEST_STAINED:
        return None
    vectors = torch.linalg.eigh(torch.cov(stained.T)).eigenvectors
    plane = vectors[:, 1:]  # eigenvalues ascend: the two largest span the stains' plane
    # An eigenvector's sign is arbitrary; light is absorbed, so densities are positive.
    plane = plane * torch.where(plane.sum(0) < 0, -1.0, 1.0)
    angles = torch.atan2(stained @ plane[:, 0], stained @ plane[:, 1])
    extremes = _percentiles(angles, (_ANGLE_PERCENT, 100 - _ANGLE_PERCENT))
    found = torch.stack([extremes.sin(), extremes.cos()], 1) @ plane.T
    found = torch.nn.functional.normalize(found.clamp_min(0), dim=1)
    found = found[found[:, 0].argsort(descending=True)]
    if not bool(found.isfinite().all()) or torch.linalg.cond(found) > 100:
        return None
    strength = _strength(stained @ torch.linalg.pinv(found))
    if bool((strength < 1e-3).any()):
        return None
    return _Stains(found, strength)


def _strength(concentrations: Tensor) -> Tensor:
    """Return the robust maximum (2,) of concentrations (P, 2)."""
    columns = concentrations.T
    return torch.stack([_percentiles(c, (_CONCENTRATION_PERCENT,))[0] for c in columns])


def _brightness_only(density: Tensor) -> _Stains:
    """Return two like stains along the mean colour, for training images without two stains."""
    mean = density.mean(0)
    vector = torch.nn.functional.normalize(mean.clamp_min(1e-3), dim=0)
    strength = (density @ vector).max().clamp_min(1e-3)
    return _Stains(torch.stack([vector, vector]), torch.stack([strength, strength]))


def _optical_density(unit_rgb: Tensor) -> Tensor:
    """Return -log10 of RGB in [0, 1]; black counts as half a grey level."""
    return -torch.log10(unit_rgb.clamp_min(0.5 / 255))


def _to_lab(unit_rgb: Tensor) -> Tensor:
    """Return l-alpha-beta (..., 3) of RGB (..., 3) in [0, 1]; black counts as half a grey level."""
    lms = unit_rgb.clamp_min(0.5 / 255) @ _RGB_TO_LMS.T.to(unit_rgb)
    lab: Tensor = torch.log10(lms) @ _LMS_TO_LAB.T.to(unit_rgb)
    return lab


def _from_lab(lab: Tensor) -> Tensor:
    lms = 10 ** (lab @ torch.linalg.inv(_LMS_TO_LAB).T.to(lab))
    rgb: Tensor = lms @ torch.linalg.inv(_RGB_TO_LMS).T.to(lab)
    return rgb


def _unit_pixels(image: np.ndarray) -> Tensor:
    """Return uint8 (H, W, 3) as float64 (P, 3) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).reshape(-1, 3).double() / 255


def _every_nth(pixels: Tensor, most: int) -> Tensor:
    """Return at most ``most`` pixels, evenly spaced."""
    return pixels[:: max(1, -(-len(pixels) // most))]


def _percentiles(values: Tensor, percents: tuple[float, ...]) -> Tensor:
    levels = torch.tensor(percents, dtype=values.dtype, device=values.device) / 100
    found: Tensor = torch.quantile(values, levels)
    return found
