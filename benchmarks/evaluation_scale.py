"""Memory and seconds of an evaluation over the number of pairs; prints a markdown table.

    python benchmarks/evaluation_scale.py                    # 10^3, 10^4, 10^5, 10^6 drawn pairs
    python benchmarks/evaluation_scale.py --pairs 1000 10000
    python benchmarks/evaluation_scale.py --images 20000     # files of 64 px through `evaluate`

Images of a million pairs would take days, so their features (2048), thumbnails, patches and scores
are drawn; from there on everything is what `evaluate` does: states, values, intervals, record,
table of scores, and a paired test against a second method. Each number of pairs is a process of its
own, whose peak memory is what the system says of it. A time is by the clock, then of all processors
together, which other work on the machine hardly changes. Needs 17 GB of disk for 10^6.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LEVELS = ("0", "1+", "2+", "3+")
SCORES = ("psnr", "ssim", "ssim-gaussian", "mae", "lpips", "lpips-squeeze", "dab-od-error", "shift")
_BLOCK = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[10**n for n in (3, 4, 5, 6)])
    parser.add_argument("--images", type=int, help="draw so many pairs of files of 64 px")
    parser.add_argument("--folder", type=Path, help="keep the drawn files here")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="i2ibench-scale-"))
    if arguments.one:
        print(json.dumps(measure(arguments.one, folder)))
    elif arguments.images:
        whole_evaluation(arguments.images, folder)
    else:
        table(arguments.pairs, folder)


def table(sizes: list[int], folder: Path) -> None:
    names: list[str] = []
    for n in sizes:
        command = [sys.executable, __file__, "--one", str(n), "--folder", str(folder)]
        environment = {**os.environ, "I2IBENCH_CACHE": str(folder / "cache")}
        output = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment
        ).stdout
        found = json.loads(output)
        if not names:
            names = [*found["seconds"]]
            print("| pairs | peak memory | " + " | ".join(names) + " |")
            print("|" + " ---: |" * (len(names) + 2))
        seconds = [f"{wall:.1f} / {cpu:.1f} s" for wall, cpu in map(found["seconds"].get, names)]
        print(f"| {n:,} | {found['peak']:,.0f} MiB | " + " | ".join(seconds) + " |", flush=True)


class Clock:
    """Seconds since it was made: by the clock, and of this process's processors."""

    def __init__(self) -> None:
        self.begun = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> tuple[float, float]:
        return time.perf_counter() - self.begun[0], time.process_time() - self.begun[1]


def measure(n: int, folder: Path) -> dict[str, object]:
    seconds = {**set_metrics(n), **scores_and_record(n, folder)}
    return {"seconds": seconds, "peak": peak()}


