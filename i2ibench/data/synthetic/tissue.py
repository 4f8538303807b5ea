"""A section of breast tumour tissue as maps of what is where, before any stain.

Nests of tumour cells with glandular lumina lie in fibrous stroma with fibroblasts, lymphocytes and
fat. ``grade`` shapes what H&E shows: size, crowding, chromatin and nucleoli of the tumour cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from i2ibench.data.synthetic.exact_random import Field, Stream, smooth_noise, smoothstep

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
        self.x = np.arange(width, dtype=np.float64)
        self.y = np.arange(height, dtype=np.float64)[:, None]
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
        self.nest = nests - _quantile(nests, 1 - amount)
        self.pitch = _CELL_PITCH[0] + grade * (_CELL_PITCH[1] - _CELL_PITCH[0])
        self.reach = 0.66 * self.pitch
        self.lumen = np.zeros(shape)
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
        """Crowded cells whose borders meet, around the lumina of glands and in solid nests."""
        glands = list(self._glands())
        for x, y, lumen in glands:
            self._gland(x, y, lumen)
        for x, y in self._lattice(self.pitch, 0.30):
            row, column = self._pixel(x, y)
            in_gland = any(
                (x - gx) * (x - gx) + (y - gy) * (y - gy) < reach * reach
                for gx, gy, reach in ((gx, gy, r + 1.15 * self.pitch) for gx, gy, r in glands)
            )
            if self.nest[row, column] >= 0 and not in_gland:
                self._tumour_cell(x, y, self.stream.direction())

    def draw_glass(self) -> None:
        """Empty glass: lumina of glands, fat cells between thin walls, the edge of the tissue."""
        empty = np.maximum(self.lumen, self._fat_cells())
        if self.stream.uniform() < 0.12:
            edge = smooth_noise(self.stream, self.height, self.width, 170.0, 2)
            edge = edge - _quantile(edge, self.stream.uniform(0.75, 0.95))
            empty = np.maximum(empty, smoothstep(edge, 0.0, 0.012))
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

    def _glands(self) -> Iterator[tuple[float, float, float]]:
        """Yield centre and radius of lumina in the nests; fewer the higher the grade."""
        area = self.height * self.width / 65536
        for _ in range(int(area * (4.0 - 3.4 * self.grade) + self.stream.uniform())):
            x, y = self.stream.uniform(0, self.width), self.stream.uniform(0, self.height)
            lumen = self.stream.uniform(6.0, 18.0)
            if self.nest[self._pixel(x, y)] > -0.02:
                yield x, y, lumen

    def _gland(self, x: float, y: float, lumen: float) -> None:
        """Draw a ring of columnar cells around a lumen."""
        window = self._window(x, y, int(lumen) + 6)
        distance = self._distance(window, x, y) + 4.0 * (self.ripple[window] - 0.5)
        hole = smoothstep(distance, lumen + 0.8, lumen - 0.8)
        self.lumen[window] = np.maximum(self.lumen[window], hole)
        ring = lumen + 0.55 * self.pitch
        cells = max(5, int(6.2832 * ring / (0.85 * self.pitch)))
        # Rotations by a fixed angle: t is the tangent of its half, to third order.
        half = 3.14159265 / cells
        t = half + half * half * half / 3
        cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        dx, dy = self.stream.direction()
        for _ in range(cells):
            wobble = ring + self.stream.bell(1.5)
            self._tumour_cell(x + wobble * dx, y + wobble * dy, (dx, dy))
            dx, dy = dx * cosine - dy * sine, dx * sine + dy * cosine

    def _tumour_cell(self, x: float, y: float, axis: tuple[float, float]) -> None:
        grade, stream = self.grade, self.stream
        self._territory(x, y, stream.uniform(0.88, 1.12))
        radius = (4.4 + 2.6 * grade) * (1 + stream.bell(0.12 + 0.28 * grade))
        slender = stream.uniform(0.72 - 0.10 * grade, 0.98)
        density = 0.85 + 0.20 * grade + stream.bell(0.2)
        x, y = x + stream.bell(2.0), y + stream.bell(2.0)
        self._nucleus(x, y, radius, radius * slender, axis, density, 0.35 + 0.5 * grade)
        if stream.uniform() < 0.15 + 0.75 * grade:
            spot = stream.uniform(1.1, 1.3 + 0.9 * grade)
            x, y = x + stream.bell(radius / 2), y + stream.bell(radius / 2)
            self._nucleus(x, y, spot, spot, axis, density * 1.6, 0.0)

    def _territory(self, x: float, y: float, weight: float) -> None:
        """Let a cell claim the pixels nearest to it."""
        window = self._window(x, y, int(1.14 * self.reach) + 8)
        distance = self._distance(window, x, y) * weight + 2.4 * self.ripple[window]
        nearest = self.nearest[window]
        closer = distance < nearest
        self.second[window] = np.where(closer, nearest, np.minimum(self.second[window], distance))
        self.cell[window] = np.where(closer, self.stream.uniform(), self.cell[window])
        self.nearest[window] = np.minimum(nearest, distance)

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
        window = self._window(x, y, int(max(length, breadth) * 1.25) + 3)
        dx, dy = self.x[window[1]] - x, self.y[window[0]] - y
        along = dx * (axis[0] / length) + dy * (axis[1] / length)
        across = dy * (axis[0] / breadth) - dx * (axis[1] / breadth)
        radius = np.sqrt(along * along + across * across) + 0.30 * (self.ripple[window] - 0.5)
        soft = 0.7 / breadth
        cover = smoothstep(radius, 1 + soft, 1 - soft)
        clumps = (2.2 * contrast) * (self.grain[window] - 0.5)
        rim = (0.45 * contrast) * (radius * radius - 0.5)
        former = self.chromatin[window]
        self.chromatin[window] = former + cover * (density * (1 + clumps + rim) - former)
        self.nuclei[window] = np.maximum(self.nuclei[window], cover)

    def _distance(self, window: tuple[slice, slice], x: float, y: float) -> Field:
        dx, dy = self.x[window[1]] - x, self.y[window[0]] - y
        return np.asarray(np.sqrt(dx * dx + dy * dy))

    def _fat_cells(self) -> Field:
        """Round vacuoles where fat is, with thin walls between them."""
        nearest = np.full((self.height, self.width), 1e9)
        second = nearest.copy()
        for x, y in self._lattice(34.0, 0.3):
            row, column = self._pixel(x, y)
            if self.fat[row, column] < 0 or self.nest[row, column] > -0.03:
                continue
            window = self._window(x, y, 44)
            distance = self._distance(window, x, y) + 3.0 * self.ripple[window]
            closer = distance < nearest[window]
            second[window] = np.where(closer, nearest[window], np.minimum(second[window], distance))
            nearest[window] = np.where(closer, distance, nearest[window])
        wall = smoothstep(second - nearest, 2.0, 5.0)
        return wall * smoothstep(nearest, 19.0, 16.5)

    def _lattice(self, pitch: float, jitter: float) -> Iterator[tuple[float, float]]:
        """Yield points of a jittered hexagonal lattice that reaches beyond the picture."""
        for row in range(-1, int(self.height / (pitch * _ROW)) + 3):
            for column in range(-1, int(self.width / pitch) + 3):
                x = (column + 0.5 * (row % 2) + self.stream.uniform(-jitter, jitter)) * pitch
                y = (row + self.stream.uniform(-jitter, jitter)) * pitch * _ROW
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


def _quantile(field: Field, part: float) -> float:
    """Return the value that ``part`` of the pixels do not exceed."""
    return float(np.sort(field, axis=None)[int(part * (field.size - 1))])
