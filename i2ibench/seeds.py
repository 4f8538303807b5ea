"""Seeds derived by hashing exactly the purposes they serve."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *purposes: str | int) -> int:
    """Return a 63-bit seed for a purpose, e.g. ``derive_seed(0, "augment", epoch, pair_id)``.

    Streams with different purposes are independent of one another and of how many other streams
    exist: a new consumer of randomness never shifts the numbers of an old one.
    """
    text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in purposes)])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") >> 1
