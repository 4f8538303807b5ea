"""Features of targets kept between evaluations, so that a second model pays only for its own.

An entry's key is the content: the file's hash, the crop box, the protocol's preparation and the
extractor's identity (network, weights, resize, precision, code version). Each evaluation adds what
it computed as one file ("pack"), written in one step; nothing is ever changed in place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from i2ibench.data.pairs import ImageRef
from i2ibench.data.preparation import Preparation
from i2ibench.errors import DataError
from i2ibench.files import (
    cache_folder,
    map_array,
    sha256_file,
    sha256_json,
    visible_files,
    write_array,
)

Float32 = npt.NDArray[np.float32]

# So many bytes of new features are written at once: 8,192 targets.
_MOST_NEW = 64 << 20


class FeatureStore:
    """All kept features of one evaluation's extractors; safe to use from several threads."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_folder() / "features"
        self._known: dict[str, dict[str, Float32]] = {}
        self._new: dict[str, dict[str, Float32]] = {}
        self._new_bytes = 0
        self._lock = Lock()

    def get(self, extractor: str, content: str) -> Float32 | None:
        """Return the kept feature, or None."""
        with self._lock:
            if extractor not in self._known:
                self._known[extractor] = self._read(extractor)
            return self._known[extractor].get(content)

    def put(self, extractor: str, content: str, feature: Float32) -> None:
        """Keep a feature; it reaches the disk with ``flush``."""
        with self._lock:
            self._known.setdefault(extractor, {})[content] = feature
            self._new.setdefault(extractor, {})[content] = feature
            self._new_bytes += feature.nbytes
            if self._new_bytes >= _MOST_NEW:
                self._flush()

    def flush(self) -> None:
        """Write what is new, one file an extractor; a cache that cannot be written is a warning."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        try:
            self._write()
        except OSError as error:
            for extractor, features in self._new.items():  # nor are they kept in memory
                self._known[extractor] = {
                    key: each for key, each in self._known[extractor].items() if key not in features
                }
            self._new.clear()
            self._new_bytes = 0
            warnings.warn(
                f"{self.folder}: features of targets could not be kept ("
                f"{error.strerror or error}); "
                "scores are not affected",
                stacklevel=2,
            )

    def _write(self) -> None:
        for extractor, features in self._new.items():
            keys = sorted(features)
            width = len(features[keys[0]])
            pack = np.zeros(len(keys), dtype=[("key", "S64"), ("feature", "<f4", (width,))])
            pack["key"] = [key.encode() for key in keys]
            pack["feature"] = [features[key] for key in keys]
            place = self.folder / extractor / f"{sha256_json(keys)[:32]}.npy"
            write_array(place, pack)
            # From now on they are on the disk until they are asked for.
            self._known[extractor].update(zip(keys, map_array(place)["feature"], strict=True))
        self._new.clear()
        self._new_bytes = 0

    def _read(self, extractor: str) -> dict[str, Float32]:
        found: dict[str, Float32] = {}
        for path in visible_files(self.folder / extractor, {".npy"}, missing_ok=True):
            try:
                # Mapped: features stay on the disk until they are asked for.
                pack = map_array(path)
                keys, features = [key.decode() for key in pack["key"]], pack["feature"]
            except (DataError, AttributeError, IndexError, TypeError, ValueError) as error:
                warnings.warn(f"{path} is damaged ({error}) and not used; delete it", stacklevel=2)
                continue
            found.update(zip(keys, features, strict=True))
        return found


class TargetFeatures:
    """The part of a store that belongs to one target; hashes its file when first asked."""

    def __init__(self, store: FeatureStore, content: Callable[[], str]) -> None:
        self._store, self._content = store, content
        self._key: str | None = None

    def get(self, extractor: str) -> Float32 | None:
        """Return the kept feature of this target, or None."""
        return self._store.get(extractor, self._hash())

    def put(self, extractor: str, feature: Float32) -> None:
        """Keep a feature of this target."""
        self._store.put(extractor, self._hash(), feature)

    def _hash(self) -> str:
        if self._key is None:
            self._key = self._content()
        return self._key


def content_hash(ref: ImageRef, preparation: Preparation) -> str:
    """Return the hash of an image's content and of what is done to it."""
    box = None if ref.box is None else list(ref.box)
    prepared = preparation.model_dump(mode="json")
    content: dict[str, object] = {
        "file": sha256_file(ref.path),
        "box": box,
        "preparation": prepared,
    }
    if ref.bits not in (None, 16):
        content["bits"] = ref.bits
    return sha256_json(content)
