"""Which protocols a method can follow whose network is not ours to run."""

from __future__ import annotations

from i2ibench.errors import UsageError
from i2ibench.models.policy import InferencePolicy


def check_policy(
    name: str, protocol: str, policy: InferencePolicy, *, averages: bool = False
) -> None:
    """Refuse a protocol that says how a network of ours is run, which these cannot be told.

    ``averages``: whether the mean over symmetries can be made, by calling it several times.
    """
    augmentation = policy.augmentation if averages else "none"
    plain = InferencePolicy(
        quantization=policy.quantization, seed=policy.seed, augmentation=augmentation
    )
    if policy != plain:
        raise UsageError(
            f"protocol {protocol} asks for batch statistics, dropout or averages of passes, which "
            f"{name} cannot be told; use one that does not, e.g. i2i-2"
        )