def peak() -> float:
    """Return the most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def set_metrics(n: int) -> dict[str, tuple[float, float]]:
    """Fill one state of each kind with drawn descriptions and compute every metric of it."""
    from i2ibench.metrics.distribution import FID
    from i2ibench.metrics.diversity import DistanceRatio
    from i2ibench.metrics.kernel_distance import KID, KIDMarginal
    from i2ibench.metrics.manifold import Precision, Recall
    from i2ibench.metrics.sliced import SWD, Patches
    from i2ibench.metrics.stain import IntegratedDensityCorrelation

    features = [FID(), KID(), KIDMarginal(), Precision(), Recall()]
    thumbnails, patches, stain = DistanceRatio(), SWD(), IntegratedDensityCorrelation()
    states = [metric.new_state() for metric in (features[0], thumbnails, patches, stain)]
    keeping = [0.0, 0.0]
    for start in range(0, n, _BLOCK):
        drawn = [*zip(*draw_descriptions(start), strict=True)]
        clock = Clock()
        for i, (feature, thumbnail, (priority, cuts), density) in enumerate(drawn):
            pair_id = f"{start + i:07d}"
            features[0].update(states[0], pair_id, feature)
            thumbnails.update(states[1], pair_id, thumbnail)
            patches.update(states[2], pair_id, {0: Patches(priority, *cuts)})
            stain.update(states[3], pair_id, density)
        keeping = [before + now for before, now in zip(keeping, clock.seconds, strict=True)]
    seconds = {"keeping": (keeping[0], keeping[1])}
    for metrics, state in zip((features, [thumbnails], [patches], [stain]), states, strict=True):
        for metric in metrics:
            clock = Clock()
            score = metric.compute(state)
            seconds[metric.name] = clock.seconds
            told = (n, metric.name, score.value, score.settings, f"{peak():.0f} MiB")
            print(*told, file=sys.stderr, flush=True)
    return seconds


def draw_descriptions(start: int) -> tuple[list, ...]:
    draw = np.random.default_rng([7, start])
    basis = np.random.default_rng(8).standard_normal((64, 2048)).astype(np.float32) / 8
    latent = draw.standard_normal((_BLOCK, 64), np.float32)
    noise = draw.standard_normal((2, 64, 2048), np.float32)
    sides = []
    for scale, shared in zip((0.95, 1.0), noise, strict=True):
        side = scale * (latent @ basis)
        side += 0.3 * shared[draw.integers(0, 64, _BLOCK)]
        side += 0.05 * draw.standard_normal((_BLOCK, 1), np.float32)
        sides.append(np.maximum(side, 0, out=side))
    features = [*zip(*sides, strict=True)]
    thumbnails = [(p[:192], t[:192]) for p, t in features]
    priorities = draw.integers(0, 2**64 - 1, (_BLOCK, 64), dtype=np.uint64)
    cuts = draw.standard_normal((2, 64 + 16, 3, 49), np.float32)
    first = draw.integers(0, 16, _BLOCK)
    patches = [
        (priority, (cuts[0, k : k + 64], cuts[1, k : k + 64]))
        for priority, k in zip(priorities, first.tolist(), strict=True)
    ]
    densities = [tuple(row) for row in draw.random((_BLOCK, 4)).tolist()]
    return features, thumbnails, patches, densities


def scores_and_record(n: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Make record, intervals and table of scores, and test the method against another."""
    from i2ibench.evaluation.scores import Evaluation, MetricValue, PairColumns
    from i2ibench.metrics.interface import registered_metric
    from i2ibench.results.build_record import build_result
    from i2ibench.results.pair_scores import write_pair_scores
    from i2ibench.statistics.paired_tests import rank_biserial, signed_rank_p
    from i2ibench.statistics.seeds_and_units import method_difference

    draw = np.random.default_rng(9)
    columns = {name: draw.gamma(4.0, 5.0, n) for name in SCORES}
    evaluation = Evaluation(
        pair_columns=PairColumns(
            [f"{i:07d}" for i in range(n)],
            [LEVELS[i % 4] for i in range(n)],
            [None] * n,
            columns,
        ),
        metrics={
            name: MetricValue(float(column.mean()), n, "", registered_metric(name).better, name)
            for name, column in columns.items()
        },
        groups={},
        macro={},
        protocol="drawn",
        protocol_sha256="0" * 64,
    )
    clock = Clock()
    result = build_result(
        model={"name": "drawn"},
        dataset={"name": "drawn", "split": "test", "direction": "AtoB", "pairs": n},
        evaluation=evaluation,
        cost={},
        seed=None,
        environment={},
        created="2026-01-01T00:00:00Z",
    )
    print(n, "psnr", result.metrics["psnr"].ci95, file=sys.stderr, flush=True)
    write_pair_scores(folder / "scores.csv", evaluation)
    seconds = {"record": clock.seconds}
    clock = Clock()
    scores = columns["psnr"][None], columns["ssim"][None] + 0.01
    levels = np.arange(n) % 4
    method_difference(*scores, None, levels, equal_levels=True)
    difference = (scores[0] - scores[1]).T
    signed_rank_p(difference), rank_biserial(difference)
    return {**seconds, "paired tests": clock.seconds}


def whole_evaluation(count: int, folder: Path) -> None:
    """Draw files and score them by the command, without metrics that run a network."""
    from evaluation import draw_images

    images = draw_images(folder, count, 64, distinct=500)
    metrics = "psnr,ssim,mae,swd,variance-ratio,variance-gap,distance-ratio,dab-od-error"
    command = [
        *(sys.executable, "-m", "i2ibench", "evaluate", images / "predictions"),
        *("--targets", images / "targets", "--metrics", metrics, "--output", folder / "out"),
    ]
    clock = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command])
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - clock
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("evaluate failed")
    print(
        f"{count:,} pairs of files of 64 px: {seconds:.0f} s, peak {used.ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
