"""A folder of boards with known contents: trained methods, closed forms, an oracle, papers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from factories import pair_scores, result

from i2ibench.evaluation.scores import MetricValue
from i2ibench.files import sha256_json, write_json
from i2ibench.leaderboard.board import add_entry

LEVELS = ["0", "1+", "2+", "3+"] * 12


def draw_scores(shift: float, seed: int = 0, stain: float = 0.5) -> pd.DataFrame:
    """Return scores of 48 pairs that are better by ``shift``, another draw for each seed."""
    quality = np.random.default_rng(0).normal(0, 1, 48)
    quality = quality + shift + np.random.default_rng([seed, 7]).normal(0, 0.2, 48)
    return pair_scores(
        {
            "psnr": 20 + 3 * quality,
            "ssim": 0.5 + 0.05 * quality,
            "dab-tpr": np.full(48, stain),
        },
        LEVELS,
    )


def draw_entry(
    folder: Path,
    model: str,
    shift: float,
    seed: int = 0,
    *,
    stain: float = 0.5,
    record: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """Add one result of ``model`` to the board ``drawn`` in ``folder``."""
    scores = draw_scores(shift, seed, stain)
    described: dict[str, Any] = {"name": model, "parameters": 0, "config": {}}
    if fields.get("training"):  # of each seed its own weights
        described = {"name": model, "config": {}, "checkpoint_sha256": sha256_json([model, seed])}
    fields.setdefault("run_id", f"r{sha256_json([model, seed])[:8]}")
    fid = MetricValue(None, 48, "", "lower", "", unavailable="weights inception-fid not found")
    made = result(
        scores, {**described, **(record or {})}, seed=seed, metrics={"fid": fid}, **fields
    )
    return add_entry(folder, made, pair_scores=scores)


def draw_boards(folder: Path) -> Path:
    """Fill ``folder`` with a board ``drawn``: six rows, and a paper that reports one of them."""
    for seed in range(3):
        draw_entry(folder, "pix2pix", 1.0, seed, training={"epochs": 5})
        draw_entry(folder, "pyramid", 0.9, seed, training={"epochs": 5})
    draw_entry(folder, "copy", 0.0)
    draw_entry(folder, "mean-colour", -1.5, stain=0.0)
    draw_entry(folder, "single", 2.0, training={"epochs": 5})
    draw_entry(folder, "oracle", 3.0, record={"uses_target": True})
    paper = {
        "schema": 1,
        "status": "reported",
        "dataset": "drawn",
        "entries": [
            {
                "method": "Pix2Pix of the paper",
                "metrics": {"psnr": 21.4, "ssim": 0.48},
                "source": "a paper",
                "comparable_group": "paper",
                "model": "pix2pix",
            },
            {
                "method": "theirs",
                "metrics": {"psnr": 22.5, "fid": 33.0},
                "source": "a paper",
                "comparable_group": "paper",
            },
        ],
    }
    write_json(folder / "drawn" / "paper.json", paper)
    return folder
