"""What the variance penalty does: its weight by the batch size, three seeds, against pyramid.

    python benchmarks/variance_weight.py --output runs/variance > table.md

Trains every cell that is missing below --output on the synthetic set (two to four CPU-minutes
each; finished ones are kept), scores it under i2i-1 and with the stain's metrics, and prints the
tables of docs/variance-penalty.md. Weight 0 is pyramid pix2pix itself: the same networks, losses,
budget and random draws without the penalty.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from i2ibench.leaderboard.markdown import table
from i2ibench.results.evaluation_intervals import cluster_codes
from i2ibench.results.pair_scores import read_pair_scores
from i2ibench.results.record import Result
from i2ibench.results.record_files import read_result
from i2ibench.runs.python_interface import evaluate
from i2ibench.runs.run import Options, run
from i2ibench.statistics.bootstrap import mean_intervals

BATCHES = (2, 4, 8)
WEIGHTS = (0.0, 25.0, 100.0, 400.0)
PAIR_METRICS = {"psnr": 2, "ssim": 4, "lpips-squeeze": 4}
FURTHER = ("dab-od-error", "group-accuracy", "group-kappa")
# Decimals of the tables of means.
OVERALL = {
    **PAIR_METRICS,
    "swd": 1,
    "variance-ratio": 3,
    "distance-ratio": 3,
    "dab-od-error": 4,
    "group-kappa": 3,
}
BY_LEVEL = {"psnr": 2, "swd": 1, "variance-ratio": 3, "distance-ratio": 3, "group-accuracy": 3}


@dataclass(frozen=True)
class Seed:
    """One training: its record, the stain's metrics, and its scores per pair."""

    result: Result
    further: Result
    scores: pd.DataFrame

    def value(self, metric: str, level: str | None = None) -> float:
        record = self.further if metric in FURTHER else self.result
        found = record.groups[level].metrics if level else record.metrics
        value = found[metric].value
        if value is None:
            raise SystemExit(f"{metric} was not computed: {found[metric].unavailable}")
        return value


Cells = dict[tuple[int, float], list[Seed]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, default=Path("runs/variance"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    cells: Cells = {
        cell: [measured(*cell, seed, arguments.output) for seed in range(arguments.seeds)]
        for cell in product(BATCHES, WEIGHTS)
    }
    levels = sorted(next(iter(cells.values()))[0].result.groups)
    tables = [overall_table(cells), difference_table(cells)]
    tables += [level_table(cells, metric, digits, levels) for metric, digits in BY_LEVEL.items()]
    print("\n\n".join(tables))


def measured(batch: int, weight: float, seed: int, output: Path) -> Seed:
    """Train and score one cell for one seed, or read what an earlier call made."""
    settings = {"training.batch_size": batch}
    if weight:
        settings["model.variance_weight"] = weight
    outcome = run(
        Options(
            model="varpyramid" if weight else "pyramid",
            dataset="synthetic",
            settings=settings,
            seed=seed,
            output=output,
            board=None,
        )
    )
    folder = output / "stain" / str(outcome.result.run_id)
    if not (folder / "result.json").exists():
        evaluate(
            outcome.folder / "predictions", dataset="synthetic", metrics=FURTHER, output=folder
        )
    return Seed(
        outcome.result,
        read_result(folder / "result.json"),
        read_pair_scores(outcome.folder / "scores.csv"),
    )


def overall_table(cells: Cells) -> str:
    """Return mean and standard deviation over the seeds of every cell."""
    rows = [
        [str(batch), f"{weight:g}"]
        + [spread([seed.value(name) for seed in seeds], digits) for name, digits in OVERALL.items()]
        for (batch, weight), seeds in cells.items()
    ]
    return table(["batch", "weight", *OVERALL], rows, left=0)


def difference_table(cells: Cells) -> str:
    """Return the paired differences to weight 0 with their intervals, and each seed's own."""
    rows = []
    for (batch, weight), seeds in cells.items():
        if not weight:
            continue
        row = [str(batch), f"{weight:g}"]
        for metric, digits in PAIR_METRICS.items():
            by_seed = [
                (with_penalty.scores[metric] - without.scores[metric]).to_numpy(dtype=np.float64)
                for with_penalty, without in zip(seeds, cells[batch, 0.0], strict=True)
            ]
            mean = np.mean(by_seed, axis=0)
            interval = mean_intervals(mean[:, None], cluster_codes(seeds[0].scores))[0]
            each = ", ".join(f"{values.mean():+.{digits}f}" for values in by_seed)
            within = (
                "" if interval is None else " [{:+.{d}f}, {:+.{d}f}]".format(*interval, d=digits)
            )
            row.append(f"{mean.mean():+.{digits}f}{within}<br><sub>{each}</sub>")
        rows.append(row)
    return table(["batch", "weight", *PAIR_METRICS], rows, left=0)


def level_table(cells: Cells, metric: str, digits: int, levels: Sequence[str]) -> str:
    """Return one metric by HER2 level, mean and standard deviation over the seeds."""
    rows = [
        [str(batch), f"{weight:g}"]
        + [spread([seed.value(metric, level) for seed in seeds], digits) for level in levels]
        for (batch, weight), seeds in cells.items()
    ]
    return table(["batch", "weight", *(f"{metric}, {level}" for level in levels)], rows, left=0)


def spread(values: Sequence[float], digits: int) -> str:
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


if __name__ == "__main__":
    main()
