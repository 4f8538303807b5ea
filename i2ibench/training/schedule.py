"""The learning-rate schedule of both official code bases."""

from __future__ import annotations

from typing import Literal


def learning_rate_factor(
    epoch: int,
    epochs: int,
    decay_epochs: int,
    step: Literal["epoch-start", "epoch-end"] = "epoch-end",
) -> float:
    """Return the factor on the initial learning rate in the 0-based ``epoch``.

    Constant for ``epochs``, then linear towards zero: 1 - max(0, e + 1 - epochs) /
    (decay_epochs + 1). pix2pix advances e at the end of an epoch; BCI's code does so at its
    start, so that every epoch is one step ahead and the last one trains at zero.
    """
    position = epoch + (1 if step == "epoch-start" else 0)
    return 1.0 - max(0, position + 1 - epochs) / (decay_epochs + 1)
