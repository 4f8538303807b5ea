"""The two resizes to 299 x 299 that FID is computed with; each is part of the metric's name."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


def tf1_bilinear(image: npt.NDArray[np.uint8], size: int) -> Float32:
    """Resize as TensorFlow 1 did, without half-pixel centres or antialiasing.

    uint8 (H, W, 3) -> float32 (size, size, 3), not rounded. Output pixel ``i`` reads position
    ``i * H / size``; the last row and column are repeated.
    """
    y0, y1, dy = _taps(image.shape[0], size)
    x0, x1, dx = _taps(image.shape[1], size)
    # Horizontally first, as the original; only the rows that are read.
    rows, where = np.unique(np.concatenate([y0, y1]), return_inverse=True)
    used = image[rows]
    left, right = (used.take(x, axis=1).astype(np.float32) for x in (x0, x1))
    right -= left
    right *= dx[None, :, None]
    left += right
    top, bottom = left.take(where[:size], axis=0), left.take(where[size:], axis=0)
    bottom -= top
    bottom *= dy[:, None, None]
    top += bottom
    resized: Float32 = top
    return resized


def pillow_bicubic(image: npt.NDArray[np.uint8], size: int) -> Float32:
    """Resize as clean-fid does: Pillow's antialiased bicubic on float channels, not rounded.

    uint8 (H, W, 3) -> float32 (size, size, 3), clipped to [0, 255], as bicubic overshoots at edges.
    Parmar et al., CVPR 2022.
    """
    from PIL import Image

    channels = [
        np.asarray(
            Image.fromarray(image[:, :, c].astype(np.float32)).resize(
                (size, size), Image.Resampling.BICUBIC
            )
        )
        for c in range(3)
    ]
    return np.stack(channels, axis=2).clip(0, 255)


@lru_cache(maxsize=32)
def _taps(length: int, size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Float32]:
    position = np.arange(size, dtype=np.float32) * np.float32(length / size)
    low = position.astype(np.intp)
    high = np.minimum(low + 1, length - 1)
    return low, high, position - low.astype(np.float32)
