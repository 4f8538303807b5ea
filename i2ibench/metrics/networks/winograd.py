"""Fast exact convolution on a CPU: Winograd's minimal filtering in float32.

``F(m x m, r x r)`` computes an m x m block of outputs with (m + r - 1)^2 multiplications a channel
pair instead of m^2 r^2: 4 times fewer for a 3x3 kernel and m = 4, 2.8 times fewer for a 5x5 kernel
and m = 2. Lavin and Gray, CVPR 2016; the transforms follow from Toom and Cook's interpolation at
the points below. Another order of the same float32 sums: results differ from a direct convolution
by rounding, up to about 2e-5 of the largest output, ten times what a direct convolution rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.metrics.networks.packed_convolution import PackedConv

# Interpolation points beside infinity; small numerators and denominators keep rounding low.
_POINTS = tuple(Fraction(*p) for p in ((0, 1), (1, 1), (-1, 1), (1, 2), (-1, 2)))
_SIDE = len(_POINTS) + 1
# Blocks that are multiplied at once; a last few in smaller portions. Two sizes and no others,
# because the filters are packed for each.
_PORTION, _SMALL_PORTION = 64, 16
# At least as many blocks are gathered at once, so that few of them are last ones.
_STRIP_BLOCKS = 256


def pays_off(weight: Tensor) -> bool:
    """Whether a stride-1 convolution of these weights (K, C, r, r) gains.

    Measured with AVX-512 on one core, images of 15 to 127 pixels a side: 3x3 kernels then take 0.5
    to 0.75 of the time of a direct convolution, 5x5 kernels 0.8.
    """
    least, most = sorted(weight.shape[:2])
    kernel = tuple(weight.shape[2:])
    if kernel == (3, 3):
        return least >= 128
    return kernel == (5, 5) and least >= 64 and most >= 192


class WinogradConv:
    """A stride-1 convolution of a 3x3 or 5x5 kernel, bias and rectification included.

    Args:
        weight: (K, C, r, r) with r 3 or 5.
        bias: (K,).
        padding: zeros added on each side.
    """

    def __init__(self, weight: Tensor, bias: Tensor, padding: int) -> None:
        channels, kernel = weight.shape[1:3]
        self._block = _SIDE - kernel + 1
        self._bias, self._padding, self._kernel = bias, padding, kernel
        to_output, to_filter, to_input = _transforms(kernel)
        entries = weight.double().flatten(2).permute(2, 0, 1).flatten(1)  # (r^2, K C)
        spread = (torch.kron(to_filter, to_filter) @ entries).float()
        # Each of the 36 products is a matrix product over channels: a group of a 1x1 convolution.
        self._products = PackedConv(spread.reshape(-1, channels, 1, 1), groups=_SIDE**2)
        self._to_input = torch.kron(to_input, to_input).float()
        self._to_output = torch.kron(to_output, to_output).float()

    def __call__(self, x: Tensor) -> Tensor:
        """Return the rectified convolution (1, K, h, w) of ``x`` (1, C, H, W), channels last."""
        p, m = self._padding, self._block
        height = x.shape[2] + 2 * p - self._kernel + 1
        width = x.shape[3] + 2 * p - self._kernel + 1
        rows, columns = -(-height // m), -(-width // m)
        right = columns * m + self._kernel - 1 - p - x.shape[3]
        below = rows * m + self._kernel - 1 - p - x.shape[2]
        padded = (
            F.pad(x, (p, right, p, below))[0].permute(1, 2, 0).contiguous()
        )  # (rows, columns, C)
        result = torch.empty(rows * m, columns * m, len(self._bias))
        step = -(-_STRIP_BLOCKS // columns)
        for start in range(0, rows, step):
            count = min(step, rows - start)
            strip = padded[start * m : (start + count) * m + self._kernel - 1]
            block = result[start * m : (start + count) * m].view(count, m, columns, m, -1)
            block.copy_(self._filtered(strip, count, columns).permute(0, 2, 1, 3, 4))
        # Pooling is ten times slower on pixels that are not packed side by side.
        return result[:height, :width].contiguous()[None].permute(0, 3, 1, 2)

    def _filtered(self, strip: Tensor, rows: int, columns: int) -> Tensor:
        """Return (rows, columns, m, m, K): the outputs of ``rows`` rows of blocks."""
        m, channels = self._block, strip.shape[2]
        # The 6 x 6 inputs of every block, gathered by strides.
        stride_y, stride_x, stride_c = strip.stride()
        tiles = strip.as_strided(
            (rows, columns, _SIDE, _SIDE, channels),
            (m * stride_y, m * stride_x, stride_y, stride_x, stride_c),
            strip.storage_offset(),
        ).reshape(rows * columns, _SIDE**2, channels)
        found = torch.empty(rows * columns, m * m, len(self._bias))
        for first, last in _portions(len(tiles)):
            found[first:last] = self._multiplied(tiles[first:last])
        found += self._bias
        return F.relu_(found).view(rows, columns, m, m, -1)

    def _multiplied(self, tiles: Tensor) -> Tensor:
        """Return the m^2 sums (n, m^2, K) of n inputs (n, 36, C)."""
        count = len(tiles)
        if count not in (_PORTION, _SMALL_PORTION):
            tiles = F.pad(tiles, (0, 0, 0, 0, 0, _SMALL_PORTION - count))
        spread = torch.matmul(self._to_input, tiles).view(1, 1, len(tiles), -1)
        products = self._products(spread.permute(0, 3, 1, 2))
        products = products[0, :, 0].t().view(len(tiles), _SIDE**2, -1)
        return torch.matmul(self._to_output, products[:count])


def _portions(count: int) -> Iterator[tuple[int, int]]:
    first = 0
    while first < count:
        size = _PORTION if count - first >= _PORTION else _SMALL_PORTION
        yield first, min(first + size, count)
        first += size


@cache
def _transforms(kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the exact transforms of outputs (m, 6), filter (6, r) and input (6, 6) in float64.

    With V the Vandermonde matrix of the points, a linear convolution is ``V^-1 (V g * V d)``; by
    Tellegen's transposition the correlation is ``A^T (G g * B^T d)`` with ``A = V[:, :m]``,
    ``G = V[:, :r]`` and ``B = V^-1``.
    """
    block = _SIDE - kernel + 1
    vandermonde = [[point**power for power in range(_SIDE)] for point in _POINTS]
    vandermonde.append([Fraction(power == _SIDE - 1) for power in range(_SIDE)])
    inverse = _inverse(vandermonde)
    to_output = [[_evaluated(row, power, block) for row in range(_SIDE)] for power in range(block)]
    to_filter = [
        [_evaluated(row, power, kernel) for power in range(kernel)] for row in range(_SIDE)
    ]
    to_input = [[inverse[row][column] for row in range(_SIDE)] for column in range(_SIDE)]
    return _tensor(to_output), _tensor(to_filter), _tensor(to_input)


def _evaluated(row: int, power: int, length: int) -> Fraction:
    """Return point ``row`` to a power; the point at infinity sees the highest power alone."""
    if row < len(_POINTS):
        return _POINTS[row] ** power
    return Fraction(power == length - 1)


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """Return the exact inverse by Gauss and Jordan."""
    size = len(matrix)
    rows = [[*row, *(Fraction(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(size):
            scale = rows[i][column]
            if i != column and scale:
                rows[i] = [a - scale * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[size:] for row in rows]


def _tensor(matrix: list[list[Fraction]]) -> Tensor:
    return torch.tensor([[float(value) for value in row] for row in matrix], dtype=torch.float64)
