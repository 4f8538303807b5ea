"""Stains on tissue, by the law of Beer and Lambert.

IHC: the stain vectors of Ruifrok and Johnston, Quantification of histochemical staining by color
deconvolution, Analytical and Quantitative Cytology and Histology 23(4), 2001. H&E: the reference
vectors of the usual implementations of Macenko et al., A method for normalizing histology slides
for quantitative analysis, ISBI 2009, whose eosin is pink where that of 2001 is magenta.
HER2 levels follow the scoring rule of the ASCO/CAP guideline: 0 no staining; 1+ faint and
incomplete; 2+ weak to moderate and complete; 3+ intense and complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.synthetic.exact_random import Field, Stream, smoothstep, soften
from i2ibench.data.synthetic.tissue import Tissue

Vector = tuple[float, float, float]

# Optical density per unit of stain in red, green and blue.
HEMATOXYLIN: Vector = (0.65, 0.70, 0.29)
HE_HEMATOXYLIN: Vector = (0.5626, 0.7201, 0.4062)
HE_EOSIN: Vector = (0.2159, 0.8012, 0.5581)
DAB: Vector = (0.27, 0.57, 0.78)

LEVELS = ("0", "1+", "2+", "3+")

# Optical densities are rounded to this step and looked up; 4 is darker than any slide.
_STEPS_PER_DENSITY = 1024


def _transmittances() -> NDArray[np.int64]:
    """Return 65535 10^-d for each step of density d, rounded; ties, as at d = 1, upwards.

    In decimal arithmetic, whose every digit is specified: a binary power may differ in its last
    bit from one machine to the next.
    """
    with localcontext() as context:
        context.prec = 40
        factor = Decimal(10) ** (Decimal(-1) / _STEPS_PER_DENSITY)
        value, table = Decimal(65535) + Decimal("1e-20"), []
        for _ in range(4 * _STEPS_PER_DENSITY):
            table.append(round(value))
            value *= factor
    return np.array(table, dtype=np.int64)


_TRANSMITTANCE = _transmittances()


@dataclass(frozen=True, slots=True)
class MembraneStain:
    """How HER2 stains the membranes of one level.

    Attributes:
        density: optical density of DAB on a stained membrane.
        completeness: part of a membrane's length that is stained.
        cells: part of the tumour cells that are stained.
        cytoplasm: optical density of DAB inside the cells.
    """

    density: float
    completeness: float
    cells: float
    cytoplasm: float


MEMBRANE_STAINS = {
    "0": MembraneStain(density=0.00, completeness=0.0, cells=0.0, cytoplasm=0.012),
    "1+": MembraneStain(density=0.26, completeness=0.42, cells=0.65, cytoplasm=0.03),
    "2+": MembraneStain(density=0.50, completeness=0.95, cells=0.80, cytoplasm=0.08),
    "3+": MembraneStain(density=1.30, completeness=1.0, cells=0.97, cytoplasm=0.26),
}


@dataclass(frozen=True, slots=True)
class SlideLook:
    """How one slide was stained and scanned.

    Attributes:
        hematoxylin: strength relative to a usual slide.
        eosin: the same.
        dab: the same.
        he_white: intensity of empty glass in the H&E scan, by channel, 0 to 1.
        ihc_white: the same for the IHC scan.
    """

    hematoxylin: float
    eosin: float
    dab: float
    he_white: Vector
    ihc_white: Vector


def slide_look(stream: Stream, variation: float) -> SlideLook:
    """Draw a slide's look; ``variation`` 0 gives every slide the same one, 1 that of a clinic."""

    def white() -> Vector:
        brightness = 0.965 - variation * stream.uniform(0.0, 0.10)
        red, green, blue = (brightness + variation * stream.bell(0.02) for _ in range(3))
        return (red, green, blue)

    return SlideLook(
        hematoxylin=1 + variation * stream.bell(0.30),
        eosin=1 + variation * stream.bell(0.40),
        dab=1 + variation * stream.bell(0.20),
        he_white=white(),
        ihc_white=white(),
    )


