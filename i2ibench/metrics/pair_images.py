"""One pair's images as metrics see them, and what metrics find in them for one another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

UInt8Image = npt.NDArray[np.uint8]  # (H, W, 3), RGB
T = TypeVar("T")


class TargetCache(Protocol):
    """Where one target's features are kept between evaluations, by its content."""

    def get(self, extractor: str) -> npt.NDArray[np.float32] | None:
        """Return the feature that ``extractor`` once found in this target, or None."""

    def put(self, extractor: str, feature: npt.NDArray[np.float32]) -> None:
        """Keep a feature under its extractor's identity."""


@dataclass(eq=False)
class PairImages:
    """One pair's prediction and target, each decoded once and seen by every metric.

    Attributes:
        id: the pair's id.
        prediction: uint8 (H, W, 3), RGB; metrics read it and never write into it.
        target: uint8 (H, W, 3), RGB, likewise.
        target_cache: where features of the target are kept, if anywhere.
        group: the pair's group, e.g. its HER2 level.
    """

    id: str
    prediction: UInt8Image
    target: UInt8Image
    target_cache: TargetCache | None = None
    group: str | None = None
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    # What was found in the target, for all its predictions; None while this is the only one.
    _target_known: dict[Hashable, Any] | None = field(default=None, repr=False)

    @property
    def shares_target(self) -> bool:
        """Whether other predictions are scored against the same target."""
        return self._target_known is not None

    def beside(self, prediction: UInt8Image) -> PairImages:
        """Return another prediction (H, W, 3) of this target; both share what is found in it.

        Predictions of one target are scored one after the other, by one thread.
        """
        if self._target_known is None:
            self._target_known = {}
        return PairImages(
            self.id,
            prediction,
            self.target,
            self.target_cache,
            self.group,
            _target_known=self._target_known,
        )

    def forget_target(self) -> None:
        """Let go what was found in the target for all its predictions."""
        if self._target_known is not None:
            self._target_known.clear()

    def once(self, function: Callable[[PairImages], T], key: Hashable = None) -> T:
        """Return ``function(self)``, computed once for all metrics that ask for it.

        A ``key`` of its own has to name the settings that ``function`` depends on.
        """
        return _once(self._known, key if key is not None else function, lambda: function(self))

    def once_of_target(self, function: Callable[[UInt8Image], T], key: Hashable = None) -> T:
        """Return ``function(self.target)``, computed once for all predictions of this target.

        A ``key`` of its own has to name the settings and weights that ``function`` depends on.
        """
        known = self._target_known if self._target_known is not None else self._known
        name = ("target", key if key is not None else function)
        return _once(known, name, lambda: function(self.target))

    def steps_of_target(
        self, function: Callable[[UInt8Image], Iterable[T]], key: Hashable
    ) -> Iterable[T]:
        """Return what ``function`` yields of the target, such as a network's activations.

        Where the target has other predictions all is kept for them; else it comes one by one, each
        to be let go at once. ``key`` as in ``once_of_target``.
        """
        if not self.shares_target:
            return function(self.target)
        return self.once_of_target(lambda image: [*function(image)], key)


def _once(known: dict[Hashable, Any], name: Hashable, compute: Callable[[], T]) -> T:
    if name not in known:
        known[name] = compute()
    found: T = known[name]
    return found
