"""The protocol of whoever names none: that of the stain where the targets carry one."""

from __future__ import annotations

from i2ibench.data.dataset import Dataset
from i2ibench.evaluation.protocol import Protocol, load_protocol
from i2ibench.runs.options import DEFAULT_PROTOCOL, STAIN_PROTOCOL


def protocol_for(dataset: Dataset, asked: str | None) -> Protocol:
    """Return the protocol that was asked for, or the default of a data set.

    Raises:
        UsageError: unknown, or a file that is no protocol.
    """
    if asked is not None:
        return load_protocol(asked)
    return load_protocol(STAIN_PROTOCOL if dataset.has_stain else DEFAULT_PROTOCOL)