def stain_he(tissue: Tissue, look: SlideLook, grade: float, stream: Stream) -> NDArray[np.uint8]:
    """Return the H&E image ``(H, W, 3)``."""
    cytoplasm = tissue.tumour * (0.75 + 0.5 * tissue.texture)
    bare = 1 - tissue.nuclei
    hematoxylin = 0.64 * tissue.nuclei * tissue.chromatin
    # Cytoplasm takes up more hematoxylin the more the cell makes protein (amphophilia).
    hematoxylin = hematoxylin + bare * (
        cytoplasm * (0.07 + 0.13 * grade) + 0.05 * tissue.collagen + 0.015 * tissue.tissue
    )
    eosin = (
        0.16 * tissue.nuclei
        + bare * cytoplasm * (0.20 - 0.04 * grade)
        + bare * 0.34 * tissue.collagen
        + 0.06 * tissue.membrane * bare
        + 0.02 * tissue.tissue
    )
    return _develop(
        [(HE_HEMATOXYLIN, hematoxylin * look.hematoxylin), (HE_EOSIN, eosin * look.eosin)],
        look.he_white,
        stream,
    )


def stain_ihc(tissue: Tissue, look: SlideLook, level: str, stream: Stream) -> NDArray[np.uint8]:
    """Return the IHC image ``(H, W, 3)`` of a HER2 ``level``: hematoxylin and DAB."""
    stain = MEMBRANE_STAINS[level]
    bare = 1 - tissue.nuclei
    hematoxylin = (
        0.40 * tissue.nuclei * tissue.chromatin
        + 0.035 * bare * tissue.tumour
        + 0.04 * bare * tissue.collagen
        + 0.01 * tissue.tissue
    )
    stained = smoothstep(tissue.cell, stain.cells + 0.02, stain.cells - 0.02)
    # Stained cells differ in strength: the cell's number, reused.
    strength = stained * (1.15 - 0.45 * tissue.cell)
    # Value noise is bell-shaped around 1/2, so this maps a part of length to a threshold.
    cut = 0.95 - 0.9 * stain.completeness
    arcs = smoothstep(tissue.arcs, cut - 0.08, cut + 0.08) if stain.completeness < 1 else 1.0
    dab = (
        stain.density * strength * arcs * tissue.membrane
        + stain.cytoplasm * strength * tissue.tumour * (0.5 + tissue.texture)
        + (0.012 + 0.02 * tissue.collagen) * tissue.tissue
    )
    return _develop(
        [(HEMATOXYLIN, hematoxylin * look.hematoxylin), (DAB, dab * look.dab)],
        look.ihc_white,
        stream,
    )


def _develop(
    stains: list[tuple[Vector, Field]], white: Vector, stream: Stream
) -> NDArray[np.uint8]:
    """Turn stain concentrations into an 8-bit image: I = white 10^(-sum of densities)."""
    softened = [(vector, soften(concentration)) for vector, concentration in stains]
    shape = softened[0][1].shape
    # Sensor noise of about one grey level, in units of 1/256 level: ten bits a channel.
    random_bits = stream.bits(*shape)
    image = np.empty((*shape, 3), dtype=np.uint8)
    for channel in range(3):
        density = np.full(shape, 0.5 / _STEPS_PER_DENSITY)
        for vector, concentration in softened:
            density += vector[channel] * concentration
        steps = (density * _STEPS_PER_DENSITY).astype(np.int64)  # rounded, by the half above
        steps = np.minimum(np.maximum(steps, 0), len(_TRANSMITTANCE) - 1)
        light = _TRANSMITTANCE[steps] * (round(white[channel] * 4096) * 255)
        noise = ((random_bits >> np.uint64(10 * channel)) & np.uint64(1023)).astype(np.int64) - 512
        levels = ((light >> 20) + noise + 128) >> 8
        image[:, :, channel] = np.minimum(np.maximum(levels, 0), 255)
    return image
