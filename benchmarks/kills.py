"""``kill -9`` at twenty random moments of one training: its outcome must not change by a bit.

    python benchmarks/kills.py [--kills 20] [--seed 0]

Trains the variance-penalized pyramid, very small, on 16 pairs of the synthetic set: once in peace,
and once in a process that is killed without warning, at a random time after its first step, and
started again by the same call. Compares weights, optimisers and the rows of training.csv (but for
the column of seconds). Exits with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import csv
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from i2ibench.training.checkpoint import Checkpoint, load_checkpoint

TRAIN = """
import sys
from pathlib import Path
import i2ibench.training.loop as loop
from i2ibench.runs.run import Options, Reporter, train
loop._CHECKPOINT_SECONDS = 0.1  # as often as a long training meets one between two kills

class Tell(Reporter):
    def training(self, step, total, losses):
        print(step, flush=True)

folder = train(
    Options(
        model="varpyramid", dataset="synthetic", limit=16, output=Path(sys.argv[1]),
        settings={
            "model.ngf": 4, "model.ndf": 4, "model.dropout": True, "images.crop": 32,
            "training.epochs": 50, "training.decay_epochs": 50, "training.batch_size": 2,
        },
    ),
    Tell(),
)
print(folder.path, flush=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        peaceful = finish(Path(name) / "peaceful")
        for number in range(1, arguments.kills + 1):
            step = kill(Path(name) / "killed", moments.uniform(0.0, 0.6))
            print(f"kill {number:2}: after step {step}", flush=True)
        killed = finish(Path(name) / "killed")
        differences = [*states_differ(peaceful, killed), *rows_differ(peaceful, killed)]
    for difference in differences:
        print(f"differs: {difference}")
    if not differences:
        print(f"{arguments.kills} kills changed no bit of weights, optimisers and losses")
    return 1 if differences else 0


def start(output: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", TRAIN, str(output)], stdout=-1, text=True)


def finish(output: Path) -> Path:
    """Train to the end; returns the run folder."""
    with start(output) as process:
        lines = (process.stdout or sys.stdin).read().splitlines()
    if process.returncode:
        raise SystemExit(f"the training failed with {process.returncode}")
    return Path(lines[-1])


def kill(output: Path, seconds: float) -> int:
    """Kill a training so long after its first step; returns the last step it told of."""
    with start(output) as process:
        stream = process.stdout or sys.stdin
        first = stream.readline()
        if not first.strip().isdigit():
            raise SystemExit("the training ended before it could be killed; use fewer kills")
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        steps = [int(line) for line in (first, *stream) if line.strip().isdigit()]
    if process.returncode != -signal.SIGKILL:
        raise SystemExit("the training ended before it could be killed; use fewer kills")
    return steps[-1]


def states_differ(first: Path, second: Path) -> list[str]:
    """Return the names of all tensors and numbers that differ between two last checkpoints."""
    left, right = (load_checkpoint(each / "checkpoints" / "last.ckpt") for each in (first, second))
    return checkpoints_differ(left, right)


def checkpoints_differ(first: Checkpoint, second: Checkpoint) -> list[str]:
    """Return the names of all tensors and numbers that differ between two training states."""
    left, right = (flat(state(checkpoint)) for checkpoint in (first, second))
    if left.keys() != right.keys():
        return [f"the parts of the checkpoints: {sorted(left.keys() ^ right.keys())[:5]}"]
    return [name for name in left if not same(left[name], right[name])]


def state(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "step": checkpoint.step,
        "weights": dict(checkpoint.weights),
        "optimizers": dict(checkpoint.optimizers),
    }


def flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        return {name: value}
    return {
        key: each for part, inner in parts for key, each in flat(inner, f"{name}/{part}").items()
    }


def same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    return bool(first == second)


def rows_differ(first: Path, second: Path) -> list[str]:
    """Return the steps whose rows of training.csv differ; seconds may."""
    left, right = (rows(folder / "training.csv") for folder in (first, second))
    if len(left) != len(right):
        return [f"training.csv has {len(left)} and {len(right)} rows"]
    return [f"row of step {a['step']}" for a, b in zip(left, right, strict=True) if a != b]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: value for name, value in row.items() if name != "seconds"}
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    sys.exit(main())
