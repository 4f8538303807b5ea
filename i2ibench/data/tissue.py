"""A section of breast tumour tissue as maps of what is where, before any stain.

Nests of tumour cells with glandular lumina lie in fibrous stroma with fibroblasts, lymphocytes and
fat. ``grade`` shapes what H&E shows: size, crowding, chromatin and nucleoli of the tumour cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from i2ibench.data.exact_random import Field, Stream, smooth_noise, smoothstep

# Spacing of tumour cells in pixels of 0.5 micrometres, at grade 0 and at grade 1.
_CELL_PITCH = (17.0, 21.0)
_ROW = 0.8660254037844386  # height of a row of a hexagonal lattice


@dataclass(frozen=True, slots=True)
class Tissue:
    """Maps of one section, each ``(H, W)``.

    Attributes:
        tumour: 1 inside tumour cells.
        membrane: 1 on the cell borders of tumour cells.
        cell: random number of the tumour cell a pixel belongs to, of [0, 1).
        arcs: smooth noise of [0, 1) that cuts incomplete membranes into arcs.
        nuclei: coverage by nuclei of any kind, 0 to 1.
        chromatin: optical density of nuclei relative to a usual one.
        collagen: fibrous stroma, 0 to 1 with its texture.
        texture: granular noise of [0, 1) of cytoplasm.
        tissue: 0 where there is glass (lumina, fat, beyond the edge).
    """

    tumour: Field
    membrane: Field
    cell: Field
    arcs: Field
    nuclei: Field
    chromatin: Field
    collagen: Field
    texture: Field
    tissue: Field


def draw_tissue(stream: Stream, height: int, width: int, grade: float) -> Tissue:
    """Draw a section.

    Args:
        stream: of everything random.
        height: of the maps, in pixels of about 0.5 micrometres.
        width: of the maps.
        grade: 0 (small regular cells around lumina) to 1 (large crowded pleomorphic cells).
    """
    scene = _Scene(stream, height, width, grade)
    scene.draw_stroma()
    scene.draw_tumour()
    scene.draw_glass()
    return scene.finish()


class _Scene:
    def __init__(self, stream: Stream, height: int, width: int, grade: float) -> None:
        self.stream, self.height, self.width, self.grade = stream, height, width, grade
        shape = (height, width)
        self.y, self.x = (axis.astype(np.float64) for axis in np.indices(shape))
        self.nearest = np.full(shape, 1e9)
        self.second = np.full(shape, 1e9)
        self.cell = np.zeros(shape)
        self.nuclei = np.zeros(shape)
        self.chromatin = np.zeros(shape)
        self.grain = smooth_noise(stream, height, width, 3.0, 2)
        self.ripple = smooth_noise(stream, height, width, 7.0)
        # Where nests are: crowded at high grade.
        nests = smooth_noise(stream, height, width, 95.0, 2)
        amount = 0.47 + 0.2 * grade + stream.bell(0.12)
        threshold = float(np.sort(nests, axis=None)[int((1 - amount) * (nests.size - 1))])
        self.nest = nests - threshold
        # Lumina in nests, fewer and smaller at high grade.
        self.lumen = smooth_noise(stream, height, width, 34.0) - (0.78 + 0.14 * grade)
        self.fat = smooth_noise(stream, height, width, 140.0) - 0.80

    def draw_stroma(self) -> None:
        """Wavy collagen bundles, spindle nuclei along them, lymphocytes in crowds."""
        stream = self.stream
        dx, dy = stream.direction()
        warp = smooth_noise(stream, self.height, self.width, 60.0, 2)
        across = (self.x * dy - self.y * dx) + 46.0 * warp
        coarse, fine = _wave(across / 19.0), _wave(across / 6.3 + 2.0 * self.ripple)
        gaps = smoothstep(smooth_noise(stream, self.height, self.width, 24.0, 2), 0.30, 0.46)
        self.collagen = (0.45 + 0.35 * coarse + 0.20 * fine) * (0.35 + 0.65 * gaps)
        crowd = smooth_noise(stream, self.height, self.width, 70.0)
        for x, y in self._lattice(15.0, 0.48):
            row, column = self._pixel(x, y)
            if self.nest[row, column] > -0.02:
                continue
            if crowd[row, column] > 0.72 and stream.uniform() < 0.75:
                radius = stream.uniform(3.2, 4.2)
                self._nucleus(x, y, radius, radius * 0.95, (1.0, 0.0), 1.25, 0.25)
            elif stream.uniform() < 0.42:
                # Along the fibre: the gradient of the warped coordinate stands across it.
                gx, gy = dy, -dx
                gx += 23.0 * float(
                    warp[row, min(column + 1, self.width - 1)] - warp[row, column - 1]
                )
                gy += 23.0 * float(
                    warp[min(row + 1, self.height - 1), column] - warp[row - 1, column]
                )
                norm = float(np.sqrt(gx * gx + gy * gy)) + 1e-9
                axis = (-gy / norm, gx / norm)
                self._nucleus(
                    x, y, stream.uniform(5.5, 9.0), stream.uniform(1.5, 2.3), axis, 1.0, 0.2
                )

    def draw_tumour(self) -> None:
        """Crowded cells whose borders meet, each with a nucleus."""
        grade, stream = self.grade, self.stream
        pitch = _CELL_PITCH[0] + grade * (_CELL_PITCH[1] - _CELL_PITCH[0])
        self.reach = 0.66 * pitch
        for x, y in self._lattice(pitch, 0.26):
            row, column = self._pixel(x, y)
            if self.nest[row, column] < 0 or self.lumen[row, column] > 0:
                continue
            self._territory(x, y, stream.uniform(0.88, 1.12), int(1.7 * pitch))
            radius = (4.4 + 2.6 * grade) * (1 + stream.bell(0.12 + 0.28 * grade))
            slender = stream.uniform(0.72 - 0.10 * grade, 0.98)
            density = 0.85 + 0.25 * grade + stream.bell(0.2)
            x, y = x + stream.bell(2.0), y + stream.bell(2.0)
            axis = stream.direction()
            self._nucleus(x, y, radius, radius * slender, axis, density, 0.35 + 0.5 * grade)
            if stream.uniform() < 0.15 + 0.75 * grade:
                spot = stream.uniform(1.1, 1.3 + 0.9 * grade)
                x, y = x + stream.bell(radius / 2), y + stream.bell(radius / 2)
                self._nucleus(x, y, spot, spot, axis, density * 1.75, 0.0)

    def draw_glass(self) -> None:
        """Empty glass: lumina of glands, fat cells between thin walls, the edge of the tissue."""
        lumen = smoothstep(self.lumen, 0.015, 0.05) * smoothstep(self.nest, -0.03, 0.02)
        empty = np.maximum(lumen, self._fat_cells())
        if self.stream.uniform() < 0.12:
            edge = smooth_noise(self.stream, self.height, self.width, 150.0, 3)
            empty = np.maximum(empty, smoothstep(edge, 0.64, 0.66))
        self.tissue = 1 - empty

    def finish(self) -> Tissue:
        """Combine what has been drawn."""
        inside = smoothstep(self.reach - self.nearest, 0.0, 2.0)
        # Between two cells the border is where their distances are equal; towards the stroma,
        # where the cell's reach ends.
        gap = np.minimum(self.second - self.nearest, 2.2 * (self.reach - self.nearest))
        relative = gap / 2.3
        square = relative * relative
        membrane = inside / (1 + square * square)
        covered = self.tissue
        return Tissue(
            tumour=inside * covered,
            membrane=membrane * covered,
            cell=self.cell,
            arcs=smooth_noise(self.stream, self.height, self.width, 7.5),
            nuclei=self.nuclei * covered,
            chromatin=self.chromatin,
            collagen=self.collagen * (1 - inside) * covered,
            texture=self.grain,
            tissue=covered,
        )

    def _territory(self, x: float, y: float, weight: float, half: int) -> None:
        """Let a cell claim the pixels nearest to it."""
        window = self._window(x, y, half)
        dx, dy = self.x[window] - x, self.y[window] - y
        distance = np.sqrt(dx * dx + dy * dy) * weight + 2.4 * self.ripple[window]
        nearest = self.nearest[window]
        closer = distance < nearest
        self.second[window] = np.where(closer, nearest, np.minimum(self.second[window], distance))
        self.nearest[window] = np.where(closer, distance, nearest)
        self.cell[window] = np.where(closer, self.stream.uniform(), self.cell[window])

    def _nucleus(
        self,
        x: float,
        y: float,
        length: float,
        breadth: float,
        axis: tuple[float, float],
        density: float,
        contrast: float,
    ) -> None:
        """Draw an ellipse with a dense rim and chromatin clumps of ``contrast``."""
        window = self._window(x, y, int(max(length, breadth) * 1.4) + 3)
        dx, dy = self.x[window] - x, self.y[window] - y
        along, across = dx * axis[0] + dy * axis[1], dy * axis[0] - dx * axis[1]
        along, across = along / length, across / breadth
        radius = np.sqrt(along * along + across * across) + 0.30 * (self.ripple[window] - 0.5)
        soft = 0.7 / breadth
        cover = smoothstep(radius, 1 + soft, 1 - soft)
        rim = smoothstep(radius, 0.55, 0.95)
        clumps = 1 + contrast * (2.2 * (self.grain[window] - 0.5) + 0.45 * (rim - 0.5))
        self.chromatin[window] = (1 - cover) * self.chromatin[window] + cover * density * clumps
        self.nuclei[window] = np.maximum(self.nuclei[window], cover)

    def _fat_cells(self) -> Field:
        """Round vacuoles where fat is, with thin walls between them."""
        nearest = np.full((self.height, self.width), 1e9)
        second = nearest.copy()
        for x, y in self._lattice(34.0, 0.3):
            row, column = self._pixel(x, y)
            if self.fat[row, column] < 0 or self.nest[row, column] > -0.03:
                continue
            window = self._window(x, y, 44)
            dx, dy = self.x[window] - x, self.y[window] - y
            distance = np.sqrt(dx * dx + dy * dy) + 3.0 * self.ripple[window]
            closer = distance < nearest[window]
            second[window] = np.where(closer, nearest[window], np.minimum(second[window], distance))
            nearest[window] = np.where(closer, distance, nearest[window])
        wall = smoothstep(second - nearest, 2.0, 5.0)
        return wall * smoothstep(nearest, 19.0, 16.5)

    def _lattice(self, pitch: float, jitter: float) -> Iterator[tuple[float, float]]:
        """Yield points of a jittered hexagonal lattice that reaches beyond the picture."""
        for row in range(-1, int(self.height / (pitch * _ROW)) + 3):
            for column in range(-1, int(self.width / pitch) + 3):
                jx, jy = (float(value) for value in self.stream.uniforms(2))
                x = (column + 0.5 * (row % 2) + jitter * (2 * jx - 1)) * pitch
                y = (row + jitter * (2 * jy - 1)) * pitch * _ROW
                yield x, y

    def _pixel(self, x: float, y: float) -> tuple[int, int]:
        return min(max(int(y), 0), self.height - 1), min(max(int(x), 0), self.width - 1)

    def _window(self, x: float, y: float, half: int) -> tuple[slice, slice]:
        left, top = max(int(x) - half, 0), max(int(y) - half, 0)
        right, bottom = max(int(x) + half + 1, 0), max(int(y) + half + 1, 0)
        return slice(min(top, self.height), bottom), slice(min(left, self.width), right)


def _wave(phase: Field) -> Field:
    """Return a triangle wave of [0, 1]."""
    return 2 * np.abs(phase - np.floor(phase) - 0.5)
