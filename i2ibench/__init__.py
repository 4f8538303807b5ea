"""A benchmark for paired image-to-image translation, at home in virtual staining."""

from __future__ import annotations

__version__ = "0.1.0"
