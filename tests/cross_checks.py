"""A run that the reference packages judge: how it is scored, tampered with and cross-checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from factories import CREATED

from i2ibench.data.content_hash import manifest_sha256
from i2ibench.data.dataset import open_dataset
from i2ibench.evaluation.one_pass import evaluate
from i2ibench.evaluation.predictions import find_predictions
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.files import sha256_json
from i2ibench.results.build_record import build_result
from i2ibench.results.cross_check import CrossCheck, cross_check
from i2ibench.results.pair_scores import write_pair_scores
from i2ibench.results.record_files import write_result
from i2ibench.results.reference_comparison import MetricCrossCheck

PAIRS, SIDE, CROP = 12, 64, 48
PER_PAIR = ("psnr", "ssim", "ssim-gaussian", "lpips-squeeze")
OF_A_SET = ("fid", "kid")
PROTOCOL = f"""
id = "judged-1"
title = "a crop, and what the packages know"
[preparation]
centre_crop = {CROP}
[[metrics]]
name = "mae"
[[metrics]]
name = "kid"
settings = {{subset = 8, subsets = 3, seed = 7}}
""" + "".join(f'[[metrics]]\nname = "{name}"\n' for name in (*PER_PAIR, "fid", "swd"))


def score_run(folder: Path, root: Path, **options: Any) -> None:
    """Write the result of a folder of predictions, with its scores per pair."""
    protocol = load_protocol(root / "judged.toml")
    pairs = open_dataset(str(root / "drawn"), "test")
    found = evaluate(
        pairs,
        find_predictions(folder / "predictions", pairs),
        protocol=protocol,
        device="cpu",
        workers=1,
        allow_unverified_weights=True,
        **options,
    )
    write_pair_scores(folder / "scores.csv", found)
    dataset = {
        "name": "drawn",
        "split": "test",
        "direction": "AtoB",
        "pairs": len(pairs),
        "manifest_sha256": manifest_sha256(pairs),
    }
    result = build_result(
        model={"name": "blur", "checkpoint_sha256": None},
        dataset=dataset,
        evaluation=found,
        cost={},
        seed=0,
        environment={},
        created=CREATED,
    )
    write_result(folder / "result.json", result)


def edit_record(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a record so that its own hash does not tell."""
    path = run / "result.json"
    content = json.loads(path.read_text())
    content.pop("sha256", None)
    change(content)
    path.write_text(json.dumps({**content, "sha256": sha256_json(content)}))


def check_run(run: Path, **options: Any) -> CrossCheck:
    given = {"allow_unverified_weights": True, "sample": None, **options}
    where = {"dataset": str(run.parent / "drawn"), "protocol": str(run.parent / "judged.toml")}
    return cross_check(run, device="cpu", **{**where, **given})


def by_name(found: CrossCheck) -> dict[str, MetricCrossCheck]:
    return {metric.metric: metric for metric in found.metrics}
