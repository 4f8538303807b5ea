"""How a protocol prepares source and target before they are translated and compared."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

from i2ibench.errors import DataError
from i2ibench.settings import Settings


class Preparation(Settings):
    """What source and target go through before a model and metrics see them; part of a protocol.

    Both are scaled and cropped alike. With all fields unset, images keep their native pixels.

    Attributes:
        scale_width: resize to this width, keeping the aspect ratio, with Pillow's antialiased
            bicubic filter on uint8 (what torchvision's ``Resize`` does to Pillow images, and so
            the official BCI test path). The height is truncated to an integer, but never falls
            below ``centre_crop``. A width that already fits is left alone.
        centre_crop: side of the square cut out of the centre afterwards; odd margins leave the
            extra row below and the extra column to the right.
        target_conversion: ``"official-float"`` brings the target that metrics see to [-1, 1] and
            back to uint8 in float32, truncated, as the official code does with real images and
            predictions alike: grey levels 1 to 63 lose 1.
    """

    added_later: ClassVar[frozenset[str]] = frozenset({"target_conversion"})

    scale_width: int | None = pydantic.Field(default=None, gt=0)
    centre_crop: int | None = pydantic.Field(default=None, gt=0)
    target_conversion: Literal["official-float"] | None = None

    @property
    def is_native(self) -> bool:
        """Whether images keep their size and section."""
        return self.scale_width is None and self.centre_crop is None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the ``(width, height)`` that an image of this size is prepared to."""
        width, height = self.scaled_size(width, height)
        if self.centre_crop is None:
            return width, height
        return min(width, self.centre_crop), min(height, self.centre_crop)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Prepare one image: uint8 ``(H, W, 3)`` -> uint8 ``(h, w, 3)``.

        Raises:
            DataError: the image is smaller than the crop.
        """
        return self._crop(self._scale(image))

    def apply_target(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Prepare a target for metrics: as ``apply``, then by ``target_conversion``.

        Raises:
            DataError: the image is smaller than the crop.
        """
        prepared = self.apply(image)
        if self.target_conversion is None:
            return prepared
        return _official_levels()[prepared]

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the ``(width, height)`` of the whole image before the crop."""
        if self.scale_width is None:
            return width, height
        least = self.centre_crop or 1
        if width == self.scale_width and height >= least:
            return width, height
        return self.scale_width, int(max(self.scale_width * height / width, least))

    def _scale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        size = self.scaled_size(width, height)
        if size == (width, height):
            return image
        return resized(image, size)

    def _crop(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        side = self.centre_crop
        if side is None:
            return image
        height, width = image.shape[:2]
        if height < side or width < side:
            raise DataError(
                f"an image of {width} x {height} is smaller than the protocol's crop of {side}; "
                "use a protocol without a crop"
            )
        top, left = (height - side) // 2, (width - side) // 2
        return np.ascontiguousarray(image[top : top + side, left : left + side])


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image, uint8 ``(H, W, 3)``, at ``(width, height)`` by Pillow's bicubic filter.

    It is the official code's; OpenCV's uses another kernel.
    """
    from PIL import Image  # only what resizes pays for the import

    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)


@cache
def _official_levels() -> NDArray[np.uint8]:
    """Return what the official test path makes of each grey level of a real image: uint8 (256,).

    ToTensor and Normalize(0.5, 0.5), then ``(x + 1) / 2 * 255``, each step rounded to float32. The
    order of the steps decides which levels fall below their integer and are truncated.
    """
    unit = np.arange(256, dtype=np.float32) / np.float32(255)
    tensor = (unit - np.float32(0.5)) / np.float32(0.5)
    levels = (tensor + np.float32(1)) / np.float32(2) * np.float32(255)
    return np.asarray(levels, dtype=np.float32).astype(np.uint8)
