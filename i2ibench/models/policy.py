"""How predictions are made; apart from the networks, so that scoring never loads torch for it."""

from __future__ import annotations

from typing import Literal

import pydantic


class InferencePolicy(pydantic.BaseModel):
    """How predictions are made; part of a protocol and of the predictions' manifest.

    Attributes:
        normalization: ``running`` statistics (evaluation mode), or those of the ``batch`` as the
            official test scripts use without ``--eval``.
        dropout: whether dropout stays active.
        quantization: ``round`` to the nearest grey level, or ``truncate`` as the official code
            does (a bias of half a level).
        seed: of stochastic predictions; None where nothing is stochastic.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    normalization: Literal["running", "batch"] = "running"
    dropout: bool = False
    quantization: Literal["round", "truncate"] = "round"
    seed: int | None = None
