"""How a protocol prepares source and target before they are translated and compared."""

from __future__ import annotations

import numpy as np
import pydantic
from numpy.typing import NDArray

from i2ibench.errors import DataError
from i2ibench.settings import Settings


class Preparation(Settings):
    """Scaling and cropping that source and target go through alike; part of a protocol.

    With both fields unset, images keep their native pixels.

    Attributes:
        scale_width: resize to this width, keeping the aspect ratio, with Pillow's antialiased
            bicubic filter on uint8 (what torchvision's ``Resize`` does to Pillow images, and so
            the official BCI test path). The height is truncated to an integer, but never falls
            below ``centre_crop``. A width that already fits is left alone.
        centre_crop: side of the square cut out of the centre afterwards; odd margins leave the
            extra row below and the extra column to the right.
    """

    scale_width: int | None = pydantic.Field(default=None, gt=0)
    centre_crop: int | None = pydantic.Field(default=None, gt=0)

    @property
    def is_native(self) -> bool:
        """Whether images pass unchanged."""
        return self.scale_width is None and self.centre_crop is None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the ``(width, height)`` that an image of this size is prepared to."""
        width, height = self._scaled_size(width, height)
        if self.centre_crop is None:
            return width, height
        return min(width, self.centre_crop), min(height, self.centre_crop)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Prepare one image: uint8 ``(H, W, 3)`` -> uint8 ``(h, w, 3)``.

        Raises:
            DataError: the image is smaller than the crop.
        """
        return self._crop(self._scale(image))

    def _scaled_size(self, width: int, height: int) -> tuple[int, int]:
        if self.scale_width is None:
            return width, height
        least = self.centre_crop or 1
        if width == self.scale_width and height >= least:
            return width, height
        return self.scale_width, int(max(self.scale_width * height / width, least))

    def _scale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        size = self._scaled_size(width, height)
        if size == (width, height):
            return image
        from PIL import Image  # only protocols that resize pay for the import

        resized = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
        return np.asarray(resized, dtype=np.uint8)

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
