"""Evaluations and results with known numbers, and images, for tests of many rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from i2ibench import registry
from i2ibench.evaluation.scores import Better, Evaluation, GroupScores, MetricValue
from i2ibench.metrics.interface import Metric
from i2ibench.results.build_record import build_result
from i2ibench.results.pair_scores import pair_columns
from i2ibench.results.record import Result

SIGNATURES = {
    "psnr": "psnr|rgb|range:255|mean:image|v:1",
    "ssim": "ssim|rgb|window:uniform7|v:1",
    "lpips-squeeze": "lpips-squeeze|weights:435cedb3|v:1",
}
BETTER: dict[str, Better] = {
    "psnr": "higher",
    "ssim": "higher",
    "lpips-squeeze": "lower",
    "dab-tpr": "higher",
    "dab-tnr": "higher",
}
CREATED = "2026-01-01T00:00:00Z"
# Of pyramid and varpyramid: a network that trains in a second on images of 32 pixels.
TINY = {
    "model.generator": "resnet_6blocks",
    "model.ngf": 2,
    "model.ndf": 2,
    "training.epochs": 1,
    "training.decay_epochs": 1,
    "training.batch_size": 2,
    "images.crop": 24,
    "images.resize": 32,
}


def pair_scores(
    columns: Mapping[str, Sequence[float] | np.ndarray],
    groups: Sequence[str | None] | None = None,
    clusters: Sequence[str | None] | None = None,
) -> pd.DataFrame:
    """Return a table of pair scores with ids 00000, 00001, ..."""
    size = len(next(iter(columns.values())))
    return pd.DataFrame(
        {
            "id": [f"{index:05d}" for index in range(size)],
            "group": pd.Series(list(groups or [None] * size), dtype=object),
            "cluster": pd.Series(list(clusters or [None] * size), dtype=object),
            **{name: np.asarray(values, dtype=np.float64) for name, values in columns.items()},
        }
    )


def evaluation(scores: pd.DataFrame, **extra: MetricValue) -> Evaluation:
    """Return the evaluation of pair scores: means overall and by group; ``extra`` set metrics."""
    names = [name for name in scores.columns if name not in ("id", "group", "cluster")]

    def values(rows: pd.DataFrame) -> dict[str, MetricValue]:
        return {
            name: MetricValue(
                float(rows[name][np.isfinite(rows[name])].mean()),
                len(rows),
                "dB" if name == "psnr" else "",
                BETTER.get(name),
                SIGNATURES.get(name, f"{name}|v:1"),
            )
            for name in names
        }

    labels = sorted(set(scores["group"].dropna()))
    parts = {label: scores[scores["group"] == label] for label in labels}
    groups = {label: GroupScores(len(rows), values(rows)) for label, rows in parts.items()}
    macro = {
        name: MetricValue(
            float(np.mean([group.metrics[name].value for group in groups.values()])),
            len(scores),
            "dB" if name == "psnr" else "",
            BETTER.get(name),
            f"{SIGNATURES.get(name, name)}|macro:group",
        )
        for name in names
        if groups
    }
    return Evaluation(
        pair_columns=pair_columns(scores),
        metrics={**values(scores), **extra},
        groups=groups,
        macro=macro,
        protocol="i2i-1",
        protocol_sha256="0" * 64,
        seconds=1.0,
    )


def result(scores: pd.DataFrame, model: str | Mapping[str, Any] = "copy", **fields: Any) -> Result:
    """Return the result of pair scores for a model, by its name or its whole record.

    ``fields`` replace those of ``build_result``; ``metrics`` adds set metrics by name.
    """
    if isinstance(model, str):
        model = {"name": model, "parameters": 0, "config": {}, "checkpoint_sha256": None}
    extra = fields.pop("metrics", {})
    made: dict[str, Any] = {
        "model": model,
        "dataset": {
            "name": "drawn",
            "split": "test",
            "direction": "AtoB",
            "pairs": len(scores),
            "group_name": "HER2",
            "manifest_sha256": "a" * 64,
        },
        "evaluation": evaluation(scores, **extra),
        "cost": {"train_seconds": 12.0},
        "seed": 0,
        "environment": {"torch_threads": 2},
        "created": CREATED,
    }
    return build_result(**{**made, **fields})


def write_blurred(
    predictions: Mapping[str, Path], folder: Path, sigma: float, mark: str = ""
) -> dict[str, Path]:
    """Write the predictions of another model, those given but blurred; return them by pair id."""
    folder.mkdir(parents=True)
    made = {}
    for pair_id, path in predictions.items():
        made[pair_id] = folder / f"{pair_id}{mark}.png"
        cv2.imwrite(str(made[pair_id]), cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), sigma))
    return made


def write_rgb(path: Path, image: np.ndarray) -> Path:
    """Write an RGB image and return its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def stained(draw: np.random.Generator, amount: float, size: int) -> np.ndarray:
    """A pale image with smooth brown blobs of a mean DAB density of about ``amount``."""
    noise = cv2.GaussianBlur(draw.random((size, size)), (0, 0), size / 16)
    blobs = amount * 2 * (noise - noise.min()) / np.ptp(noise)
    brown = np.array([0.27, 0.57, 0.78])
    light = 10.0 ** -(blobs[:, :, None] * brown + 0.03)
    return np.rint(255 * light + draw.normal(0, 2, light.shape)).clip(0, 255).astype(np.uint8)


def register_metric(monkeypatch: pytest.MonkeyPatch, name: str, metric: type[Metric]) -> None:
    """Register a metric for the length of one test."""
    for store in ("_added", "_loaded"):
        monkeypatch.setattr(registry.metrics, store, dict(getattr(registry.metrics, store)))
    registry.metrics.register(name, metric)


def register_dataset(monkeypatch: pytest.MonkeyPatch, name: str, card: dict[str, Any]) -> None:
    """Register a data set for the length of one test."""
    for store in ("_added", "_loaded"):
        monkeypatch.setattr(registry.datasets, store, dict(getattr(registry.datasets, store)))
    registry.datasets.register(name, card)


def times(folder: Path) -> dict[Path, int]:
    """Return when each file of a folder was written; some versions of filelock touch a lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path: path.stat().st_mtime_ns for path in files}
